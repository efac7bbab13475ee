"""The passwords of the demo: made up, and kept in a file that is its owner's only.

There is no default password anywhere. Nothing here asks the database.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

FILE: Final = "demo-accounts.json"


@dataclass(frozen=True, slots=True)
class DemoAccount:
    """One demo account. `password` is empty when it is not known, or was changed since.

    `login` is a username or a telephone number; `role` the first role, `place` where.
    """

    login: str
    password: str
    role: str
    name: str
    place: str


def read(file: Path) -> dict[str, DemoAccount]:
    """What is kept, by login."""
    if not file.exists():
        return {}
    rows = json.loads(file.read_text(encoding="utf-8"))
    return {row["login"]: DemoAccount(**row) for row in rows if "login" in row}


def write(file: Path, known: Mapping[str, DemoAccount]) -> None:
    """Replace the file as a whole; nobody but its owner may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with open(fresh, "x", encoding="utf-8", opener=_private) as out:
        rows = [asdict(account) for account in known.values()]
        json.dump(rows, out, ensure_ascii=False, indent=2)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(file)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
