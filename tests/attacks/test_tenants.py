"""One station against everybody else: hostile topics, filters, wills and client ids."""

import pytest

from tests.attacks.ours import OurTarget
from tests.attacks.raw import Will, Wire, comes_true, publish, wires

ME, OTHER = "02000000000c", "02000000000a"

TOPICS: tuple[str | bytes, ...] = (
    f"v1/{OTHER}/up/s/evt",
    f"v1/{OTHER}/up/s/lwt",
    f"v1/{OTHER}/dn/c/cmd",
    f"v1/{OTHER}/dn/s/acl",
    f"v1/{ME}/dn/c/cmd",
    f"v1/{ME}/dn/s/evtack",
    f"v1/{ME}/up/c/cmd",
    f"v1/{ME}/up/evt",
    f"v1/{ME}/up/s",
    f"v1/{ME}/up/s/",
    f"v1/{ME}/up/s/evt/",
    f"v1/{ME}/up/s//evt",
    f"v1//{ME}/up/s/evt",
    f"/v1/{ME}/up/s/evt",
    f"v1/{ME.upper()}/up/s/evt",
    f"V1/{ME}/up/s/evt",
    f"v2/{ME}/up/s/evt",
    f"v1/{ME}/../{OTHER}/up/s/evt",
    f"v1/{ME}/up/s/../../../{OTHER}/up/s/evt",
    f"v1/{ME}/up/s/+",
    "v1/+/up/s/evt",
    "v1/#",
    "#",
    "+",
    "$SYS/broker/uptime",
    f"$share/g/v1/{OTHER}/dn/c/cmd",
    f"$queue/v1/{OTHER}/dn/c/cmd",
    f"link/{OTHER}/cmd",
    "link/x",
    "site/x",
    f"v1/{ME}/up/s/evt\0",
    f"v1/{ME}\u200b/up/s/evt",
    f"v1/{ME}/up/s/\ufeffevt",
    f"v1/{ME}/up/s/évt",
    "v1/０２０００００００００c/up/s/evt",
    f"v1/{ME}/up/s/evt%2f",
    f"v1/{ME}/up/s/EVT",
    f" v1/{ME}/up/s/evt",
    f"v1/{ME}/up/s/evt ",
    f"v1/{ME}/up/s/evt\r\nv1/{OTHER}/up/s/evt",
    f"v1/{ME}/up/s/" + "x" * 33,
    f"v1/{ME}/up/s/" + "x" * 60_000,
    f"v1.{OTHER}.up.s.evt",
    f"v1/{ME}*/up/s/evt",
    b"v1/\xff\xfe/up/s/evt",
    b"v1/02000000000c/up/s/\xed\xa0\x80",
    "",
)

FILTERS: tuple[str | bytes, ...] = (
    *(topic for topic in TOPICS if topic),
    f"v1/{OTHER}/dn/#",
    f"v1/{OTHER}/dn/c/#",
    f"v1/{OTHER}/#",
    f"v1/{ME}/#",
    f"v1/{ME}/dn/#",
    f"v1/{ME}/dn/c/+",
    f"v1/{ME}/dn/+/cmd",
    f"v1/{ME}/up/#",
    "v1/+/dn/c/#",
    "+/+/dn/c/#",
    "+/#",
    "/#",
    f"$share/g/v1/{ME}/dn/c/#",
    "$SYS/#",
    "link/#",
    f"v1/{ME}/dn/c/#/x",
    f"v1/{ME}/dn/c#",
    "v1/##",
)

IDS: tuple[str | bytes, ...] = (
    OTHER,
    OTHER.upper(),
    "02:00:00:00:00:0a",
    "02-00-00-00-00-0c",
    f"{OTHER}\0",
    f"{OTHER} ",
    f"\u200b{OTHER}",
    f"{ME}/{OTHER}",
    f"{ME}#",
    f"+{ME[1:]}",
    "",
    "console",
    "x" * 500,
    b"\xff\xfe",
)


async def others(ours: OurTarget, dial: object) -> tuple[Wire, Wire, Wire]:
    """Two honest stations, and a service account that may hear every station."""
    assert callable(dial)
    victim = await ours.victim.online(await dial())
    neighbour = await ours.neighbour.online(await dial())
    console = await dial()
    assert await console.login("watching", "console", "right") == 0
    assert await console.join(("v1/#", 1), ("site/#", 1)) == [1, 1]
    return victim, neighbour, console


