"""Moving into a house and out of it, and the order in which its people are rung."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, status
from starlette.responses import Response
from tortoise.transactions import in_transaction

from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.paging import Page, PageQuery
from business_api.people import find as find_person
from business_api.people import persons
from business_api.people.errors import BadIdNumber, ConsentNeeded, IdTypeNeeded, NoSuchPerson
from business_api.phones import BadPhone
from business_api.places import find as find_place
from business_api.places.errors import NoSuchHouse
from business_api.problems import documents
from business_api.residents import changing, find, hand_overs, listing, moves, showing
from business_api.residents.errors import (
    BadValidity,
    NobodyThere,
    ResidentThere,
    WrongCallOrder,
)
from business_api.residents.schemas import (
    CallOrderIn,
    HandOverOut,
    MoveInIn,
    MoveOutIn,
    ResidentOut,
)

router = APIRouter(tags=["residents"])

Manager = Annotated[Actor, needs(Permission.RESIDENT_MANAGE)]


@router.post(
    "/houses/{house_id}/residents",
    operation_id="moveIn",
    status_code=status.HTTP_201_CREATED,
    response_model=ResidentOut,
    responses=documents(
        *(NoSuchHouse, NoSuchPerson, ResidentThere, BadValidity, BadPhone),
        *(BadIdNumber, IdTypeNeeded, ConsentNeeded, KeyReused, RequestInFlight),
    ),
)
async def move_in(
    house_id: UUID, body: MoveInIn, actor: Manager, context: Ctx, once: OnceOnly
) -> Response:
    """Let somebody live in a house, from now or from a day to come.

    If the person signs in, it may open from afar every station on the way home.
    """
    house = await find_place.house(actor, Permission.RESIDENT_MANAGE, house_id)

    async def act() -> ResidentOut:
        async with in_transaction():
            if body.person is not None:
                person = await persons.find_or_create(context, actor, house.site, body.person.new())
            elif body.person_id is not None:
                person = await find_person.person(actor, Permission.RESIDENT_MANAGE, body.person_id)
            else:
                raise NoSuchPerson
            home = await moves.move_in(
                context,
                actor,
                house,
                person,
                body.type,
                valid_from=body.valid_from,
                valid_to=body.valid_to,
                call_order=body.call_order,
                landline=body.landline,
            )
        found = await find.occupancy(actor, Permission.RESIDENT_VIEW, home.id)
        return await showing.resident(context, actor, found)

    return await once(act, secret=True)


@router.put(
    "/houses/{house_id}/call-order",
    operation_id="orderCalls",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchHouse, WrongCallOrder),
)
async def order_calls(house_id: UUID, body: CallOrderIn, actor: Manager, context: Ctx) -> None:
    """Ring the people of a house in this order."""
    house = await find_place.house(actor, Permission.RESIDENT_MANAGE, house_id)
    await changing.order_calls(context, actor, house, body.occupancy_ids)


@router.post(
    "/houses/{house_id}/move-out",
    operation_id="moveOut",
    status_code=status.HTTP_201_CREATED,
    response_model=HandOverOut,
    responses=documents(NoSuchHouse, NobodyThere, KeyReused, RequestInFlight),
)
async def move_out(
    house_id: UUID, body: MoveOutIn, actor: Manager, context: Ctx, once: OnceOnly
) -> Response:
    """Everybody who lives there moves out, in one action that leaves a record.

    They open nothing any more. When nobody has lived there since the last hand-over, the
    answer is that one.
    """
    house = await find_place.house(actor, Permission.RESIDENT_MANAGE, house_id)
    notes = hand_overs.Notes(body.meter_notes, body.keys, body.remarks)

    async def act() -> HandOverOut:
        made = await hand_overs.move_out(context, actor, house, notes, keep_owners=body.keep_owners)
        names = await listing.names_of([made])
        return (await showing.hand_over_list(context, [made], names))[0]

    return await once(act, secret=True)


@router.get(
    "/houses/{house_id}/hand-overs",
    operation_id="listHandOvers",
    responses=documents(NoSuchHouse),
)
async def list_hand_overs(
    house_id: UUID, actor: Manager, context: Ctx, paged: PageQuery
) -> Page[HandOverOut]:
    """Of a house, newest first. For staff: a household does not see who lived there before."""
    house = await find_place.house(actor, Permission.RESIDENT_MANAGE, house_id)
    rows, total = await listing.hand_overs(house.id, offset=paged.offset, limit=paged.size)
    names = await listing.names_of(rows)
    return paged.of(await showing.hand_over_list(context, rows, names), total)
