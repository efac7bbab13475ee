"""The screen as lines of text: a pure function of what the station is about."""

from collections.abc import Callable
from typing import Final

from device_emulator.credentials import Mode
from device_emulator.keypad import Face
from device_emulator.panel import TIMER
from device_emulator.registrar import Registrar
from device_emulator.states import State
from device_emulator.texts import text
from device_emulator.uplink import Uplink
from foundation.wire import enroll


def lines(face: Face, registrar: Registrar, uplink: Uplink, pk: str) -> list[str]:
    """What stands on the screen, from top to bottom."""
    language = face.board.config.language
    shown = [text(language, name, *facts) for name, *facts in _BODY[face.panel.state](face)]
    if face.panel.state is State.UNREG:
        shown += _unregistered(language, face, registrar, pk)
    if face.panel.state is State.REG_OK and registrar.registration is not None:
        known = registrar.registration
        shown.append(" · ".join(part for part in (known.community, known.name) if part))
    if face.panel.note:
        shown.append(text(language, face.panel.note))
    if face.modes.mode is not Mode.NORMAL:
        shown.insert(0, text(language, face.modes.mode.value))
    if registrar.registration is not None and not uplink.online:
        name = "suspended" if registrar.status == "suspended" else "offline"
        shown.append(text(language, name))
    return shown


def qr(mac: str, user_code: str, pk: str) -> str:
    """What the QR code beside the 校验码 says."""
    return f"linli:mac={mac};code={user_code};pk={enroll.fingerprint(pk)}"


def mac_label(mac: str) -> str:
    """The MAC as it is printed on the label."""
    return ":".join(mac[at : at + 2] for at in range(0, 12, 2)).upper()


def _unregistered(language: str, face: Face, registrar: Registrar, pk: str) -> list[str]:
    shown = [f"MAC {mac_label(face.board.mac)}", text(language, "unregistered")]
    match registrar.status:
        case "mac_conflict":
            shown.append(text(language, "conflict"))
        case "mistrusted":
            shown.append(text(language, "mistrusted"))
        case "confirm" if registrar.number:
            shown.append(text(language, "number", registrar.number))
        case "unregistered" if registrar.user_code:
            shown.append(text(language, "user_code", registrar.user_code))
            shown.append(qr(face.board.mac, registrar.user_code, pk))
        case _:
            shown.append(text(language, "no_platform"))
    return shown


def _countdown(face: Face) -> str:
    seconds = -(-face.board.remaining(TIMER) // 1000)
    return f"{seconds // 60:02d}:{seconds % 60:02d}"


def _dots(face: Face) -> str:
    return "●" * len(face.panel.typed)


def _settings(face: Face) -> list[tuple[str, object]]:
    item = face.menu.item
    if not item:
        return [("settings", "")]
    return [(item, face.panel.typed or face.menu.values.get(item, ""))]


_BODY: Final[dict[State, Callable[[Face], list[tuple[str, object]]]]] = {
    State.BOOT: lambda _: [("boot", "")],
    State.UNREG: lambda _: [],
    State.REG_OK: lambda _: [("registered", "")],
    State.CONNECTING: lambda _: [("connecting", "")],
    State.IDLE: lambda _: [("home", "")],
    State.ADS: lambda _: [("ads", "")],
    State.DIAL: lambda face: [("room", face.panel.typed)],
    State.PIN: lambda face: [("pin", _dots(face))],
    State.ACCESS: lambda _: [("checking", "")],
    State.DOOR_OPEN: lambda _: [("open", "")],
    State.LOCKOUT: lambda face: [("locked", _countdown(face))],
    State.ADMIN_PW: lambda face: [("admin", _dots(face))],
    State.SETTINGS: _settings,
    State.MSG: lambda face: [(face.panel.message, "")],
}
