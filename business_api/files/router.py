"""`/v1/files`: sending files and finding them; `/files`: their bytes, by signed link."""

import re
from collections.abc import AsyncIterator
from typing import Annotated, Final
from urllib.parse import unquote
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request, Response, status
from starlette.responses import StreamingResponse

from business_api.deps import Ctx, CurrentActor
from business_api.files import attachments, links, uploads
from business_api.files.errors import (
    BadLink,
    BrokenFile,
    FileAttached,
    FileRefused,
    FileTooLarge,
    ImagesBusy,
    NoSuchFile,
    ScannerAway,
    TooManyFiles,
    UnknownFileType,
)
from business_api.files.models import StoredFile
from business_api.files.schemas import FileOut, shown
from business_api.files.sniffing import MOST
from business_api.files.store import Store, StoreAway, Variant
from business_api.problems import documents
from foundation.runner import Context

router = APIRouter(prefix="/files", tags=["files"])
bytes_router = APIRouter(tags=["files"])

MAX_BODY: Final = max(MOST.values())
BODY_SECONDS: Final = 600.0
"""For 200 MiB that is 2.7 Mbit/s."""

_RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{0,15})")
_LENGTH: Final = re.compile(r"[0-9]{1,15}")
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")

Until = Annotated[int, Query(ge=0, le=10**11)]
Sig = Annotated[str, Query(max_length=64)]
RangeHeader = Annotated[str | None, Header(alias="Range", max_length=80)]


@router.post(
    "",
    operation_id="uploadFile",
    status_code=status.HTTP_201_CREATED,
    responses=documents(
        *(UnknownFileType, FileTooLarge, BrokenFile, FileRefused),
        *(ScannerAway, TooManyFiles, ImagesBusy, StoreAway),
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string"}}},
        }
    },
)
async def upload(
    request: Request,
    context: Ctx,
    actor: CurrentActor,
    file_name: Annotated[
        str, Header(max_length=720, description="the file's name, percent-encoded UTF-8")
    ] = "",
) -> FileOut:
    """Send a file as the body: JPEG, PNG, WebP, GIF or PDF to 20 MiB, MP4 to 200 MiB.

    What it is, is found out from its content. Images are made anew, without what a camera
    wrote beside the picture. Then use its id where a form asks for files; one that is not
    used is deleted after a day.
    """
    name = _CONTROLS.sub("", unquote(file_name, errors="replace"))
    length = request.headers.get("Content-Length", "")
    known = int(length) if _LENGTH.fullmatch(length) else None
    return shown(context, await uploads.take_in(context, actor, name, request.stream(), known))


@router.get("/{file_id}", operation_id="getFile", responses=documents(NoSuchFile))
async def get_file(file_id: UUID, context: Ctx, actor: CurrentActor) -> FileOut:
    """A file one sent, or may see for what it belongs to, with fresh links."""
    return shown(context, await attachments.find(actor, file_id))


@router.delete(
    "/{file_id}",
    operation_id="deleteFile",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchFile, FileAttached),
)
async def delete_file(file_id: UUID, context: Ctx, actor: CurrentActor) -> None:
    """Delete a file one sent, as long as nothing was made of it."""
    found = await attachments.find(actor, file_id)
    if found.attached_to is not None:
        raise FileAttached
    await uploads.delete(context, file_id, has_thumbnail=found.has_thumbnail)


@bytes_router.get(
    "/files/{file_id}",
    operation_id="fetchFile",
    response_class=Response,
    responses=documents(BadLink, StoreAway),
)
async def fetch(
    file_id: UUID, context: Ctx, until: Until, sig: Sig, wanted: RangeHeader = None
) -> Response:
    """The bytes of a file, by the link of `getFile`. One range at a time may be asked for."""
    links.check(context, "files", file_id, until, sig)
    return await _bytes(context, "files", file_id, wanted)


@bytes_router.get(
    "/thumbnails/{file_id}",
    operation_id="fetchThumbnail",
    response_class=Response,
    responses=documents(BadLink, StoreAway),
)
async def fetch_thumbnail(file_id: UUID, context: Ctx, until: Until, sig: Sig) -> Response:
    """The small form of an image, by its link."""
    links.check(context, "thumbnails", file_id, until, sig)
    return await _bytes(context, "thumbnails", file_id)


async def _bytes(
    context: Context, variant: Variant, file_id: UUID, wanted: str | None = None
) -> Response:
    found = await StoredFile.get_or_none(id=file_id)
    if found is None:
        raise BadLink
    headers = {
        "Cache-Control": "private, max-age=600, immutable",
        "Content-Disposition": "inline" if found.kind != "pdf" else "attachment",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    store = context.need(Store)
    if variant == "thumbnails":
        pieces = await store.read(variant, file_id, 0, MOST[found.kind])
        return _stream(pieces, 200, found.media_type, headers)
    headers["Accept-Ranges"] = "bytes"
    span = _span(wanted, found.size)
    if span is None:
        headers["Content-Length"] = str(found.size)
        pieces = await store.read(variant, file_id, 0, found.size)
        return _stream(pieces, 200, found.media_type, headers)
    start, end = span
    if start >= end:
        return Response(status_code=416, headers={"Content-Range": f"bytes */{found.size}"})
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{found.size}"
    headers["Content-Length"] = str(end - start)
    pieces = await store.read(variant, file_id, start, end)
    return _stream(pieces, 206, found.media_type, headers)


def _stream(
    pieces: AsyncIterator[bytes], code: int, media_type: str, headers: dict[str, str]
) -> StreamingResponse:
    return StreamingResponse(pieces, code, headers, media_type)


def _span(wanted: str | None, size: int) -> tuple[int, int] | None:
    """The one range that is asked for, [start, end); None: everything (RFC 9110, 14.2)."""
    asked = _RANGE.fullmatch(wanted) if wanted else None
    if asked is None:
        return None
    last = int(asked[2]) if asked[2] else size - 1
    return int(asked[1]), min(last + 1, size)
