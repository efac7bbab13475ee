"""A sealed field in clear: with a permission, a reason, a line in the audit, and not too often."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from prometheus_client import Counter
from tortoise.transactions import in_transaction

from business_api import auditing
from business_api.actors import Actor
from business_api.authz.scope import Site
from business_api.people.errors import NothingToReveal, TooManyReveals
from business_api.people.models import Reveal
from foundation import sql
from foundation.runner import Context

REVEALS = Counter("personal_data_reveals_total", "Sealed fields shown in clear.", ["field"])

LIMITS: Final[Mapping[timedelta, int]] = {timedelta(hours=1): 60, timedelta(days=1): 300}
"""Of one account: a day at the counter, and far from a copy of the register."""
KEPT: Final = max(LIMITS)

_LONG_NUMBER: Final = re.compile(r"\d(?:[ -]?\d){5,}[Xx]?")


async def reveal(
    context: Context,
    actor: Actor,
    of: str,
    site: Site,
    *,
    field: str,
    reason: str,
    clear: str | None,
) -> str:
    """Hand out `clear`, once it has been written down who asked for it, and why.

    Args:
        context: of the process.
        actor: who asks; the caller has asked for its permission.
        of: `{kind}/{id}` of what is looked at.
        site: where that is.
        field: which part of it.
        reason: in words. The audit keeps it for ever: long numbers in it are masked.
        clear: what was unsealed.

    Raises:
        NothingToReveal: nothing is kept there; that is not counted.
        TooManyReveals: this account has looked at too much.
    """
    if clear is None:
        raise NothingToReveal
    now = context.clock()
    async with in_transaction():
        await sql.serialise(f"reveals/{actor.account_id}")
        mine = Reveal.filter(account_id=actor.account_id)
        for period, most in LIMITS.items():
            recent = await mine.filter(at__gt=now - period).order_by("at").limit(most)
            if len(recent) >= most:
                wait = recent[0].at + period - now
                raise TooManyReveals(retry_after=int(wait.total_seconds()) + 1)
        await Reveal.create(account_id=actor.account_id, at=now)
        await auditing.note(
            context, actor, "person.reveal", of, site, field=field, reason=_harmless(reason)
        )
    REVEALS.labels(field).inc()
    return clear


def _harmless(reason: str) -> str:
    """`reason` without telephone and document numbers: their last four digits stay."""
    return _LONG_NUMBER.sub(lambda found: "****" + found[0][-4:], reason)
