"""What can go wrong with an import as a whole. What is wrong with a row is a `Fault`."""

from foundation.errors import DomainError, Kind


class NoSuchImport(DomainError):
    """There is no such import, or none the actor may know of."""

    kind, code, title = Kind.NOT_FOUND, "no-such-import", "There is no such import"
    title_zh = "导入任务不存在"


class NoSuchImportKind(DomainError):
    """Nothing of this kind can be imported."""

    kind, code, title = Kind.NOT_FOUND, "no-such-import-kind", "Nothing like that can be imported"
    title_zh = "不支持的导入类型"


class ImportScopeMissing(DomainError):
    """The kind is imported into a community, a company or an operator, and none was named."""

    kind, code, title = Kind.INVALID, "import-scope-missing", "Say where to import to"
    title_zh = "缺少导入的目标范围"


class NotAWorkbook(DomainError):
    """What was sent is not an .xlsx file."""

    kind, code, title = Kind.INVALID, "not-a-workbook", "The file is not an Excel workbook (.xlsx)"
    title_zh = "文件不是 Excel 工作簿（.xlsx）"


class TooManyImports(DomainError):
    """So many imports of this kind wait or run here already."""

    kind, code, title = Kind.TOO_MANY, "too-many-imports", "Wait for the imports under way"
    title_zh = "已有导入任务在进行，请稍后再试"


class ImportOver(DomainError):
    """It has ended and cannot be cancelled any more."""

    kind, code, title = Kind.CONFLICT, "import-over", "The import is over"
    title_zh = "导入任务已结束"


class NoErrorWorkbook(DomainError):
    """No row was refused, or the uploaded file has been deleted since."""

    kind, code, title = Kind.NOT_FOUND, "no-error-workbook", "There is no workbook of errors"
    title_zh = "没有错误明细文件"