async def untouched(ours: OurTarget, wires_: tuple[Wire, Wire, Wire]) -> None:
    """Nobody has heard or lost anything."""
    for wire in wires_:
        assert await wire.alive()
        assert wire.heard == []
    assert not ours.ingested(ours.victim)
    assert not ours.ingested(ours.neighbour)
    assert not ours.ingested(ours.thief)


async def test_no_hostile_topic_is_accepted(ours: OurTarget) -> None:
    assert len(TOPICS) >= 40
    async with wires(ours.port) as dial:
        honest = await others(ours, dial)
        for n, topic in enumerate(TOPICS):
            for qos in (0, 1):
                thief = await dial()
                assert await ours.thief.login(thief) == 0
                await thief.send(publish(topic, b"x", qos=qos, retain=n % 3 == 0))
                assert await comes_true(lambda w=thief: w.closed, 5.0), topic  # type: ignore[misc]
                assert thief.packets == [], topic
        await untouched(ours, honest)


async def test_no_hostile_filter_is_granted(ours: OurTarget) -> None:
    async with wires(ours.port) as dial:
        honest = await others(ours, dial)
        thief = await dial()
        assert await ours.thief.login(thief) == 0
        for name in FILTERS:
            if thief.closed:
                thief = await dial()
                assert await ours.thief.login(thief) == 0
            assert await thief.join((name, 1)) in ([0x80], None), name
        if thief.closed:
            thief = await dial()
            assert await ours.thief.login(thief) == 0
        await ours.command(ours.victim, b"for the victim")
        await ours.command(ours.thief, b"not subscribed to")
        assert await comes_true(lambda: len(honest[0].heard) == 1)
        honest[0].heard.clear()
        assert await thief.alive()
        assert thief.heard == []
        await untouched(ours, honest)


@pytest.mark.parametrize("retain", [False, True])
async def test_no_hostile_will_is_accepted(ours: OurTarget, retain: bool) -> None:
    async with wires(ours.port) as dial:
        honest = await others(ours, dial)
        # Its own, but retained, or not the one a will may have.
        more = [f"v1/{ME}/up/s/evt", *([f"v1/{ME}/up/s/lwt"] if retain else [])]
        for topic in (*TOPICS, *more):
            if isinstance(topic, bytes) or len(topic) > 1000:
                continue
            thief = await dial()
            assert await ours.thief.login(thief, will=Will(topic, b"x", 1, retain)) != 0, topic
            thief.reset()
        await untouched(ours, honest)


async def test_no_other_name_is_accepted(ours: OurTarget) -> None:
    """A station's password is bound to its MAC and its code."""
    async with wires(ours.port) as dial:
        honest = await others(ours, dial)
        thief = ours.thief
        for name in IDS:
            wire = await dial()
            assert await wire.login(name, thief.username, thief.password()) != 0, name
        for username in (ours.victim.username, "console", "integration", "", "platform"):
            wire = await dial()
            assert await wire.login(thief.mac, username, thief.password()) != 0, username
        for account in ("console", "integration"):
            wire = await dial()
            assert await wire.login(ours.victim.mac, account, "right") != 0
        await untouched(ours, honest)


async def test_only_the_platform_speaks_to_stations(ours: OurTarget) -> None:
    """An integration whose scope is everything still opens no door, and speaks for no station."""
    async with wires(ours.port) as dial:
        honest = await others(ours, dial)
        for topic in (*(t for t in TOPICS if t != "site/x"), f"v1/{ME}/up/s/evt"):
            for retain in (False, True):
                wire = await dial()
                assert await wire.login("i", "integration", "right") == 0
                await wire.send(publish(topic, b"open!", qos=1, retain=retain))
                # Names without a first level of ours are nobody's: free to use, heard by nobody.
                free = isinstance(topic, str) and not topic.startswith(("v1/", "link/", "$"))
                if not free or not topic or set(topic) & set("+#"):
                    assert await comes_true(lambda w=wire: w.closed, 5.0), topic  # type: ignore[misc]
                wire.reset()
        for topic in (f"v1/{OTHER}/dn/c/cmd", "link/x", "$SYS/x"):
            wire = await dial()
            assert await wire.login("i", "integration", "right", will=Will(topic, b"x")) != 0
        await untouched(ours, honest)
