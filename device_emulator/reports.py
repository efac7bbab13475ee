"""What a station says of itself: hello after every connect, a heartbeat every half minute."""

from device_emulator.board import Board
from device_emulator.doors import Doors
from device_emulator.journal import Journal
from device_emulator.registrar import Registrar
from device_emulator.uplink import Uplink
from foundation.wire.hello import Heartbeat, Hello


def hello(board: Board, registrar: Registrar, uplink: Uplink, journal: Journal) -> Hello:
    """Who is here, in this session."""
    return Hello(
        boot=board.boot,
        sess=uplink.sess,
        up_ms=board.uptime,
        fw=board.config.fw,
        hw=board.config.hw,
        schema_=1,
        evt=(journal.first, journal.last),
        secret_ver=registrar.secret_ver,
    )


def heartbeat(
    board: Board, doors: Doors, registrar: Registrar, uplink: Uplink, journal: Journal
) -> Heartbeat:
    """How we are; the measurements are made up."""
    made = Heartbeat(
        sess=uplink.sess,
        up_ms=board.uptime,
        door=tuple("open" if door.open else "closed" for door in doors),
        rssi=board.rng.randint(-70, -45),
        mem=64 * 1024 * 1024 - 512 * len(journal),
        tmp=round(board.rng.uniform(28, 42), 1),
    )
    return made if registrar.keys is None else made.proven(registrar.keys.up, board.mac)
