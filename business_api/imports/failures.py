"""Why an import fails as a whole."""

from collections.abc import Mapping
from typing import Final

from business_api.imports.kinds import Words

FAILURES: Final[Mapping[str, Words]] = {
    "unreadable-workbook": Words("工作簿无法读取", "The workbook cannot be read"),
    "workbook-too-large": Words(
        "工作簿过大：最多 200000 行、60 列",
        "The workbook is too large: at most 200000 rows and 60 columns",
    ),
    "no-header": Words("第一个工作表没有表头", "The first sheet has no header row"),
    "columns-unknown": Words("有无法识别的列", "There are columns that are not known"),
    "columns-missing": Words("缺少必填的列", "Columns that are needed are missing"),
    "columns-twice": Words("有重复的列", "A column is there twice"),
    "file-gone": Words("上传的文件已被清除", "The uploaded file has been deleted"),
    "sender-may-no-more": Words(
        "上传者已无权导入，已停止", "Whoever sent it may not import this any more"
    ),
    "broken-off": Words("导入多次中断，已停止", "The import broke off again and again"),
}
