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
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.files import claims, images, scanning
from business_api.files.errors import FileTooLarge
from business_api.files.models import FileKind, StoredFile, UploadClaim
from business_api.files.sniffing import MOST, NEEDED, FileType, sniffed
from business_api.files.store import Store, StoreAway
from foundation.runner import Context

UPLOADS = Counter("files_uploaded_total", "Files taken in, by kind.", ["kind"])

_NAME: Final = 120


@dataclass(frozen=True, slots=True)
class _Received:
    type: FileType
    size: int
    sha256: str


async def take_in(
    context: Context,
    actor: Actor,
    name: str,
    body: AsyncIterator[bytes],
    length: int | None = None,
) -> StoredFile:
    """Keep a file that somebody sends; it belongs to nothing yet.

    Args:
        context: of the process.
        actor: who sends it.
        name: as its sender calls it.
        body: its bytes.
        length: how many there will be, if that is known: so many are claimed, else as many
            as its kind may have.

    Raises:
        UnknownFileType, FileTooLarge, BrokenFile: it is not kept.
        FileRefused, ScannerAway: what the virus scanner says.
        TooManyFiles: too many of this account, or too many bytes, are unused or under way.
        ImagesBusy: too many images wait to be made anew.
        StoreAway: it cannot be stored now.
    """
    claim = await claims.begin(context, actor.account_id)
    try:
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, "", "upload-"))
        try:
            received = await _receive(context, claim, body, length, folder / "original")
            return await _keep(context, claim, name, received, folder)
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    finally:
        await UploadClaim.filter(id=claim.id).delete()


async def _keep(
    context: Context, claim: UploadClaim, name: str, received: _Received, folder: Path
) -> StoredFile:
    original = folder / "original"
    await scanning.scan(context.settings.files, original)
    store = context.need(Store)
    row = StoredFile(
        id=claim.id,
        account_id=claim.account_id,
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
    await claims.reserve(context, claim, row.size)
    if row.has_thumbnail:
        await store.put("thumbnails", row.id, small)
    await store.put("files", row.id, kept)
    # The row comes last: bytes without a row are waste, a row without bytes is a lie.
    if not await _write_down(row):
        await _delete_bytes(context, row.id, thumbnail=row.has_thumbnail)
        raise StoreAway("it took longer than a claim lives")
    UPLOADS.labels(row.kind.value).inc()
    return row


async def _write_down(row: StoredFile) -> bool:
    """Make a file of its claim; not if that was forgotten, and the bytes with it."""
    async with in_transaction():
        if not await UploadClaim.filter(id=row.id).delete():
            return False
        await row.save(force_create=True)
    return True


async def _receive(
    context: Context,
    claim: UploadClaim,
    body: AsyncIterator[bytes],
    length: int | None,
    target: Path,
) -> _Received:
    """Write a body to the disk, as far as its kind and its claim allow."""
    head, found, size, most, sha256 = b"", None, 0, 0, hashlib.sha256()
    with target.open("wb") as out:
        async for piece in body:
            size += len(piece)
            if found is None:
                head += piece[:NEEDED]
                if len(head) >= NEEDED:
                    found = sniffed(head)
                    most = min(MOST[found.kind], length or MOST[found.kind])
                    await claims.reserve(context, claim, most)
            if found is not None and size > most:
                raise FileTooLarge(most=most)
            sha256.update(piece)
            await asyncio.to_thread(out.write, piece)
    return _Received(found or sniffed(head), size, sha256.hexdigest())


def _measured(file: Path) -> tuple[int, str]:
    with file.open("rb") as opened:
        return file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest()


async def forget_unused(context: Context) -> int:
    """Delete files that nothing was made of in time; how many. At most 500 at once.

    And what uploads left behind whose process died; they are not counted.
    """
    for file_id in await claims.forgotten(context):
        await _delete_bytes(context, file_id, thumbnail=True)
    before = context.clock() - context.settings.files.unused_for
    old = await StoredFile.filter(attached_to=None, created_at__lt=before).limit(500)
    for row in old:
        await delete(context, row.id, has_thumbnail=row.has_thumbnail)
    return len(old)


async def delete(context: Context, file_id: UUID, *, has_thumbnail: bool) -> None:
    """Delete a file that belongs to nothing: its row first, for nobody may find it then."""
    if not await StoredFile.filter(id=file_id, attached_to=None).delete():
        return
    await _delete_bytes(context, file_id, thumbnail=has_thumbnail)


async def _delete_bytes(context: Context, file_id: UUID, *, thumbnail: bool) -> None:
    store = context.need(Store)
    await store.delete("files", file_id)
    if thumbnail:
        await store.delete("thumbnails", file_id)
