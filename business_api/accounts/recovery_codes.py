"""Recovery codes: ten ways in when the authenticator is lost, each good once.

50 random bits each, so that a keyed hash is enough to store: without the master key it
cannot be tried, and with the API only as often as `login` lets anybody try.
"""

import hashlib
import hmac
import secrets
from typing import Final

from business_api.accounts.models import Account, RecoveryCode
from foundation.runner import Context

HOW_MANY: Final = 10
_LETTERS: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_HALF: Final = 5
_READ_AS: Final = str.maketrans("oil", "011")
_LONGEST: Final = 40


async def replace(context: Context, account: Account) -> list[str]:
    """Make new ones, in the caller's transaction; the old ones are gone. Two statements."""
    codes = ["".join(secrets.choice(_LETTERS) for _ in range(2 * _HALF)) for _ in range(HOW_MANY)]
    await RecoveryCode.filter(account_id=account.id).delete()
    await RecoveryCode.bulk_create(
        [RecoveryCode(account=account, code_hash=_hash(context, account, code)) for code in codes]
    )
    return [f"{code[:_HALF]}-{code[_HALF:]}" for code in codes]


async def use(context: Context, account: Account, typed: str) -> bool:
    """Whether it is one of them and unused; it is used up then. One statement."""
    code = typed[:_LONGEST].casefold().replace("-", "").translate(_READ_AS)
    unused = RecoveryCode.filter(
        account_id=account.id, code_hash=_hash(context, account, code), used_at=None
    )
    return bool(await unused.update(used_at=context.clock()))


async def forget(account: Account) -> None:
    """There are none any more. One statement."""
    await RecoveryCode.filter(account_id=account.id).delete()


def _hash(context: Context, account: Account, code: str) -> str:
    key = context.keyring.derive("recovery-code")
    about = f"{account.id}/{code}".encode(errors="replace")
    return hmac.digest(key, about, hashlib.sha256).hex()
