"""The flash of every station of a fleet, in one SQLite file.

Writes of many stations go into one transaction. With `synchronous=NORMAL` a commit survives
the end of the process, however sudden; a power cut of the machine may take the last ones.
"""

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from device_emulator.memory import COUNTERS, Cells, Clear, Drop, Put, Trim, Write
from foundation.errors import DomainError, Kind
from foundation.ids import Mac

VERSION: Final = 1

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS station (
    mac TEXT PRIMARY KEY, place INTEGER NOT NULL UNIQUE
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cell (
    mac TEXT NOT NULL, area TEXT NOT NULL, key NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (mac, area, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS snapshot (
    mac TEXT NOT NULL, area TEXT NOT NULL, key NOT NULL, value TEXT NOT NULL,
    PRIMARY KEY (mac, area, key)
) WITHOUT ROWID;
"""


class StorageUnusable(DomainError):
    """The file cannot be used: taken by another fleet, not ours, or from a newer version."""

    kind, code, title = Kind.UNAVAILABLE, "emulator-storage", "The fleet's storage is unusable"
    title_zh = "设备模拟器的存储文件不可用"


class Storage:
    """See the module. One process holds the file as long as it is open."""

    def __init__(
        self, path: Path | None = None, *, synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
    ) -> None:
        """Open `path`, or a storage in memory.

        Raises:
            StorageUnusable: see there; the message says which.
        """
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)  # the stations' keys are in it
        self._name = str(path or ":memory:")
        try:
            self._db = sqlite3.connect(self._name, isolation_level=None, timeout=0.2)
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute(f"PRAGMA synchronous={synchronous}")
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                self._db.close()
                raise StorageUnusable(f"{self._name} was written by a newer version")
            self._db.executescript(f"BEGIN;{_SCHEMA}PRAGMA user_version={VERSION};COMMIT;")
        except sqlite3.Error as error:
            raise StorageUnusable(f"{self._name}: {error}") from None

    def close(self) -> None:
        """Give the file back."""
        self._db.close()

    def stations(self) -> list[Mac]:
        """Every station there ever was in this file, in the order they came."""
        return [Mac(mac) for (mac,) in self._db.execute("SELECT mac FROM station ORDER BY place")]

    def add(self, macs: Iterable[Mac]) -> None:
        """These belong to the fleet from now on; those that do already are left alone."""
        with self._db:
            self._db.execute("BEGIN")
            self._db.executemany(
                "INSERT INTO station SELECT ?, coalesce(max(place), 0) + 1 FROM station WHERE true"
                " ON CONFLICT (mac) DO NOTHING",
                [(mac,) for mac in macs],
            )

    def load(self, mac: Mac) -> Cells:
        """All that the flash of `mac` holds."""
        cells: Cells = {}
        rows = self._db.execute("SELECT area, key, value FROM cell WHERE mac = ?", (mac,))
        for area, key, value in rows:
            cells.setdefault(area, {})[key] = json.loads(value)
        return cells

    def write(self, batch: Iterable[tuple[Mac, Write]]) -> None:
        """Make these writes durable, in order, all or none; durable when this returns."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            for mac, write in batch:
                self._write(mac, write)

    def snapshot(self, mac: Mac) -> None:
        """Remember the flash as it is now, for `roll_back`."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM snapshot WHERE mac = ?", (mac,))
            self._db.execute("INSERT INTO snapshot SELECT * FROM cell WHERE mac = ?", (mac,))

    def roll_back(self, mac: Mac, *, counters: bool = False) -> None:
        """Put the flash back as it was at the last `snapshot`.

        The counters have a chip of their own and go on, unless `counters`: that is what a
        copy of the whole board would look like.
        """
        spared = "" if counters else COUNTERS
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM cell WHERE mac = ? AND area <> ?", (mac, spared))
            self._db.execute(
                "INSERT INTO cell SELECT * FROM snapshot WHERE mac = ? AND area <> ?",
                (mac, spared),
            )

    def wipe(self, mac: Mac) -> None:
        """Erase the flash; the counters have a chip of their own."""
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute("DELETE FROM cell WHERE mac = ? AND area <> ?", (mac, COUNTERS))

    def _write(self, mac: Mac, write: Write) -> None:
        match write:
            case Put(area, key, value):
                self._db.execute(
                    "INSERT INTO cell VALUES (?, ?, ?, ?) ON CONFLICT (mac, area, key)"
                    " DO UPDATE SET value = excluded.value",
                    (mac, area, key, json.dumps(value, separators=(",", ":"))),
                )
            case Drop(area, key):
                self._db.execute(
                    "DELETE FROM cell WHERE mac = ? AND area = ? AND key = ?", (mac, area, key)
                )
            case Trim(area, upto):
                self._db.execute(
                    "DELETE FROM cell WHERE mac = ? AND area = ? AND key <= ?"
                    " AND typeof(key) = 'integer'",
                    (mac, area, upto),
                )
            case Clear(area):
                self._db.execute("DELETE FROM cell WHERE mac = ? AND area = ?", (mac, area))
