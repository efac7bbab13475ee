"""Liveness and readiness: what each part of this process says about itself."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Check = Callable[[], Awaitable[str | None]]
"""None when well, else one line that says what is wrong. Must answer within a second."""


@dataclass(slots=True)
class Health:
    """The checks behind `/readyz`."""

    checks: dict[str, Check] = field(default_factory=dict)

    def add(self, name: str, check: Check) -> None:
        """Ask `check` whenever somebody asks for readiness."""
        self.checks[name] = check

    async def trouble(self) -> dict[str, str]:
        """What is wrong now, by name; empty when ready."""
        found: dict[str, str] = {}
        for name, check in self.checks.items():
            if (line := await check()) is not None:
                found[name] = line
        return found
