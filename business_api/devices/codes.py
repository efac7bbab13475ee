"""通讯码 and Bluetooth readers: what a station is registered with.

The operator fills and tends both pools; whoever registers stations picks what is free.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Body, Path, Query, Request, status
from starlette.responses import Response

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.devices.code_schemas import (
    Batch,
    CodeOut,
    GenerateCodesIn,
    GeneratedCodesOut,
    ImportCodesIn,
    PoolImportOut,
    ReaderOut,
)
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.paging import Page, PageQuery
from business_api.problems import documents
from business_api.schemas import Search
from device_registry.devices import bluetooth, communication_codes
from device_registry.devices.communication_codes import CodeNotFound, WrongCodeState
from device_registry.devices.imports import BadList, TooManyAtOnce
from device_registry.devices.states import CodeState
from foundation.errors import DomainError, Kind

router = APIRouter(tags=["pools"])

Viewer = Annotated[Actor, needs(Permission.CODE_VIEW)]
Manager = Annotated[Actor, needs(Permission.CODE_MANAGE)]
SearchQuery = Annotated[Search, Query(description="part of the code or number")]
Limit = Annotated[int, Query(ge=1, le=100)]
CodePath = Annotated[str, Path(max_length=32)]

_CSV: Final = frozenset({"text/csv", "text/plain", "application/octet-stream"})


class NotCsv(DomainError):
    """The body is not a CSV file."""

    kind, code, title = Kind.INVALID, "not-csv", "Send the file as text/csv"
    title_zh = "请以 text/csv 格式上传文件"


@router.get("/communication-codes", operation_id="listCommunicationCodes")
async def list_codes(
    _: Manager, paged: PageQuery, search: SearchQuery = "", state: CodeState | None = None
) -> Page[CodeOut]:
    """The pool by code, with states."""
    rows, total = await communication_codes.codes(
        search=search, state=state, page=paged.page, size=paged.size
    )
    return paged.of([CodeOut.model_validate(row) for row in rows], total)


@router.get("/communication-codes/free", operation_id="listFreeCommunicationCodes")
async def list_free_codes(_: Viewer, search: SearchQuery = "", limit: Limit = 20) -> list[str]:
    """Codes for the drop-down of the registration form."""
    return await communication_codes.free(search, limit)


@router.post(
    "/communication-codes",
    operation_id="generateCommunicationCodes",
    status_code=status.HTTP_201_CREATED,
    response_model=GeneratedCodesOut,
    responses=documents(KeyReused, RequestInFlight),
)
async def generate_codes(
    body: GenerateCodesIn, actor: Manager, context: Ctx, once: OnceOnly
) -> Response:
    """Make new codes."""

    async def act() -> GeneratedCodesOut:
        made = await communication_codes.generate(
            body.count, body.batch, actor=actor.audit, clock=context.clock
        )
        return GeneratedCodesOut(batch=body.batch, codes=made)

    return await once(act)


@router.post(
    "/communication-codes/import",
    operation_id="importCommunicationCodes",
    responses=documents(TooManyAtOnce),
)
async def import_codes(body: ImportCodesIn, actor: Manager, context: Ctx) -> PoolImportOut:
    """Add codes that were made elsewhere; one that is known stays as it is."""
    report = await communication_codes.import_codes(
        body.codes, body.batch, actor=actor.audit, clock=context.clock
    )
    return PoolImportOut.model_validate(report)


@router.post(
    "/communication-codes/{code}/freeze",
    operation_id="freezeCommunicationCode",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(CodeNotFound, WrongCodeState),
)
async def freeze(code: CodePath, actor: Manager, context: Ctx) -> None:
    """Keep a free code back."""
    await communication_codes.freeze(code, actor=actor.audit, clock=context.clock)


@router.post(
    "/communication-codes/{code}/unfreeze",
    operation_id="unfreezeCommunicationCode",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(CodeNotFound, WrongCodeState),
)
async def unfreeze(code: CodePath, actor: Manager, context: Ctx) -> None:
    """Give a frozen code free again."""
    await communication_codes.unfreeze(code, actor=actor.audit, clock=context.clock)


@router.post(
    "/communication-codes/{code}/recycle",
    operation_id="recycleCommunicationCode",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(CodeNotFound, WrongCodeState),
)
async def recycle(code: CodePath, actor: Manager, context: Ctx) -> None:
    """Let a retired code be bound once more."""
    await communication_codes.recycle(code, actor=actor.audit, clock=context.clock)


@router.get("/bluetooth-readers", operation_id="listBluetoothReaders")
async def list_readers(
    _: Manager, paged: PageQuery, search: SearchQuery = "", bound: bool | None = None
) -> Page[ReaderOut]:
    """Imported readers by number."""
    rows, total = await bluetooth.readers(
        search=search, bound=bound, page=paged.page, size=paged.size
    )
    shown = [
        ReaderOut(
            number=row.number,
            model=row.model,
            bound=row.device_id is not None,
            batch=row.batch,
        )
        for row in rows
    ]
    return paged.of(shown, total)


@router.get("/bluetooth-readers/free", operation_id="listFreeBluetoothReaders")
async def list_free_readers(_: Viewer, search: SearchQuery = "", limit: Limit = 20) -> list[str]:
    """Unbound readers for the drop-down of the registration form."""
    return await bluetooth.free(search, limit)


@router.post(
    "/bluetooth-readers/import",
    operation_id="importBluetoothReaders",
    responses=documents(BadList, TooManyAtOnce, NotCsv),
)
async def import_readers(
    body: Annotated[bytes, Body(media_type="text/csv")],
    request: Request,
    actor: Manager,
    context: Ctx,
    batch: Annotated[Batch, Query()] = "",
) -> PoolImportOut:
    """蓝牙设备导入: a CSV file of number and model, with or without a header line; 1 MiB.

    UTF-8, or GB 18030 as Excel writes it in China. Lines with faults are named and left
    out, the others are taken; readers that are known stay as they are.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _CSV:
        raise NotCsv
    report = await bluetooth.import_csv(_text(body), batch, actor=actor.audit, clock=context.clock)
    return PoolImportOut.model_validate(report)


def _text(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return body.decode("gb18030")
    except UnicodeDecodeError:
        raise NotCsv("neither UTF-8 nor GB 18030") from None
