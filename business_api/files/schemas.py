"""Files, as the API shows them."""

from datetime import datetime
from uuid import UUID

from business_api.files import links
from business_api.files.models import FileKind, StoredFile
from business_api.schemas import Out
from foundation.runner import Context


class FileOut(Out):
    """A file. Both links are good for some minutes; `thumbnail_url` is null without an image."""

    id: UUID
    name: str
    kind: FileKind
    media_type: str
    size: int
    width: int | None
    height: int | None
    created_at: datetime
    url: str
    thumbnail_url: str | None


def shown(context: Context, file: StoredFile) -> FileOut:
    """The answer for one file; who asks may see it."""
    return FileOut(
        id=file.id,
        name=file.name,
        kind=file.kind,
        media_type=file.media_type,
        size=file.size,
        width=file.width,
        height=file.height,
        created_at=file.created_at,
        url=links.link(context, "files", file.id),
        thumbnail_url=links.link(context, "thumbnails", file.id) if file.has_thumbnail else None,
    )
