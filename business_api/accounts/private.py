"""What an account keeps sealed: its telephone number, the secret of its second factor."""

from typing import Literal

from business_api import phones, vault
from business_api.accounts.models import Account
from foundation.runner import Context

Field = Literal["phone", "totp"]


def seal(context: Context, account: Account, field: Field, text: str) -> bytes:
    """`text` for a column of `account`.

    The account gets a key if it has none: save `data_key` too, with the row locked.
    """
    if account.data_key is None:
        account.data_key = vault.new_key(context.keyring, account.id)
    return vault.seal(context.keyring, account.id, account.data_key, field, text)


def unseal(context: Context, account: Account, field: Field, sealed: bytes | None) -> str | None:
    """What `seal` was given; None when there is nothing.

    Raises:
        BadKey: another master key sealed it.
    """
    if sealed is None or account.data_key is None:
        return None
    return vault.unseal(context.keyring, account.id, account.data_key, field, sealed)


def masked_phone(context: Context, account: Account) -> str | None:
    """The number for eyes that need not know it: 138****8000."""
    phone = unseal(context, account, "phone", account.phone_sealed)
    return phones.masked(phone) if phone else None


def index(context: Context, phone: str) -> str:
    """The blind index of a number (E.164) over the whole platform: `Account.phone_index`."""
    return vault.blind(context.keyring, "phone", None, phone)
