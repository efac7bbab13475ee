"""Taking a file in: to the disk, looked at, made anew or scanned, stored, written down."""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from prometheus_client import Counter

from business_api.actors import Actor
from business_api.files import images, scanning
from business_api.files.errors import FileTooLarge, TooManyFiles
from business_api.files.models import FileKind, StoredFile
from business_api.files.sniffing import MOST, NEEDED, FileType, sniffed
from business_api.files.store import Store
from foundation.ids import new_id
from foundation.runner import Context

UPLOADS = Counter("files_uploaded_total", "Files taken in, by kind.", ["kind"])

_NAME: Final = 120


@dataclass(frozen=True, slots=True)
class _Received:
    type: FileType
    size: int
    sha256: str


async def take_in(
    context: Context, actor: Actor, name: str, body: AsyncIterator[bytes]
) -> StoredFile:
    """Keep a file that somebody sends; it belongs to nothing yet.

    Raises:
        UnknownFileType, FileTooLarge, BrokenFile: it is not kept.
        FileRefused, ScannerAway: what the virus scanner says.
        TooManyFiles: too many of this account are unused.
        StoreAway: it cannot be stored now.
    """
    unused = await StoredFile.filter(account_id=actor.account_id, attached_to=None).count()
    if unused >= context.settings.files.unused_files:
        raise TooManyFiles(retry_after=3600)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, "", "upload-"))
    try:
        return await _keep(context, actor, name, body, folder)
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _keep(
    context: Context, actor: Actor, name: str, body: AsyncIterator[bytes], folder: Path
) -> StoredFile:
    original = folder / "original"
    received = await _receive(body, original)
    await scanning.scan(context.settings.files, original)
    store, file_id = context.need(Store), new_id()
    row = StoredFile(
        id=file_id,
        account_id=actor.account_id,
        name=name.strip()[:_NAME],
        kind=received.type.kind,
        media_type=received.type.media_type,
        size=received.size,
        sha256=received.sha256,
        created_at=context.clock(),
    )
    kept = original
    if received.type.kind is FileKind.IMAGE:
        kept, small = folder / "image", folder / "thumbnail"
        made = await images.remake(original, kept, small)
        row.media_type, row.width, row.height = made.media_type, made.width, made.height
        row.size, row.sha256 = await asyncio.to_thread(_measured, kept)
        row.has_thumbnail = True
        await store.put("thumbnails", file_id, small)
    await store.put("files", file_id, kept)
    # The row comes last: bytes without a row are waste, a row without bytes is a lie.
    await row.save(force_create=True)
    UPLOADS.labels(row.kind.value).inc()
    return row


async def _receive(body: AsyncIterator[bytes], target: Path) -> _Received:
    """Write a body to the disk, as far as its kind allows."""
    head, found, size, sha256 = b"", None, 0, hashlib.sha256()
    with target.open("wb") as out:
        async for piece in body:
            size += len(piece)
            if found is None:
                head += piece[:NEEDED]
                if len(head) >= NEEDED:
                    found = sniffed(head)
            if found is not None and size > MOST[found.kind]:
                raise FileTooLarge(most=MOST[found.kind])
            sha256.update(piece)
            await asyncio.to_thread(out.write, piece)
    return _Received(found or sniffed(head), size, sha256.hexdigest())


def _measured(file: Path) -> tuple[int, str]:
    with file.open("rb") as opened:
        return file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest()


async def forget_unused(context: Context) -> int:
    """Delete files that nothing was made of in time; how many. At most 500 at once."""
    before = context.clock() - context.settings.files.unused_for
    old = await StoredFile.filter(attached_to=None, created_at__lt=before).limit(500)
    for row in old:
        await delete(context, row.id, has_thumbnail=row.has_thumbnail)
    return len(old)


async def delete(context: Context, file_id: UUID, *, has_thumbnail: bool) -> None:
    """Delete a file that belongs to nothing: its row first, for nobody may find it then."""
    if not await StoredFile.filter(id=file_id, attached_to=None).delete():
        return
    store = context.need(Store)
    await store.delete("files", file_id)
    if has_thumbnail:
        await store.delete("thumbnails", file_id)
