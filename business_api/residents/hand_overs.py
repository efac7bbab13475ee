"""Moving out of a whole house in one action, and what is written down about it."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from tortoise.expressions import F, Q
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.accounts import sessions
from business_api.actors import Actor
from business_api.places.models import House
from business_api.residents import doors, house_states
from business_api.residents.endings import ENDINGS
from business_api.residents.errors import NobodyThere
from business_api.residents.models import HandOver, Occupancy, ResidentType
from business_api.residents.moves import MOVES
from business_api.residents.times import Standing, with_standing
from business_api.tenancy import place
from device_registry.access import grants
from foundation.ids import new_id
from foundation.runner import Context

REASON = "moved_out"


@dataclass(frozen=True, slots=True)
class Notes:
    """What the two sides agreed on, in their words."""

    meters: str = ""
    keys: str = ""
    remarks: str = ""


async def move_out(
    context: Context, actor: Actor | str, house: House, notes: Notes, *, keep_owners: bool = False
) -> HandOver:
    """End everything that somebody has in this house, and leave a record.

    Ends the occupancies that have begun, their rights to open, and what other slices hang
    on them (`endings`). Who is to move in later still is. Done once: when nobody has lived
    there since the last hand-over, that one is the answer.

    Args:
        context: of the process.
        actor: who.
        house: which.
        notes: about the hand-over.
        keep_owners: the tenants leave, and the owners still own it.

    Raises:
        NobodyThere: nobody lives there, and nobody did.
    """
    async with in_transaction():
        now = context.clock()
        there = await _locked(house, now, keep_owners)
        await house_states.lock(house.id)
        if not there and (before := await _before(house)):
            return before
        await _end(there, now)
        await house_states.follow(context, house.id)
        made = await _record(context, actor, house, there, notes)
        await ENDINGS.happen(context, actor, there)
        await grants.clear_house(
            house.id,
            {home.person.account_id for home in there if home.person.account_id},
            actor=actor.audit if isinstance(actor, Actor) else actor,
            community_id=house.community_id,
            clock=context.clock,
        )
        await auditing.note(
            context,
            actor,
            "house.move_out",
            f"house/{house.id}",
            house.site,
            hand_over=str(made.id),
            occupancies=made.occupancy_ids,
        )
    MOVES.labels("out").inc(len(there))
    context.wake.kick(sessions.TOPIC)
    return made


def notes_of(context: Context, hand_over: HandOver) -> Notes:
    """What was written down.

    Raises:
        BadKey: the master key is not the one it was sealed with.
    """
    sealed = bytes(hand_over.notes_sealed)
    return Notes(**json.loads(context.keyring.unseal(sealed, f"hand-over/{hand_over.id}")))


async def _locked(house: House, now: datetime, keep_owners: bool) -> list[Occupancy]:
    """Who lives there, in the order everybody takes locks: accounts, rows (`doors.lock`).

    Those who were found are asked for again, and nobody who has come since: the locks of
    newcomers would be out of order. They have moved in after this move-out.
    """
    live = with_standing(Standing.LIVE, now)
    if keep_owners:
        live &= ~Q(type=ResidentType.OWNER)
    there = await Occupancy.filter(live, house_id=house.id).select_related("person")
    await doors.lock(*(home.person.account_id for home in there))
    ids = [home.id for home in there]
    await Occupancy.filter(id__in=ids).order_by("id").select_for_update()
    found = Occupancy.filter(live, id__in=ids).select_related("person", "house")
    return await found.order_by("id")


async def _before(house: House) -> HandOver | None:
    """The last hand-over, if nobody has ended there since.

    Raises:
        NobodyThere: there is none, and nobody ever lived there.
    """
    last = await HandOver.filter(house_id=house.id).order_by("-at", "-id").first()
    ended = await Occupancy.filter(house_id=house.id, ended_at__isnull=False)
    newest = max((home.ended_at for home in ended if home.ended_at), default=None)
    if last is None and newest is None:
        raise NobodyThere
    return last if last and (newest is None or newest <= last.at) else None


async def _end(there: Sequence[Occupancy], now: datetime) -> None:
    changes = {"ended_at": now, "end_reason": REASON, "slot": None}
    ids = [home.id for home in there]
    await Occupancy.filter(id__in=ids).update(**changes, version=F("version") + 1)
    for home in there:
        home.update_from_dict({**changes, "version": home.version + 1})


async def _record(
    context: Context,
    actor: Actor | str,
    house: House,
    ended: Sequence[Occupancy],
    notes: Notes,
) -> HandOver:
    id_ = new_id()
    text = json.dumps(asdict(notes), ensure_ascii=False).encode()
    return await HandOver.create(
        id=id_,
        house_id=house.id,
        building_id=house.building_id,  # type: ignore[attr-defined]
        at=context.clock(),
        occupancy_ids=[str(home.id) for home in ended],
        notes_sealed=context.keyring.seal(text, f"hand-over/{id_}"),
        created_by=actor.account_id if isinstance(actor, Actor) else None,
        **place(house.site),
    )
