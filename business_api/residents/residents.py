"""Moving an account into a house and out of it, with its rights to open doors."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from tortoise.exceptions import IntegrityError
from tortoise.transactions import in_transaction

from business_api.accounts import accounts
from business_api.actors import AccountKind, Actor
from business_api.places import houses
from business_api.places.models import House, Residence
from device_registry.access import grants
from foundation import audit
from foundation.errors import DomainError, Kind
from foundation.runner import Context


class ResidentThere(DomainError):
    """The account lives in this house already."""

    kind, code, title = Kind.CONFLICT, "resident-there", "This account lives there already"
    title_zh = "该住户已在此房屋中"


class NoSuchResident(DomainError):
    """The account does not live in this house."""

    kind, code, title = Kind.NOT_FOUND, "no-such-resident", "Nobody like that lives there"
    title_zh = "该房屋没有此住户"


@dataclass(frozen=True, slots=True)
class Resident:
    """An account that lives in a house."""

    account_id: UUID
    house_id: UUID
    username: str
    name: str
    disabled: bool


async def create_resident(
    context: Context, actor: str, house_id: UUID, new: accounts.NewAccount
) -> Resident:
    """Make a resident's account and move it into a house of its community.

    Raises:
        NoSuchHouse: there is none there.
        UsernameTaken: see `accounts.create`.
    """
    async with in_transaction():
        account = await accounts.create(context, actor, new)
        return await move_in(context, actor, house_id, account)


async def attach_resident(
    context: Context, actor: Actor, house_id: UUID, account_id: UUID
) -> Resident:
    """Move an account that exists into a house.

    Raises:
        NoSuchHouse: not in the actor's community.
        NoSuchAccount: not a resident's, or not of the actor's community.
        ResidentThere: it lives there.
    """
    account = await accounts.get(account_id)
    if (account.kind, account.community_id) != (AccountKind.RESIDENT, actor.community_id):
        raise accounts.NoSuchAccount
    return await move_in(context, actor.audit, house_id, account)


async def move_in(
    context: Context, actor: str, house_id: UUID, account: accounts.AccountRow
) -> Resident:
    """Write the residence and the right to open every door on the way home, in one.

    Raises:
        NoSuchHouse: not in the account's community.
        ResidentThere: it lives there.
    """
    house = await houses.house(account.community_id, house_id)
    async with in_transaction():
        try:
            await Residence.create(house_id=house.id, account_id=account.id)
        except IntegrityError:
            raise ResidentThere from None
        await grants.set_remote(
            account.id,
            house.id,
            house.way_home,
            actor=actor,
            community_id=house.community_id,
            clock=context.clock,
        )
        await _audited(context, actor, "resident.add", house, account.id)
    return _resident(account, house.id)


async def remove_resident(context: Context, actor: Actor, house_id: UUID, account_id: UUID) -> None:
    """Move an account out: what it could open because of this house, it no longer can.

    Raises:
        NoSuchHouse: not in the actor's community.
        NoSuchResident: it does not live there.
    """
    house = await houses.house(actor.community_id, house_id)
    async with in_transaction():
        if not await Residence.filter(house_id=house_id, account_id=account_id).delete():
            raise NoSuchResident
        await grants.clear_remote(
            account_id,
            house_id,
            actor=actor.audit,
            community_id=house.community_id,
            clock=context.clock,
        )
        await _audited(context, actor.audit, "resident.remove", house, account_id)


async def residents(
    community_id: UUID, house_id: UUID, *, offset: int, limit: int
) -> tuple[list[Resident], int]:
    """Who lives in a house, the longest first, and how many. Four statements.

    Raises:
        NoSuchHouse: not in this community.
    """
    await houses.house(community_id, house_id)
    which = Residence.filter(house_id=house_id)
    ids: list[Any] = await (
        which.order_by("id").offset(offset).limit(limit).values_list("account_id", flat=True)
    )
    found = await accounts.of_ids(ids)
    rows = [_resident(found[account_id], house_id) for account_id in ids]
    return rows, await which.count()


async def houses_of(
    account_id: UUID, *, offset: int, limit: int
) -> tuple[list[houses.HouseRow], int]:
    """Where an account lives, and how many houses that are. Two statements."""
    which = House.filter(residences__account_id=account_id)
    rows = (
        await which.select_related("building", "unit")
        .order_by("building__code", "unit__code", "code", "id")
        .offset(offset)
        .limit(limit)
    )
    return [houses.row(found) for found in rows], await which.count()


async def _audited(
    context: Context, actor: str, action: str, house: houses.HouseRow, account_id: UUID
) -> None:
    await audit.append(
        actor=actor,
        action=action,
        object=f"house/{house.id}",
        community_id=house.community_id,
        clock=context.clock,
        account=str(account_id),
    )


def _resident(account: accounts.AccountRow, house_id: UUID) -> Resident:
    return Resident(
        account.id, house_id, account.username, account.name, account.disabled_at is not None
    )
