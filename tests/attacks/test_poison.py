"""What a stolen station can say to break what hears it: nothing of it may raise, or be stored."""

import contextlib
import json

import pytest
from pydantic import ValidationError
from tortoise.context import TortoiseContext

from device_registry.devices.models import Device, DeviceSession, Status
from device_registry.journal.models import DeviceEvent
from foundation.wire.base import canonical, signature
from tests.device_registry.boxes import Box, registered
from tests.device_registry.stations import Air, Station, new_air

TEXTS = (
    r"\u0000",
    r"\u00\u000000",
    r"\u\u00000000",
    r"\\u0000",
    r"\ud800",
    r"\udc00\ud800",
    r"\uFFFF",
    "\x7f",
)
NUMBERS = (
    "NaN",
    "Infinity",
    "-Infinity",
    "1e400",
    "-1",
    "1e999999",
    "9" * 400,
    "9007199254740993",
    "9" * 5000,
    "true",
    "null",
    '"1"',
    "[]",
    "{}",
    "1.5",
    "-0",
    "1e2",
)


def told(raw: str) -> list[bytes]:
    """`raw` with each poison in the place of `@` (a text) and `#` (a number)."""
    texts = [raw.replace("@", text).replace("#", "1") for text in TEXTS]
    numbers = [raw.replace("@", "x").replace("#", number) for number in NUMBERS]
    return [text.encode(errors="surrogatepass") for text in texts + numbers]


def signed(station: Station, name: str, payload: bytes) -> bytes:
    """Signed by the thief, who has the keys; what no parser can read stays as it is."""
    try:
        body = json.loads(payload)
    except ValueError:
        return payload
    body["mac"] = signature(station.keys.up, station.mac, name, body)
    return canonical(body)


@pytest.fixture
async def air(rows: TortoiseContext) -> Air:
    return new_air()


async def test_heartbeats(air: Air) -> None:
    thief = await air.connected()
    shapes = (
        '{"sess":"%s","up_ms":#,"ads_playing":"@"}',
        '{"sess":"%s","up_ms":1,"tmp":#,"door":["@"]}',
        '{"sess":"%s","up_ms":1,"mem":#,"acl":[1,1,"@"]}',
        '{"sess":"%s","up_ms":1,"rssi":#}',
        '{"sess":"%s","up_ms":1,"clk_ms":#}',
        '{"sess":"%s","up_ms":1,"acl":[#,#,""]}',
    )
    for shape in shapes:
        for payload in told(shape % thief.sess):
            thief_beat = payload.replace(b'"up_ms":1,', b'"up_ms":%d,' % thief.up_ms)
            await thief.say("hb", thief_beat)
    await DeviceSession.get(mac=thief.mac)


async def test_journal(air: Air) -> None:
    thief = await air.connected()
    n = 0
    event = '{"seq":$,"boot":1,"ts":1,"type":"x"%s}'
    fields = (
        ',"result":"@"',
        ',"reason":"@"',
        ',"kind":"@"',
        ',"cid":"@"',
        ',"value_hash":"@"',
        ',"house":"@"',
        ',"call_id":"@"',
        ',"cmd_id":"@"',
        ',"snap":"@"',
        ',"hold_ms":#',
        ',"duration_ms":#',
        ',"acl":[#,#]',
        ',"lost":[#,#]',
        ',"door":#',
        ',"boot":#',
        ',"ts":#',
        ',"clk":"ok","ts":#',
        ',"type":"@"',
        ',"seq":#',
    )
    for field in fields:
        for payload in told('{"events":[%s],"prev":0}' % (event % field)):
            n += 1
            await thief.say("evt", payload.replace(b"$", str(n).encode()))
    for payload in told('{"events":[%s],"prev":#}' % (event % "")):
        n += 1
        await thief.say("evt", payload.replace(b"$", str(n).encode()))
    for row in await DeviceEvent.all():
        assert "\0" not in repr(row.more)


async def test_results_and_hellos(air: Air) -> None:
    thief = await air.connected()
    shapes = {
        "res": (
            '{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","sess":"%s","code":"ok","door":#,"x":"@"}',
            '{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","sess":"%s","code":"@","door":1,"pulsed_ms":#}',
            '{"id":"@","sess":"%s","code":"ok","door":1,"journal_seq":#}',
        ),
        "hello": (
            '{"boot":#,"sess":"%s","up_ms":1,"fw":"@"}',
            '{"boot":1,"sess":"%s","up_ms":#,"fw":"1","hw":"@"}',
            '{"boot":1,"sess":"%s","up_ms":1,"fw":"1","schema":#,"x":"@"}',
            '{"boot":1,"sess":"%s","up_ms":1,"fw":"1","acl":[#,#,"@",#]}',
            '{"boot":1,"sess":"%s","up_ms":1,"fw":"1","evt":[#,#],"cfg":[#,"@"]}',
            '{"boot":1,"sess":"%s","up_ms":1,"fw":"1","secret_ver":#}',
            '{"boot":1,"sess":"%s","up_ms":1,"fw":"1","cap":{"rows":#,"x":"@"}}',
        ),
        "lwt": ('{"sess":"%s","x":"@","y":#}', '{"sess":"@"}'),
    }
    for name, some in shapes.items():
        for shape in some:
            for payload in told(shape.replace("%s", thief.sess)):
                await thief.say(name, payload)
                await thief.say(name, signed(thief, name, payload))


async def test_deep_nesting(air: Air) -> None:
    """There is a depth that can just be read, and not written again for its signature."""
    thief = await air.connected()
    for depth in range(850, 1000):
        deep = "[" * depth + "]" * depth
        for name, shape in {
            "res": '{"id":"01ARZ3NDEKTSV4RRFFQ69G5FAV","sess":"%s","code":"ok","door":1,"x":%s}',
            "hello": '{"boot":1,"sess":"%s","up_ms":1,"fw":"1","x":%s}',
            "evt": '{"events":[{"seq":1,"y":"\\u0000"}],"sess":"%s","x":%s}',
        }.items():
            await thief.say(name, (shape % (thief.sess, deep)).encode())


@pytest.mark.parametrize("ts", [-1, 2**53, 10**400])
async def test_an_enrolment_of_another_age(air: Air, ts: int) -> None:
    """Of a twin that was started less often: its time is compared with ours."""
    box = Box(air.context)
    device_id = await registered(box)
    await box.secret()
    await DeviceSession.create(mac=box.mac, boot=5, since=air.now())
    box.boot = 4
    with contextlib.suppress(ValidationError):
        assert (await box.call(ts=ts)).status == "registered"
    assert (await Device.get(id=device_id)).status is Status.ACTIVE
