"""通讯码: the pool of station accounts. A code is a name (broker user, peer id), not a secret.

free → bound when a station is registered → retired when it is unbound → free again only
when the operator recycles it. A bound code moves to another MAC only with its station's
row (一键换机). Frozen ones are kept back.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tortoise.transactions import in_transaction

from device_registry.devices.imports import ImportReport, Lines, at_most, chunks
from device_registry.devices.models import CodeState, CommunicationCode
from device_registry.devices.text import printable
from foundation import audit
from foundation.clock import Clock, utc_now
from foundation.errors import DomainError, Kind

MOST_GENERATED: Final = 10_000

_FORM: Final = re.compile(r"[0-9A-Z][0-9A-Z_-]{2,14}[0-9A-Z]")


class CodeNotFree(DomainError):
    """The code is unknown, or bound, frozen or retired."""

    kind, code, title = Kind.CONFLICT, "code-not-free", "The communication code is not free"
    title_zh = "通讯码不可用，请选择其他空闲通讯码"


class CodeNotFound(DomainError):
    """There is no such code in the pool."""

    kind, code, title = Kind.NOT_FOUND, "code-not-found", "No such communication code"
    title_zh = "找不到该通讯码"


class WrongCodeState(DomainError):
    """The code is not in the state from which this is done. Fact `state`."""

    kind, code, title = Kind.CONFLICT, "wrong-code-state", "Not in this state"
    title_zh = "通讯码当前状态不允许此操作"


@dataclass(frozen=True, slots=True)
class Code:
    """One code of the pool. `mac`: of the station it is, or was last, bound to."""

    code: str
    state: CodeState
    mac: str | None
    batch: str


def normal(code: str) -> str:
    """As it is stored: upper case, without spaces and what no screen shows."""
    return printable(code).replace(" ", "").upper()


def wanted(code: str) -> str:
    """`normal`, of a code that somebody wants to bind.

    Raises:
        CodeNotFree: no code looks like this.
    """
    code = normal(code)
    if not _FORM.fullmatch(code):
        raise CodeNotFree(f"code {code[:16]}")
    return code


async def generate(
    count: int, batch: str, *, actor: str = "platform", clock: Clock = utc_now
) -> list[str]:
    """Add `count` new codes of 10 random digits to the pool, sorted.

    Raises:
        TooManyAtOnce: more than `MOST_GENERATED`.
    """
    at_most(count, MOST_GENERATED)
    async with in_transaction():
        made: set[str] = set()
        while len(made) < count:  # 9 * 10**9 of them: a second round is rare
            wanted = {_random() for _ in range(count - len(made))} - made
            made |= wanted - await _existing(sorted(wanted))
        await _insert(sorted(made), batch)
        await _audited(actor, "generate", batch, clock, count=count)
    return sorted(made)


async def import_codes(
    codes: Sequence[str], batch: str, *, actor: str = "platform", clock: Clock = utc_now
) -> ImportReport:
    """Add codes that were made elsewhere: 4 to 16 digits, letters, `-` and `_` inside.

    A code that is there already, in whatever state, stays as it is. Blank lines are skipped.

    Raises:
        TooManyAtOnce: too long a list.
    """
    at_most(len(codes))
    lines: Lines[str] = Lines()
    for line, text in enumerate(codes, start=1):
        code = normal(text)
        if not code:
            continue
        if _FORM.fullmatch(code):
            lines.take(line, code, code)
        else:
            lines.fault(line, text, "应为 4 至 16 位数字或字母")
    async with in_transaction():
        new = sorted(set(lines.good) - await _existing(sorted(lines.good)))
        await _insert(new, batch)
        await _audited(actor, "import", batch, clock, count=len(new))
    return lines.report(len(new))


async def free(search: str = "", limit: int = 20) -> list[str]:
    """Codes for the drop-down: free ones that hold `search`. One statement."""
    found = CommunicationCode.filter(state=CodeState.FREE, code__contains=normal(search))
    rows = await found.order_by("code").limit(limit).values_list("code", flat=True)
    return [str(code) for code in rows]


async def codes(
    *, search: str = "", state: CodeState | None = None, page: int = 1, size: int = 10
) -> tuple[list[Code], int]:
    """One page of the pool by code, and how many there are. Two statements."""
    found = CommunicationCode.filter(code__contains=normal(search))
    if state is not None:
        found = found.filter(state=state)
    rows = await found.order_by("code").offset((page - 1) * size).limit(size)
    return [Code(r.code, r.state, r.mac, r.batch) for r in rows], await found.count()


async def freeze(code: str, *, actor: str = "platform", clock: Clock = utc_now) -> None:
    """Keep a free code back.

    Raises:
        CodeNotFound: not in the pool.
        WrongCodeState: not free.
    """
    await _move(code, CodeState.FREE, CodeState.FROZEN, "freeze", actor=actor, clock=clock)


async def unfreeze(code: str, *, actor: str = "platform", clock: Clock = utc_now) -> None:
    """Give a frozen code free again.

    Raises:
        CodeNotFound: not in the pool.
        WrongCodeState: not frozen.
    """
    await _move(code, CodeState.FROZEN, CodeState.FREE, "unfreeze", actor=actor, clock=clock)


async def recycle(code: str, *, actor: str = "platform", clock: Clock = utc_now) -> None:
    """Let a retired code be bound once more, to whatever station.

    Raises:
        CodeNotFound: not in the pool.
        WrongCodeState: not retired.
    """
    await _move(code, CodeState.RETIRED, CodeState.FREE, "recycle", actor=actor, clock=clock)


async def bind(code: str, mac: str) -> None:
    """Take a free code for `mac`, in the caller's transaction. The update decides.

    Raises:
        CodeNotFree: somebody else was quicker, or it never was free.
    """
    row = CommunicationCode.filter(code=code, state=CodeState.FREE)
    if not await row.update(state=CodeState.BOUND, mac=mac, changed_at=utc_now()):
        raise CodeNotFree(f"code {code[:16]}")


async def rebind(code: str, mac: str) -> None:
    """The station that has this code is another box now, in the caller's transaction."""
    row = CommunicationCode.filter(code=code, state=CodeState.BOUND)
    await row.update(mac=mac, changed_at=utc_now())


