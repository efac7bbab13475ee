"""The owners of a house who can be asked for their word (BR5), as a stranger may see them."""

from dataclasses import dataclass
from uuid import UUID

import phonenumbers

from business_api.accounts import phone_accounts
from business_api.accounts.models import Account
from business_api.language import Language
from business_api.people import persons
from business_api.phones import BadPhone, normal_mobile
from business_api.residents import reading
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner with a mobile number. `phone` (E.164) never leaves the platform."""

    person_id: UUID
    account_id: UUID | None
    name: str
    phone: str
    language: Language

    @property
    def masked_name(self) -> str:
        """张*: who knows the owner recognises it."""
        return f"{self.name[:1]}*"

    @property
    def phone_ending(self) -> str:
        """尾号: the last four digits. More would help those who collect numbers."""
        return self.phone[-4:]


async def reachable(context: Context, house_id: UUID) -> list[Owner]:
    """The verified owners of a house to whom a code can be sent. Two statements.

    The number of an owner's account is preferred if it was proved by a code; else it is the
    one that is registered for the person. What staff wrote down in the account is neither.
    """
    verified = await reading.verified_owners(house_id, context.clock())
    ids = [person.account_id for _, person in verified if person.account_id]
    accounts = {row.id: row for row in await Account.filter(id__in=ids)} if ids else {}
    found = []
    for _, person in verified:
        account = accounts.get(person.account_id) if person.account_id else None
        if account is not None and account.disabled_at is not None:
            continue
        phone = (await phone_accounts.proven_phone_of(context, account)) if account else None
        phone = phone or await persons.phone_of(context, person)
        if phone and _served(context, phone):
            language: Language = "en" if account and account.language == "en" else "zh"
            account_id = account.id if account else None
            found.append(Owner(person.id, account_id, person.name, phone, language))
    return found


def _served(context: Context, phone: str) -> bool:
    """Whether codes are sent to such a number at all."""
    try:
        number = phonenumbers.parse(normal_mobile(phone))
    except BadPhone:
        return False
    return phonenumbers.region_code_for_number(number) in context.settings.sms.regions
