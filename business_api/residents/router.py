"""Who lives in a house, for staff; where one lives, for residents."""

from uuid import UUID

from fastapi import APIRouter, Response, status

from business_api.accounts import accounts
from business_api.accounts.accounts import BadUsername, NoSuchAccount, UsernameTaken
from business_api.accounts.passwords import SignInBusy, WeakPassword
from business_api.actors import AccountKind
from business_api.deps import AdminActor, Ctx, CurrentActor
from business_api.idempotency import KeyReused, OnceOnly, RequestInFlight
from business_api.paging import Page, PageQuery
from business_api.places.errors import NoSuchHouse
from business_api.places.schemas import HouseOut
from business_api.problems import documents
from business_api.residents import residents
from business_api.residents.residents import NoSuchResident, ResidentThere
from business_api.residents.schemas import KnownResidentIn, ResidentIn, ResidentOut

router = APIRouter(tags=["residents"])


@router.get("/me/houses", operation_id="listMyHouses")
async def list_my_houses(actor: CurrentActor, paged: PageQuery) -> Page[HouseOut]:
    """The houses the signed-in account lives in."""
    rows, total = await residents.houses_of(actor.account_id, offset=paged.offset, limit=paged.size)
    return paged.of([HouseOut.model_validate(row) for row in rows], total)


@router.get(
    "/houses/{house_id}/residents",
    operation_id="listResidents",
    responses=documents(NoSuchHouse),
)
async def list_residents(house_id: UUID, actor: AdminActor, paged: PageQuery) -> Page[ResidentOut]:
    """Who lives in a house."""
    rows, total = await residents.residents(
        actor.community_id, house_id, offset=paged.offset, limit=paged.size
    )
    return paged.of([ResidentOut.model_validate(row) for row in rows], total)


@router.post(
    "/houses/{house_id}/residents",
    operation_id="addResident",
    status_code=status.HTTP_201_CREATED,
    response_model=ResidentOut,
    responses=documents(
        NoSuchHouse,
        NoSuchAccount,
        ResidentThere,
        BadUsername,
        UsernameTaken,
        WeakPassword,
        SignInBusy,
        KeyReused,
        RequestInFlight,
    ),
)
async def add_resident(
    house_id: UUID,
    body: ResidentIn,
    actor: AdminActor,
    context: Ctx,
    once: OnceOnly,
) -> Response:
    """Move somebody in: a new account, or one of this community.

    From now on they may open, from afar, every station on the way home: at the gate, at
    the building and at the unit.
    """
    if isinstance(body, KnownResidentIn):
        known = body.account_id

        async def act() -> ResidentOut:
            row = await residents.attach_resident(context, actor, house_id, known)
            return ResidentOut.model_validate(row)

        return await once(act)

    # Before the transaction that `once` opens: hashing takes long.
    new = await accounts.prepare(
        body.username,
        body.password.get_secret_value(),
        body.name,
        AccountKind.RESIDENT,
        community_id=actor.community_id,
    )

    async def create() -> ResidentOut:
        row = await residents.create_resident(context, actor.audit, house_id, new)
        return ResidentOut.model_validate(row)

    return await once(create)


@router.delete(
    "/houses/{house_id}/residents/{account_id}",
    operation_id="removeResident",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(NoSuchHouse, NoSuchResident),
)
async def remove_resident(
    house_id: UUID, account_id: UUID, actor: AdminActor, context: Ctx
) -> None:
    """Move somebody out. The account stays; its rights from this house end."""
    await residents.remove_resident(context, actor, house_id, account_id)
