"""What can go wrong with files."""

from foundation.errors import DomainError, Kind


class NoSuchFile(DomainError):
    """There is no such file, or none the actor may see."""

    kind, code, title = Kind.NOT_FOUND, "no-such-file", "There is no such file"
    title_zh = "文件不存在"


class FileAttached(DomainError):
    """It belongs to something already, and stays with it."""

    kind, code, title = Kind.CONFLICT, "file-attached", "The file belongs to something already"
    title_zh = "文件已被使用"


class UnknownFileType(DomainError):
    """Neither an image (JPEG, PNG, WebP, GIF), nor a PDF, nor an MP4 video."""

    kind, code, title = Kind.INVALID, "unknown-file-type", "This kind of file is not accepted"
    title_zh = "不支持的文件类型"


class BrokenFile(DomainError):
    """It begins like an image and cannot be read as one."""

    kind, code, title = Kind.INVALID, "broken-file", "The file is damaged"
    title_zh = "文件已损坏"


class FileTooLarge(DomainError):
    """More bytes, or more pixels, than a file of this kind may have."""

    kind, code, title = Kind.INVALID, "file-too-large", "The file is too large"
    title_zh = "文件过大"


class TooManyFiles(DomainError):
    """So many files were sent and not used that no more are taken for now."""

    kind, code, title = Kind.TOO_MANY, "too-many-files", "Too many files are waiting to be used"
    title_zh = "待使用的文件过多，请稍后再试"


class FileRefused(DomainError):
    """The virus scanner found something."""

    kind, code, title = Kind.INVALID, "file-refused", "The file was refused by the virus scanner"
    title_zh = "文件未通过病毒扫描"


class ScannerAway(DomainError):
    """The virus scanner does not answer; nothing unscanned is kept."""

    kind, code, title = Kind.UNAVAILABLE, "scanner-away", "The virus scanner does not answer"
    title_zh = "病毒扫描服务不可用，请稍后再试"


class ImagesBusy(DomainError):
    """More images wait to be made anew than this machine takes at once."""

    kind, code, title = Kind.UNAVAILABLE, "images-busy", "Too many images at this moment"
    title_zh = "图片处理繁忙，请稍后再试"


class BadLink(DomainError):
    """The link was not made by us, or its time is over."""

    kind, code, title = Kind.NOT_FOUND, "bad-link", "The link is wrong or too old"
    title_zh = "链接无效或已过期"
