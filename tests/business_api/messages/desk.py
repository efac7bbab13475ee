"""Accounts that can be told things, and a channel whose other end is a list."""

from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tortoise.transactions import in_transaction

from business_api.accounts import private
from business_api.accounts.models import Account
from business_api.messages.channels import SENT, Letter, Outcome, Report
from business_api.messages.models import Channel
from business_api.messages.tell import TOPIC, tell
from business_api.messages.worker import Postman
from foundation.clock import utc_now
from foundation.ids import new_id
from foundation.runner import Context
from tests.support.running import running

KIND = "certification.approved"
PARAMS = {"house": "1号楼 0101", "certification_id": "x"}


async def people(count: int, *, phones: bool = True) -> list[UUID]:
    """So many accounts; with `phones`, those that can get text messages."""
    rows = [
        Account(
            id=new_id(),
            name=f"人{number}",
            created_at=utc_now(),
            phone_index=new_id().hex if phones else None,
        )
        for number in range(count)
    ]
    await Account.bulk_create(rows, batch_size=500)
    return [row.id for row in rows]


async def person(context: Context, phone: str, language: str = "zh") -> UUID:
    """An account with a real telephone number."""
    account = Account(id=new_id(), name="林", created_at=utc_now(), language=language)
    account.phone_sealed = private.seal(context, account, "phone", phone)
    account.phone_index = new_id().hex
    await account.save()
    return account.id


async def told(
    context: Context, to: Sequence[UUID], key: str = "1", kind: str = KIND, **params: str
) -> int:
    """Tell, commit, kick."""
    async with in_transaction():
        count = await tell(context, kind, key, to, PARAMS | params)
    context.wake.kick(TOPIC)
    return count


@dataclass
class Desk:
    """A channel: keeps what it is given, and answers what it is told to."""

    channel: Channel = Channel.SMS
    letters: list[Letter] = field(default_factory=list)
    answer: Callable[[Letter], Outcome] = lambda _: SENT
    down: str = ""

    async def send(self, batch: Sequence[Letter]) -> Report:
        if self.down:
            return Report(down=self.down)
        self.letters += batch
        return Report({letter.id: self.answer(letter) for letter in batch})


@asynccontextmanager
async def posting(context: Context, *ports: Any):
    """A postman at work while the block runs."""
    async with running(Postman(context, ports)):
        yield


def change(context: Context, **messages: Any) -> None:
    """Other settings of the group from now on; before a postman is made."""
    group = context.settings.messages.model_copy(update=messages)
    context.settings = context.settings.model_copy(update={"messages": group})
