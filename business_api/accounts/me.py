"""The signed-in account, for itself."""

from business_api.accounts import private
from business_api.accounts.errors import NoSuchAccount
from business_api.accounts.models import Account
from business_api.accounts.schemas import MeOut
from business_api.actors import Actor, Duty
from business_api.authz.roles import Role
from foundation.runner import Context


async def of(context: Context, actor: Actor) -> MeOut:
    """The account of `actor`. One statement.

    Raises:
        NoSuchAccount: it has gone since the request was admitted.
    """
    account = await Account.get_or_none(id=actor.account_id)
    if account is None:
        raise NoSuchAccount
    held = {grant.role for grant in actor.grants if grant.live(actor.now)}
    return MeOut(
        id=account.id,
        username=account.username,
        name=account.name,
        phone=private.masked_phone(context, account),
        language=account.language,
        has_password=bool(account.password_hash),
        must_change_password=account.must_change_password,
        second_factor=account.totp_at is not None,
        must_set_up_second_factor=Duty.SET_UP_SECOND_FACTOR in actor.duties,
        roles=[role for role in Role if role in held],
        session_id=actor.session_id,
    )
