"""What a file is, by its first bytes: neither its name nor its sender is asked."""

from typing import Final, NamedTuple

from business_api.files.errors import UnknownFileType
from business_api.files.models import FileKind

NEEDED: Final = 16
"""Bytes from the beginning that tell."""

MIB: Final = 1024 * 1024


class FileType(NamedTuple):
    """A kind of file and how it is served."""

    kind: FileKind
    media_type: str


MOST: Final = {FileKind.IMAGE: 20 * MIB, FileKind.PDF: 20 * MIB, FileKind.VIDEO: 200 * MIB}
"""Bytes, by kind."""


def sniffed(head: bytes) -> FileType:
    """The type of a file that begins with `head`.

    Raises:
        UnknownFileType: none that is taken.

    Source:
        WHATWG "MIME Sniffing", §6.1 (images), §6.2.1 (MP4), §7.1 (PDF).
    """
    if head.startswith(b"\xff\xd8\xff"):
        return FileType(FileKind.IMAGE, "image/jpeg")
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return FileType(FileKind.IMAGE, "image/png")
    if head.startswith((b"GIF87a", b"GIF89a")):
        return FileType(FileKind.IMAGE, "image/gif")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return FileType(FileKind.IMAGE, "image/webp")
    if head.startswith(b"%PDF-"):
        return FileType(FileKind.PDF, "application/pdf")
    if head[4:8] == b"ftyp":
        return FileType(FileKind.VIDEO, "video/mp4")
    raise UnknownFileType