async def let_go(code: str, *, issued: bool) -> None:
    """A station gives its code up, in the caller's transaction.

    Args:
        code: bound until now.
        issued: some box has learned it: only the operator can give it free again.
    """
    row = CommunicationCode.filter(code=code, state=CodeState.BOUND)
    if issued:
        await row.update(state=CodeState.RETIRED, changed_at=utc_now())
    else:
        await row.update(state=CodeState.FREE, mac=None, changed_at=utc_now())


async def _move(
    code: str, before: CodeState, after: CodeState, verb: str, *, actor: str, clock: Clock
) -> None:
    code = normal(code)
    async with in_transaction():
        row = CommunicationCode.filter(code=code)
        if not await row.filter(state=before).update(state=after, mac=None, changed_at=clock()):
            now = await row.first()
            if now is None:
                raise CodeNotFound(f"code {code[:16]}")
            raise WrongCodeState(f"code {code[:16]}", state=now.state.value)
        await audit.append(
            actor=actor,
            action=f"communication_code.{verb}",
            object=f"communication_code/{code}",
            clock=clock,
        )


async def _existing(codes: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for some in chunks(codes):
        rows = await CommunicationCode.filter(code__in=some).values_list("code", flat=True)
        found.update(str(code) for code in rows)
    return found


async def _insert(codes: Sequence[str], batch: str) -> None:
    rows = [CommunicationCode(code=code, batch=batch[:40]) for code in codes]
    await CommunicationCode.bulk_create(rows, batch_size=500, ignore_conflicts=True)


async def _audited(actor: str, verb: str, batch: str, clock: Clock, *, count: int) -> None:
    await audit.append(
        actor=actor,
        action=f"communication_code.{verb}",
        object=f"communication_code_batch/{batch[:40]}",
        clock=clock,
        count=count,
    )


def _random() -> str:
    return str(secrets.randbelow(9 * 10**9) + 10**9)
