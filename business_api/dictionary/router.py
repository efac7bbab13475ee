"""数据字典: read by all staff and residents; words are the operator's, lists the platform's."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response, status
from tortoise.expressions import Q

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.dictionary import items, types
from business_api.dictionary.errors import (
    DictCodeTaken,
    DictTypeFull,
    DictTypeInUse,
    NoSuchDictItem,
    NoSuchDictType,
)
from business_api.dictionary.schemas import (
    DictChoiceOut,
    DictCode,
    DictItemChangeIn,
    DictItemIn,
    DictItemOut,
    DictTypeChangeIn,
    DictTypeIn,
    DictTypeOut,
)
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.organisations import find
from business_api.organisations.errors import NoSuchOperator
from business_api.paging import Page, PageQuery
from business_api.problems import documents
from business_api.schemas import Search
from business_api.versions import IfMatch, IfMatchRequired, Stale, tag

router = APIRouter(prefix="/dictionary", tags=["dictionary"])

Viewer = Annotated[Actor, needs(Permission.DICTIONARY_VIEW)]
Manager = Annotated[Actor, needs(Permission.DICTIONARY_MANAGE)]
SearchQuery = Annotated[Search, Query(description="part of a code or name")]


@router.get("/types", operation_id="listDictTypes")
async def list_types(_: Viewer, paged: PageQuery, search: SearchQuery = "") -> Page[DictTypeOut]:
    """Lists by code."""
    rows, total = await types.listed(search=search, offset=paged.offset, limit=paged.size)
    return paged.of([DictTypeOut.model_validate(row) for row in rows], total)


@router.post(
    "/types",
    operation_id="createDictType",
    status_code=status.HTTP_201_CREATED,
    response_model=DictTypeOut,
    responses=documents(DictCodeTaken, KeyReused, RequestInFlight),
)
async def create_type(body: DictTypeIn, context: Ctx, actor: Manager, once: OnceOnly) -> Response:
    """Add a list."""

    async def act() -> DictTypeOut:
        return DictTypeOut.model_validate(await types.create(context, actor, **body.model_dump()))

    return await once(act)


@router.get(
    "/types/{dict_type_id}", operation_id="getDictType", responses=documents(NoSuchDictType)
)
async def get_type(dict_type_id: UUID, _: Viewer, response: Response) -> DictTypeOut:
    """One list, with its version as ETag."""
    row = await types.get(dict_type_id)
    tag(response, row.version)
    return DictTypeOut.model_validate(row)


@router.patch(
    "/types/{dict_type_id}",
    operation_id="changeDictType",
    responses=documents(NoSuchDictType, Stale, IfMatchRequired),
)
async def change_type(
    dict_type_id: UUID,
    body: DictTypeChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> DictTypeOut:
    """Give a list other names."""
    row = await types.get(dict_type_id)
    row = await types.change(context, actor, row, body.changes(), version)
    tag(response, row.version)
    return DictTypeOut.model_validate(row)


@router.delete(
    "/types/{dict_type_id}",
    operation_id="deleteDictType",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchDictType, DictTypeInUse, Stale, IfMatchRequired),
)
async def delete_type(dict_type_id: UUID, context: Ctx, actor: Manager, version: IfMatch) -> None:
    """Delete a list that holds nothing, and that the product does not ask for."""
    await types.delete(context, actor, await types.get(dict_type_id), version)


@router.get("/items", operation_id="listDictItems")
async def list_items(
    actor: Viewer,
    paged: PageQuery,
    *,
    search: SearchQuery = "",
    type_code: DictCode | None = None,
    operator_id: UUID | None = None,
    enabled: bool | None = None,
) -> Page[DictItemOut]:
    """Words by list and sort: the platform's, and those of one's own operators."""
    given: dict[str, Any] = {
        "type__code": type_code,
        "operator_id": operator_id,
        "enabled": enabled,
    }
    where = [Q(**{name: value}) for name, value in given.items() if value is not None]
    rows, total = await items.listed(
        actor, Q(*where), search=search, offset=paged.offset, limit=paged.size
    )
    return paged.of([DictItemOut.of(row) for row in rows], total)


@router.get("/choices", operation_id="listDictChoices", responses=documents(NoSuchDictType))
async def list_choices(
    actor: Viewer, type_code: DictCode, operator_id: UUID | None = None
) -> list[DictChoiceOut]:
    """What there is to choose from in a list: enabled, an operator's own before the platform's.

    400 at most; `operator_id` is needed by those who have several, or none.
    """
    found = await items.choices(actor, type_code, operator_id)
    return [DictChoiceOut.model_validate(row) for row in found]


@router.post(
    "/types/{dict_type_id}/items",
    operation_id="createDictItem",
    status_code=status.HTTP_201_CREATED,
    response_model=DictItemOut,
    responses=documents(
        *(NoSuchDictType, NoSuchOperator, DictCodeTaken, DictTypeFull),
        *(KeyReused, RequestInFlight),
    ),
)
async def create_item(
    dict_type_id: UUID, body: DictItemIn, context: Ctx, actor: Manager, once: OnceOnly
) -> Response:
    """Add a word to a list."""

    async def act() -> DictItemOut:
        type_ = await types.get(dict_type_id)
        if body.operator_id is not None:
            await find.operator(actor, Permission.DICTIONARY_MANAGE, body.operator_id)
        new = items.NewItem(**body.model_dump(exclude={"operator_id"}))
        return DictItemOut.of(await items.create(context, actor, type_, body.operator_id, new))

    return await once(act)


@router.get(
    "/items/{dict_item_id}", operation_id="getDictItem", responses=documents(NoSuchDictItem)
)
async def get_item(dict_item_id: UUID, actor: Viewer, response: Response) -> DictItemOut:
    """One word, with its version as ETag."""
    row = await items.get(actor, dict_item_id)
    tag(response, row.version)
    return DictItemOut.of(row)


@router.patch(
    "/items/{dict_item_id}",
    operation_id="changeDictItem",
    responses=documents(NoSuchDictItem, Stale, IfMatchRequired),
)
async def change_item(
    dict_item_id: UUID,
    body: DictItemChangeIn,
    context: Ctx,
    actor: Manager,
    *,
    version: IfMatch,
    response: Response,
) -> DictItemOut:
    """Edit a word; its code stays."""
    row = await items.get(actor, dict_item_id)
    row = await items.change(context, actor, row, body.changes(), version)
    tag(response, row.version)
    return DictItemOut.of(row)


@router.delete(
    "/items/{dict_item_id}",
    operation_id="deleteDictItem",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchDictItem, Stale, IfMatchRequired),
)
async def delete_item(dict_item_id: UUID, context: Ctx, actor: Manager, version: IfMatch) -> None:
    """Delete a word."""
    await items.delete(context, actor, await items.get(actor, dict_item_id), version)
