"""R1-R12 on the platform's side: what is sent, when, once, and what is believed of it."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from tortoise.context import TortoiseContext

from device_registry.access import grants
from device_registry.devices import commands, results
from device_registry.devices.admission import BadOpening, DoorNotFound, Opening, TooManyOpens
from device_registry.devices.commands import RequestKeyReused
from device_registry.devices.models import Device, DeviceSession, OpenCommand, Status
from device_registry.devices.states import CommandState
from foundation import audit
from foundation.ids import new_id, new_ulid
from foundation.models import AuditEvent
from foundation.wire.command import Code
from foundation.wire.keys import DeviceKeys
from tests.device_registry.stations import (
    COMMUNITY,
    Air,
    Station,
    in_a_transaction,
    new_air,
    session,
)
from tests.support.statements import statements
from tests.support.until import until

HOUSE = new_id()


async def resident(*stations: Station, **fields: Any) -> Any:
    """A person who may open these, and the wish to open the first."""
    person = new_id()
    await grants.set_remote(person, HOUSE, [station.place for station in stations], **fields)
    return person


def wish(station: Station, person: Any, **fields: Any) -> Opening:
    facts = {"device_id": station.id, "by_id": person, "house_id": HOUSE}
    return Opening(**facts | fields)


def admin_wish(station: Station, **fields: Any) -> Opening:
    facts = {"house_id": None, "staff_of": [COMMUNITY]}
    return wish(station, new_id(), **facts | fields)


async def the_command() -> OpenCommand:
    return await OpenCommand.get()


# --- the way it should go ---------------------------------------------------------------


async def test_a_resident_opens_a_door(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    person = await resident(station)
    outcome = await commands.open(
        air.context, wish(station, person, address="192.0.2.9", app="phone 1.2", session="s1")
    )
    assert (outcome.state, outcome.code, outcome.pulsed_ms) == (CommandState.EXECUTED, "ok", 5000)
    assert station.pulses == [outcome.id]
    assert outcome == await commands.outcome(outcome.id)
    [command] = station.commands
    assert (command.by.t, command.by.ref, command.by.house) == ("resident", str(person), str(HOUSE))
    assert command.ctr == 1
    assert command.hold == air.context.settings.devices.hold
    settled, sent = await AuditEvent.all().order_by("-seq").limit(2)
    assert (sent.actor, sent.action) == (f"account/{person}", "door.open")
    assert sent.facts["address"] == "192.0.2.9"
    assert sent.facts["session"] == "s1"
    assert (settled.actor, settled.action) == (f"device/{station.mac}", "door.open.settle")
    assert settled.facts["state"] == "executed"
    assert await audit.broken_at() is None


async def test_the_deadline_is_in_the_stations_own_uptime_and_never_late(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    air.context.clock.move(seconds=10)  # type: ignore[attr-defined]
    station.booted -= 10
    before = station.up_ms
    await commands.open(air.context, admin_wish(station))
    deadline = 400
    assert before < station.commands[0].exp_up <= station.up_ms + deadline
    air.context.clock.move(days=-1)  # type: ignore[attr-defined]
    await commands.open(air.context, admin_wish(station))
    assert station.commands[1].exp_up <= before + deadline


async def test_nothing_is_sent_before_it_is_committed(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    inside: list[bool] = []
    air.before_send = lambda: inside.append(in_a_transaction())
    await commands.open(air.context, admin_wish(station))
    assert inside == [False]
    row = await the_command()
    assert (row.ctr, row.sess) == (1, station.sess)


async def test_an_opening_costs_few_statements_however_many_stations(
    rows: TortoiseContext, request: pytest.FixtureRequest
) -> None:
    air = new_air()
    stations = [await air.connected(number) for number in range(1, 6)]
    person = await resident(*stations)
    postgres = "postgres" in request.node.name
    station = stations[0]
    counts = []
    for _ in range(2):
        with statements() as sql:
            await commands.open(air.context, wish(station, person))
        counts.append(len(sql))
    # device, grants, limits, counter, command, audit 2; who answers, command, settle,
    # audit 2; the outcome. On PostgreSQL also locks: openings, audit, audit.
    assert counts[0] == counts[1], counts
    assert counts[0] <= (16 if postgres else 13), sql


# --- once, whatever happens -------------------------------------------------------------


async def test_the_same_request_twice_is_one_pulse(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    person = await resident(station)
    both = await asyncio.gather(
        *(commands.open(air.context, wish(station, person, request_key="k")) for _ in range(5))
    )
    assert len({outcome.id for outcome in both}) == 1
    assert {outcome.state for outcome in both} == {CommandState.EXECUTED}
    assert len(station.pulses) == 1
    later = await commands.open(air.context, wish(station, person, request_key="k"))
    assert later == both[0]
    assert len(station.pulses) == 1
    assert await OpenCommand.all().count() == 1


async def test_a_repeat_waits_for_the_one_in_flight(rows: TortoiseContext) -> None:
    air = new_air(open_deadline=timedelta(seconds=5))
    station = await air.connected()
    station.answers = False
    person = await resident(station)
    first = asyncio.create_task(commands.open(air.context, wish(station, person, request_key="k")))
    await until(lambda: station.commands)
    again = asyncio.create_task(commands.open(air.context, wish(station, person, request_key="k")))
    await asyncio.sleep(0)
    await station.say("res", station.result(station.commands[0].id))
    assert await first == await again
    assert len(station.commands) == 1


async def test_a_key_is_for_one_opening_and_one_person(rows: TortoiseContext) -> None:
    air = new_air()
    one, two = await air.connected(1), await air.connected(2)
    person, other = await resident(one, two), await resident(one, two)
    first = await commands.open(air.context, wish(one, person, request_key="k"))
    for wrong in (
        wish(two, person, request_key="k"),
        wish(one, person, request_key="k", door=2),
        wish(one, person, request_key="k", reason="another"),
    ):
        with pytest.raises(RequestKeyReused):
            await commands.open(air.context, wrong)
    second = await commands.open(air.context, wish(one, other, request_key="k"))
    assert second.id != first.id


async def test_a_repeat_after_the_right_is_gone_still_tells_the_outcome(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    person = await resident(station)
    first = await commands.open(air.context, wish(station, person, request_key="k"))
    await grants.set_remote(person, HOUSE, ())
    assert await commands.open(air.context, wish(station, person, request_key="k")) == first


async def test_two_residents_at_once(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    people = [await resident(station) for _ in range(2)]
    both = await asyncio.gather(
        *(commands.open(air.context, wish(station, person)) for person in people)
    )
    assert [outcome.state for outcome in both] == [CommandState.EXECUTED] * 2
    # The station takes a counter only if it is higher than the last: it asserts so.
    assert [command.ctr for command in station.commands] == [1, 2]


async def test_many_at_once_leave_in_the_order_of_their_counters(rows: TortoiseContext) -> None:
    air = new_air(opens_per_door=100, open_deadline=timedelta(seconds=10))
    station = await air.connected()
    outcomes = await asyncio.gather(
        *(commands.open(air.context, admin_wish(station)) for _ in range(15))
    )
    assert {outcome.state for outcome in outcomes} == {CommandState.EXECUTED}
    assert [command.ctr for command in station.commands] == list(range(1, 16))


# --- what the station says, and does not -------------------------------------------------


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
async def test_a_station_refuses(rows: TortoiseContext, code: Code) -> None:
    air = new_air()
    station = await air.connected()
    station.code = code
    outcome = await commands.open(air.context, admin_wish(station))
    assert (outcome.state, outcome.code) == (CommandState.REFUSED, code.value)


async def test_silence_is_unknown_and_a_late_result_settles_it(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    station.answers = False
    outcome = await commands.open(air.context, admin_wish(station))
    assert outcome.state is CommandState.UNKNOWN
    await station.say("res", station.result(outcome.id))
    settled = await commands.outcome(outcome.id)
    assert settled is not None
    assert settled.state is CommandState.EXECUTED
    # Repeats, and other answers, change nothing any more.
    await station.say("res", station.result(outcome.id, code=Code.BUSY))
    assert await commands.outcome(outcome.id) == settled
    assert await AuditEvent.filter(action="door.open.settle").count() == 2


@pytest.mark.parametrize("forgery", ["key", "other station", "session", "id", "junk", "nul"])
async def test_a_result_is_believed_from_its_own_station_only(
    rows: TortoiseContext, forgery: str
) -> None:
    air = new_air()
    station, other = await air.connected(1), await air.connected(2)
    station.answers = False
    opening = asyncio.create_task(commands.open(air.context, admin_wish(station)))
    await until(lambda: station.commands)
    id_ = station.commands[0].id
    speaker = other if forgery == "other station" else station
    right = station.keys
    match forgery:
        case "key":
            station.keys = DeviceKeys.of(b"x" * 32)
            payload = station.result(id_)
        case "other station":
            payload = other.result(id_, sess=station.sess)
        case "session":
            payload = station.result(id_, sess="0" * 32)
        case "id":
            payload = station.result(new_ulid())
        case "nul":
            payload = station.result(id_).replace(b'"door"', b'"x":"\\u0000","door"')
        case _:
            payload = b"{"
    station.keys = right
    await speaker.say("res", payload)
    assert (await the_command()).state is CommandState.SENT
    assert (await opening).state is CommandState.UNKNOWN


async def test_a_station_that_is_not_there_gets_nothing_then_or_later(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.station()
    assert (await commands.open(air.context, admin_wish(station))).state is CommandState.OFFLINE
    await station.begin()  # connected, but no hello yet: no session that a command could name
    assert (await commands.open(air.context, admin_wish(station))).state is CommandState.OFFLINE
    await station.say("hello", station.hello())
    assert station.commands == []
    await station.drop()
    outcome = await commands.open(air.context, admin_wish(station))
    assert outcome.state is CommandState.OFFLINE
    assert outcome.settled_at is not None
    await station.connect()
    assert station.commands == []


async def test_the_link_has_the_last_word_on_who_is_there(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    del air.live[station.mac]  # gone, and the rows do not know it yet
    outcome = await commands.open(air.context, admin_wish(station))
    assert outcome.state is CommandState.OFFLINE
    assert (await AuditEvent.all().order_by("-seq").first()).facts["state"] == "offline"  # type: ignore[union-attr]


async def test_a_new_session_counts_anew_and_an_old_command_cannot_name_it(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    await commands.open(air.context, admin_wish(station))
    old = station.sess
    await station.drop()
    await station.connect()
    await commands.open(air.context, admin_wish(station))
    first, second = station.commands
    assert (first.sess, second.sess) == (old, station.sess)
    assert (first.ctr, second.ctr) == (1, 1)
    await station.say("hello", station.hello())  # the same hello again is the same session
    await commands.open(air.context, admin_wish(station))
    assert station.commands[2].ctr == 2


async def test_a_secret_that_is_over_opens_nothing(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    await DeviceSession.filter(mac=station.mac).update(secret_ver=9)
    outcome = await commands.open(air.context, admin_wish(station))
    assert (outcome.state, outcome.code) == (CommandState.OFFLINE, "no_key")
    assert station.commands == []


async def test_what_a_dead_process_sent_becomes_unknown(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    station.answers = False
    opening = asyncio.create_task(commands.open(air.context, admin_wish(station)))
    await until(lambda: station.commands)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    assert await results.overdue(air.context) == 0
    air.context.clock.move(seconds=2)  # type: ignore[attr-defined]
    with air.context.wake.listen(f"command/{station.commands[0].id}") as told:
        assert await results.overdue(air.context) == 1
        assert told.is_set()
    assert (await the_command()).state is CommandState.UNKNOWN
    with statements() as sql:
        assert await results.overdue(air.context) == 0
    assert len(sql) == 1


async def test_results_of_many_stations_cost_what_one_costs(rows: TortoiseContext) -> None:
    air = new_air()
    counts = []
    for many in (1, 5):
        stations = [await air.connected(many * 10 + number) for number in range(many)]
        for station in stations:
            station.answers = False
        opening = [asyncio.create_task(commands.open(air.context, admin_wish(s))) for s in stations]
        await until(lambda stations=stations: all(s.commands for s in stations))
        batch = [s.heard(s.result(s.commands[0].id)) for s in stations]
        with statements() as sql:
            await air.say("res", batch)
            counts.append(len(sql))
        assert {o.state for o in await asyncio.gather(*opening)} == {CommandState.EXECUTED}
    assert counts[0] == counts[1], counts


# --- who may ----------------------------------------------------------------------------


async def test_a_stranger_learns_nothing(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    elsewhere = await air.connected(2)
    person = await resident(elsewhere)
    for wrong in (
        wish(station, new_id()),
        wish(station, person),
        wish(station, person, device_id=new_id()),
        admin_wish(station, staff_of=[new_id()]),
        admin_wish(station, staff_of=()),
    ):
        with pytest.raises(DoorNotFound):
            await commands.open(air.context, wrong)
    assert await OpenCommand.all().count() == 0
    assert station.commands == []


async def test_staff_who_live_there_too_open_as_staff_or_for_their_house(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    person = await resident(station)

    async def opened(**fields: object) -> tuple[str, Any, str]:
        outcome = await commands.open(air.context, wish(station, person, **fields))
        row = await OpenCommand.get(id=outcome.id)
        return row.by_kind, row.house_id, row.code

    staff = {"staff_of": [new_id(), COMMUNITY]}
    assert await opened(house_id=None, **staff) == ("admin", None, "ok")
    assert await opened(house_id=None) == ("resident", HOUSE, "ok")
    assert await opened(house_id=HOUSE, **staff) == ("resident", HOUSE, "ok")
    assert await opened(house_id=new_id(), **staff) == ("resident", None, "no_grant")
    assert [command.by.t for command in station.commands] == ["admin", "resident", "resident"]
    stranger = admin_wish(station, house_id=HOUSE)  # in the name of people it has no part in
    assert (await commands.open(air.context, stranger)).code == "no_grant"
    assert len(station.commands) == 3


async def test_an_unbound_station_is_nobodys(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    person = await resident(station)
    await Device.filter(id=station.id).update(status=Status.UNBOUND, mac=None)
    for opening in (wish(station, person), admin_wish(station)):
        with pytest.raises(DoorNotFound):
            await commands.open(air.context, opening)


async def test_a_right_revoked_between_entry_and_sending_opens_nothing(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    person = await resident(station)
    opening = wish(station, person)  # the entry let it pass
    await grants.set_remote(person, HOUSE, ())
    with pytest.raises(DoorNotFound):
        await commands.open(air.context, opening)
    assert station.commands == []


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"valid_to": timedelta(seconds=-1)}, "grant_expired"),
        ({"valid_from": timedelta(minutes=1)}, "grant_not_yet"),
    ],
)
async def test_a_right_out_of_its_time_is_refused_and_written_down(
    rows: TortoiseContext, fields: dict[str, timedelta], code: str
) -> None:
    air = new_air()
    station = await air.connected()
    times = {name: air.now() + shift for name, shift in fields.items()}
    person = await resident(station, **times)
    outcome = await commands.open(air.context, wish(station, person))
    assert (outcome.state, outcome.code) == (CommandState.REFUSED, code)
    assert station.commands == []
    row = await the_command()
    assert (row.state, row.house_id, row.settled_at) == (CommandState.REFUSED, HOUSE, row.at)
    line = await AuditEvent.get(action="door.open")
    assert (line.facts["state"], line.facts["code"]) == ("refused", code)


async def test_a_suspended_person_opens_nothing_new_grants_or_not(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    person = await resident(station)
    await grants.suspend_remote(person, suspended=True)
    await grants.set_remote(person, HOUSE, ())
    await grants.set_remote(person, HOUSE, [station.place])
    outcome = await commands.open(air.context, wish(station, person))
    assert (outcome.state, outcome.code) == (CommandState.REFUSED, "person_suspended")
    await grants.suspend_remote(person, suspended=False)
    assert (await commands.open(air.context, wish(station, person))).state is CommandState.EXECUTED


async def test_nobody_opens_in_the_name_of_a_house_that_is_not_theirs(
    rows: TortoiseContext,
) -> None:
    air = new_air()
    station = await air.connected()
    person = await resident(station)
    outcome = await commands.open(air.context, wish(station, person, house_id=new_id()))
    assert (outcome.state, outcome.code) == (CommandState.REFUSED, "no_grant")
    assert outcome.house_id is None  # those who live there do not see it
    unsaid = await commands.open(air.context, wish(station, person, house_id=None))
    assert (unsaid.state, unsaid.house_id) == (CommandState.EXECUTED, HOUSE)
    admin = await commands.open(air.context, admin_wish(station, house_id=HOUSE))
    assert admin.house_id is None


@pytest.mark.parametrize(
    "status", [Status.AWAITING, Status.CONFIRM, Status.SUSPENDED, Status.QUARANTINED]
)
async def test_only_an_active_station_opens(rows: TortoiseContext, status: Status) -> None:
    air = new_air()
    station = await air.connected()
    await Device.filter(id=station.id).update(status=status)
    outcome = await commands.open(air.context, admin_wish(station))
    assert (outcome.state, outcome.code) == (CommandState.REFUSED, status.value)
    assert station.commands == []


async def test_limits_of_a_person(rows: TortoiseContext) -> None:
    air = new_air(opens_per_person=3)
    one, two = await air.connected(1), await air.connected(2)
    person = await resident(one, two)
    for station in (one, two, one):
        assert (
            await commands.open(air.context, wish(station, person))
        ).state is CommandState.EXECUTED
    for _ in range(3):
        refused = await commands.open(air.context, wish(two, person))
        assert (refused.state, refused.code) == (CommandState.REFUSED, "limit_person")
    with pytest.raises(TooManyOpens) as raised:
        await commands.open(air.context, wish(two, person))
    assert raised.value.facts["retry_after"] == 60
    assert await OpenCommand.all().count() == 6
    other = await resident(one)
    assert (await commands.open(air.context, wish(one, other))).state is CommandState.EXECUTED
    air.context.clock.move(seconds=61)  # type: ignore[attr-defined]
    assert (await commands.open(air.context, wish(one, person))).state is CommandState.EXECUTED


async def test_limits_of_a_door_hold_against_many_at_once(rows: TortoiseContext) -> None:
    air = new_air(opens_per_door=4, open_deadline=timedelta(seconds=10))
    station, other = await air.connected(1), await air.connected(2)
    outcomes = await asyncio.gather(
        *(commands.open(air.context, admin_wish(station)) for _ in range(10))
    )
    states = [(outcome.state, outcome.code) for outcome in outcomes]
    assert states.count((CommandState.EXECUTED, "ok")) == 4
    assert states.count((CommandState.REFUSED, "limit_door")) == 6
    assert len(station.pulses) == 4
    assert (await commands.open(air.context, admin_wish(other))).state is CommandState.EXECUTED


async def test_limits_of_a_person_hold_over_many_doors_at_once(rows: TortoiseContext) -> None:
    air = new_air(opens_per_person=3, open_deadline=timedelta(seconds=10))
    stations = [await air.connected(number) for number in range(6)]
    person = await resident(*stations)
    outcomes = await asyncio.gather(
        *(commands.open(air.context, wish(station, person)) for station in stations)
    )
    assert sum(len(station.pulses) for station in stations) == 3
    assert [outcome.code for outcome in outcomes].count("limit_person") == 3


@pytest.mark.parametrize(
    "fields", [{"reason": "x" * 121}, {"request_key": "k" * 81}, {"reason": "\0"}, {"door": 256}]
)
async def test_what_cannot_be_stored_is_refused_at_once(
    rows: TortoiseContext, fields: dict[str, Any]
) -> None:
    air: Air = new_air()
    station = await air.station()
    with pytest.raises(BadOpening):
        admin_wish(station, **fields)


async def test_watchers_are_woken(rows: TortoiseContext) -> None:
    air = new_air()
    station = await air.connected()
    with air.context.wake.listen("openings") as woken:
        await commands.open(air.context, admin_wish(station))
        assert woken.is_set()
    assert (await session(station)).ctr == 1
