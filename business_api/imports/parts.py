"""The bytes of an uploaded workbook: in sealed pieces, so that no process holds them all."""

from collections.abc import AsyncGenerator, AsyncIterator
from datetime import datetime
from typing import Final
from uuid import UUID

from business_api.imports.errors import NotAWorkbook
from business_api.imports.models import ImportPart
from business_api.imports.reading import Unreadable
from foundation.runner import Context

PIECE: Final = 256 * 1024
_ZIP: Final = b"PK\x03\x04"


async def store(context: Context, import_id: UUID, body: AsyncIterator[bytes]) -> int:
    """Keep what comes; how many bytes. One statement a piece, none in a transaction.

    Raises:
        NotAWorkbook: it does not begin as an .xlsx file does.
    """
    waiting, size, seq = bytearray(), 0, 0
    try:
        async for bytes_ in body:
            waiting += bytes_
            size += len(bytes_)
            while len(waiting) >= PIECE:
                await _store_piece(context, import_id, seq, bytes(waiting[:PIECE]))
                del waiting[:PIECE]
                seq += 1
        if waiting or not seq:
            await _store_piece(context, import_id, seq, bytes(waiting))
    except BaseException:
        # Half a workbook is of no use. What a crash leaves is forgotten with the old ones.
        await ImportPart.filter(import_id=import_id).delete()
        raise
    return size


async def _store_piece(context: Context, import_id: UUID, seq: int, piece: bytes) -> None:
    if seq == 0 and not piece.startswith(_ZIP):
        raise NotAWorkbook
    await ImportPart.create(
        import_id=import_id,
        seq=seq,
        sealed=context.keyring.seal(piece, _about(import_id, seq)),
        created_at=context.clock(),
    )


async def pieces(context: Context, import_id: UUID) -> AsyncGenerator[bytes]:
    """What was stored, in order; one statement a piece, so that one is in memory.

    Raises:
        Unreadable: it has been deleted.
    """
    seq = 0
    while part := await ImportPart.get_or_none(import_id=import_id, seq=seq):
        yield context.keyring.unseal(bytes(part.sealed), _about(import_id, seq))
        seq += 1
    if seq == 0:
        raise Unreadable("file-gone")


async def forget(before: datetime, most: int) -> int:
    """Delete pieces older than `before`, `most` at once; how many. Two statements."""
    old = ImportPart.filter(created_at__lt=before).order_by("created_at")
    ids = await old.limit(most).values_list("id", flat=True)
    return await ImportPart.filter(id__in=ids).delete() if ids else 0


def _about(import_id: UUID, seq: int) -> str:
    return f"import/{import_id}/{seq}"
