"""Liveness and readiness: what each part of this process says about itself."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Check = Callable[[], Awaitable[str | None]]
"""None when well, else one line that says what is wrong. Must answer within a second."""

PATIENCE = 1.0
"""Seconds a check may take."""


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
            try:
                async with asyncio.timeout(PATIENCE):
                    line = await check()
            except TimeoutError:
                line = "no answer"
            except Exception as error:  # noqa: BLE001  (what it raises is what is wrong)
                line = type(error).__name__
            if line is not None:
                found[name] = line
        return found
