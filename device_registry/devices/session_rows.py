"""The rows behind presence: one a station, following the sessions of the broker.

The broker's words come by two ways that are not ordered against each other: beginnings and
ends of sessions, and what stations say in them. So nothing here depends on that order. Every
word carries the epoch of its session, and for one station

- a higher epoch replaces what was known; a lower one changes nothing;
- within an epoch an end is final: neither its beginning nor a hello brings it back;
- a hello in a session that has not begun yet begins it.

Each statement below is that rule, for any number of stations at once. `ctr`, which numbers
the commands of one `sess`, starts again with another `sess` only.
"""

from collections.abc import Sequence
from typing import Final

from device_registry.link import Heard, SessionChange
from foundation import sql
from foundation.wire.hello import Heartbeat, Hello, Will

REASON: Final = 20
"""Longest reason kept."""

_CHANGED: Final = """
INSERT INTO registry_device_session AS s
    (mac, epoch, online, since, reason, address,
     sess, up_ms, ctr, boot, secret_ver, evt_first, fw)
SELECT v.mac, v.epoch, v.online, v.since, v.reason, v.address, '', 0, 0, 0, 0, 0, ''
FROM {v} WHERE true ORDER BY v.mac
ON CONFLICT (mac) DO UPDATE SET
    epoch = excluded.epoch,
    online = excluded.online AND (s.online OR excluded.epoch > s.epoch),
    since = CASE WHEN excluded.epoch > s.epoch OR (s.online AND NOT excluded.online)
        THEN excluded.since ELSE s.since END,
    reason = CASE WHEN excluded.epoch > s.epoch OR (s.online AND NOT excluded.online)
        THEN excluded.reason ELSE s.reason END,
    address = CASE WHEN excluded.epoch > s.epoch OR excluded.address <> ''
        THEN excluded.address ELSE s.address END,
    sess = CASE WHEN excluded.epoch > s.epoch THEN '' ELSE s.sess END
WHERE excluded.epoch >= s.epoch
"""
_CHANGED_COLUMNS: Final = {
    "mac": "text",
    "epoch": "bigint",
    "online": "boolean",
    "since": "timestamptz",
    "reason": "text",
    "address": "text",
}

_HELLO: Final = """
INSERT INTO registry_device_session AS s
    (mac, epoch, online, since, reason, address,
     sess, up_ms, heard_at, hello_up_ms, hello_at,
     ctr, boot, secret_ver, evt_first, fw, hello)
SELECT v.mac, v.epoch, true, v.at, '', '', v.sess, v.up_ms, v.at, v.up_ms, v.at,
    0, v.boot, v.secret_ver, v.evt_first, v.fw, v.hello
FROM {v} WHERE true ORDER BY v.mac
ON CONFLICT (mac) DO UPDATE SET
    epoch = excluded.epoch,
    online = true,
    since = CASE WHEN excluded.epoch > s.epoch THEN excluded.since ELSE s.since END,
    reason = '',
    address = CASE WHEN excluded.epoch > s.epoch THEN '' ELSE s.address END,
    ctr = CASE WHEN excluded.sess = s.sess THEN s.ctr ELSE 0 END,
    up_ms = CASE WHEN excluded.sess = s.sess AND s.up_ms > excluded.up_ms
        THEN s.up_ms ELSE excluded.up_ms END,
    heard_at = CASE WHEN excluded.sess = s.sess AND s.up_ms > excluded.up_ms
        THEN s.heard_at ELSE excluded.heard_at END,
    hello_up_ms = excluded.hello_up_ms,
    hello_at = excluded.hello_at,
    sess = excluded.sess,
    boot = excluded.boot,
    secret_ver = excluded.secret_ver,
    evt_first = excluded.evt_first,
    fw = excluded.fw,
    hello = excluded.hello
WHERE excluded.epoch > s.epoch OR (excluded.epoch = s.epoch AND s.online)
"""
_HELLO_COLUMNS: Final = {
    "mac": "text",
    "epoch": "bigint",
    "at": "timestamptz",
    "sess": "text",
    "up_ms": "bigint",
    "boot": "bigint",
    "secret_ver": "int",
    "evt_first": "bigint",
    "fw": "text",
    "hello": "jsonb",
}

_HEARTBEAT: Final = """
UPDATE registry_device_session AS s
SET up_ms = v.up_ms, heard_at = v.at, heartbeat = v.heartbeat
FROM {v}
WHERE s.mac = v.mac AND s.epoch = v.epoch AND s.sess = v.sess AND s.online
    AND v.up_ms >= s.up_ms
"""
_HEARTBEAT_COLUMNS: Final = {
    "mac": "text",
    "epoch": "bigint",
    "sess": "text",
    "up_ms": "bigint",
    "at": "timestamptz",
    "heartbeat": "jsonb",
}

_WILL: Final = """
UPDATE registry_device_session AS s SET online = false, since = v.at, reason = 'will'
FROM {v}
WHERE s.mac = v.mac AND s.epoch = v.epoch AND s.sess = v.sess AND s.online
"""
_WILL_COLUMNS: Final = {"mac": "text", "epoch": "bigint", "sess": "text", "at": "timestamptz"}


async def begin_or_end(changes: Sequence[SessionChange]) -> None:
    """Sessions began or ended: at most one change a station. One statement."""
    await sql.over(
        _CHANGED,
        _CHANGED_COLUMNS,
        [
            {
                "mac": change.mac,
                "epoch": change.epoch,
                "online": change.up,
                "since": change.at,
                "reason": "" if change.up else change.reason[:REASON],
                "address": change.address,
            }
            for change in changes
        ],
    )


async def say_hello(hellos: Sequence[tuple[Heard, Hello]]) -> None:
    """Stations said who they are: at most one hello a station. One statement."""
    await sql.over(
        _HELLO,
        _HELLO_COLUMNS,
        [
            {
                "mac": message.mac,
                "epoch": message.epoch,
                "at": message.at,
                "sess": hello.sess,
                "up_ms": hello.up_ms,
                "boot": hello.boot,
                "secret_ver": hello.secret_ver,
                "evt_first": hello.evt[0],
                "fw": hello.fw,
                "hello": hello.model_dump(mode="json", exclude={"mac"}),
            }
            for message, hello in hellos
        ],
    )


async def beat(heartbeats: Sequence[tuple[Heard, Heartbeat]]) -> None:
    """Stations are well: at most one heartbeat a station. One statement."""
    await sql.over(
        _HEARTBEAT,
        _HEARTBEAT_COLUMNS,
        [
            {
                "mac": message.mac,
                "epoch": message.epoch,
                "sess": heartbeat.sess,
                "up_ms": heartbeat.up_ms,
                "at": message.at,
                "heartbeat": heartbeat.model_dump(mode="json", exclude_none=True),
            }
            for message, heartbeat in heartbeats
        ],
    )


async def leave(wills: Sequence[tuple[Heard, Will]]) -> None:
    """Stations are gone, say their wills. One statement."""
    await sql.over(
        _WILL,
        _WILL_COLUMNS,
        [
            {"mac": message.mac, "epoch": message.epoch, "sess": will.sess, "at": message.at}
            for message, will in wills
        ],
    )
