"""What a station tells about itself when asked from outside: the body of `/state`."""

from typing import Any

from device_emulator import face
from device_emulator.station import Station


def describe(station: Station) -> dict[str, Any]:
    """The station's state as JSON values. No PIN, no password, no secret."""
    board, registrar, journal = station.board, station.registrar, station.journal
    registration = registrar.registration
    return {
        "mac": board.mac,
        "state": station.panel.state.value,
        "mode": station.modes.mode.value,
        "screen": face.lines(station.face, registrar, station.uplink, station.identity.pk),
        "registered": station.panel.registered,
        "registration": registrar.status,
        "user_code": registrar.user_code,
        "number": registrar.number,
        "device_id": registration.device_id if registration else None,
        "name": registration.name if registration else None,
        "community": registration.community if registration else None,
        "secret_ver": registrar.secret_ver,
        "online": station.uplink.online,
        "sess": station.uplink.sess,
        "boot": board.boot,
        "up_ms": board.uptime,
        "clock_ms": board.unix_ms,
        "clock_set": board.clock_set,
        "doors": {
            str(number): {"open": door.open, "relay": door.energised is not None}
            for number, door in station.doors.doors.items()
        },
        "tampered": station.tampered,
        "credentials": len(station.access),
        "settings": dict(station.menu.values),
        "journal": {
            "first": journal.first,
            "last": journal.last,
            "seq": journal.seq,
            "acked": journal.acked,
            "held": len(journal),
        },
        "heartbeats": station.uplink.heartbeats,
        "counts": dict(board.counts),
    }
