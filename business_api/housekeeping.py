"""Forgetting what is over: a bounded number of rows at a time, now and then."""

import asyncio
from datetime import timedelta
from typing import Final, TypeVar

import structlog
from tortoise.models import Model
from tortoise.queryset import QuerySet

from business_api import idempotency
from business_api.accounts import code_limits, first_passwords
from business_api.accounts.models import (
    FirstPassword,
    LoginFailure,
    OneTimeCode,
    SignInSession,
)
from business_api.dictionary import seeds
from business_api.files import uploads
from business_api.idempotency_models import IdempotencyRecord
from business_api.messages import forgetting
from business_api.people import reveals
from business_api.people.models import Reveal
from business_api.sms import local
from business_api.sms.models import SmsMessage
from foundation import db
from foundation.runner import Context
from foundation.wake import first_of

M = TypeVar("M", bound=Model)

log = structlog.get_logger()

PERIOD: Final = timedelta(minutes=10)
SESSIONS_KEPT: Final = timedelta(days=30)
"""After their end, for questions about who was signed in from where."""

_AT_ONCE: Final = 500


async def run(context: Context, stop: asyncio.Event) -> None:
    """Forget, wait, forget, until `stop`; and see that the dictionary has its first lists."""
    while not stop.is_set():
        try:
            await seeds.plant(context.clock)
            forgotten = await forget(context)
        except db.AWAY as error:
            if not db.is_away(error):
                raise
            log.warning("housekeeping.put_off", error=type(error).__name__)
        else:
            log.info("housekeeping.done", deleted=forgotten)
        await first_of(stop, within=PERIOD)


async def forget(context: Context) -> int:
    """Delete what nobody will ask for again; how many rows."""
    now = context.clock()
    await code_limits.settle(context)
    window = context.settings.auth.login_window
    return (
        await uploads.forget_unused(context)
        + await _delete(LoginFailure.filter(at__lt=now - window))
        + await _delete(OneTimeCode.filter(sent_at__lt=now - code_limits.KEPT))
        + await _delete(FirstPassword.filter(created_at__lt=now - first_passwords.KEPT))
        + await _delete(SmsMessage.filter(sent_at__lt=now - local.KEPT))
        + await _delete(IdempotencyRecord.filter(created_at__lt=now - idempotency.KEPT))
        + await _delete(SignInSession.filter(expires_at__lt=now - SESSIONS_KEPT))
        + await forgetting.forget(context)
        + await _delete(Reveal.filter(at__lt=now - reveals.KEPT))
        + await _delete(SignInSession.filter(ended_at__lt=now - SESSIONS_KEPT))
    )


async def _delete(old: QuerySet[M]) -> int:
    """Delete in small statements: one long one would hold up everybody else's writes."""
    deleted = 0
    while ids := await old.limit(_AT_ONCE).values_list("id", flat=True):
        deleted += await old.model.filter(id__in=ids).delete()
    return deleted
