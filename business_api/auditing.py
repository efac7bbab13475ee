"""Writing to the audit chain: who did what to which thing, where, before and after."""

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Final

from business_api.actors import Actor
from business_api.authz.scope import Site
from foundation import audit
from foundation.runner import Context

PLATFORM: Final = "platform"

address: ContextVar[str] = ContextVar("client_address", default="")
"""Where the request under way comes from; set by the edge of the API."""


async def note(
    context: Context,
    actor: Actor | str,
    action: str,
    of: str,
    site: Site,
    *,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    **facts: Any,
) -> None:
    """Add one line, in the caller's transaction: neither act nor line without the other.

    Args:
        context: of the process.
        actor: who; as text for a command line or a job (`auditing.PLATFORM`).
        action: `noun.verb`, e.g. `house.change`.
        of: `{kind}/{id}` of what was acted on.
        site: where it is: whose staff may read the line.
        before: the changed fields as they were. Never secrets or personal data in clear.
        after: the changed fields as they are now.
        facts: whatever else tells what was done; JSON values.
    """
    if before is not None:
        facts["before"] = dict(before)
    if after is not None:
        facts["after"] = dict(after)
    if where := address.get():
        facts.setdefault("address", where)
    await audit.append(
        actor=actor.audit if isinstance(actor, Actor) else actor,
        action=action,
        object=of,
        operator_id=site.operator_id,
        company_id=site.company_id,
        community_id=site.community_id,
        clock=context.clock,
        **facts,
    )


def plain(value: object) -> object:
    """A value of a column as the chain holds it, in JSON."""
    return value if isinstance(value, bool | int | None) else str(value)
