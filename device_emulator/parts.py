"""A station put together: the parts, and which knows which."""

import random

from device_emulator.access import AccessList
from device_emulator.board import Board
from device_emulator.commands import Commands
from device_emulator.config import Config
from device_emulator.doors import Doors
from device_emulator.identity import Identity
from device_emulator.journal import Journal
from device_emulator.keypad import Face
from device_emulator.lockout import lockouts
from device_emulator.memory import Cells, Memory
from device_emulator.menu import Menu
from device_emulator.modes import Modes
from device_emulator.panel import Panel
from device_emulator.registrar import Registrar
from device_emulator.uplink import Uplink
from foundation.ids import Mac
from foundation.wire.enroll import MqttAddress


class Parts:
    """What a station is made of."""

    def __init__(
        self,
        mac: Mac,
        cells: Cells | None = None,
        *,
        now: int,
        unix_ms: int,
        config: Config | None = None,
        rng: random.Random | None = None,
        broker: MqttAddress | None = None,
    ) -> None:
        """Power up at `now` with what the flash holds; empty: the box leaves the factory.

        `unix_ms` is what its battery-backed clock shows; `rng` is for jitter, not for
        secrets; `broker` is where the broker is, if not where the registration says.
        """
        memory = Memory(cells)
        config = config or Config()
        rng = rng or random.Random()
        self.board = board = Board(mac, config, memory, now=now, unix_ms=unix_ms, rng=rng)
        self.identity = Identity.of(memory)
        self.journal = Journal(board)
        self.doors = Doors(board, self.journal)
        self.modes = Modes(board, self.doors, self.journal)
        self.registrar = Registrar(board, self.journal, self.identity)
        self.uplink = Uplink(board, broker)
        self.commands = Commands(
            *(board, self.doors, self.modes, self.journal),
            keys=lambda: self.registrar.keys,
            send=self.uplink.send,
        )
        self.panel = Panel(board)
        self.access = AccessList(board, self.identity.secret("pin"))
        secret = self.identity.secret("admin")
        self.menu = Menu(board, self.modes, self.journal, self.uplink, secret)
        self.pins, self.admins = lockouts(board)
        self.face = Face(
            *(board, self.panel, self.journal, self.doors, self.modes, self.access, self.menu),
            pins=self.pins,
            admins=self.admins,
        )
        self.tampered = False
