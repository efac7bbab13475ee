"""People who sign in. Thin: roles with scopes come with *People, places and rights*."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from business_api.actors import AccountKind
from foundation.ids import new_id

__all__ = ["Account", "AccountKind", "LoginFailure", "SignInSession"]


class Account(Model):
    """A sign-in. `community_id` is the whole scope of both kinds."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    username = fields.CharField(max_length=64, unique=True)
    password_hash = fields.CharField(max_length=200)
    kind = fields.CharEnumField(AccountKind, max_length=20)
    name = fields.CharField(max_length=80)
    community_id = fields.UUIDField(db_index=True)
    disabled_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "business_account"


class SignInSession(Model):
    """One sign-in, from the password to the sign-out.

    `token_hash` is that of the one refresh token that is good now. Every other token made
    for this session is spent: showing one ends the session (`accounts.sessions`).
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "business.Account", related_name="sessions"
    )
    token_hash = fields.CharField(max_length=64)
    created_at = fields.DatetimeField()
    refreshed_at = fields.DatetimeField()
    expires_at = fields.DatetimeField(db_index=True)
    ended_at = fields.DatetimeField(null=True)
    end_reason = fields.CharField(max_length=20, default="")
    address = fields.CharField(max_length=64, default="")
    agent = fields.CharField(max_length=200, default="")

    class Meta:
        table = "business_sign_in_session"
        indexes = (Index(fields=("account_id", "ended_at", "created_at")),)


class LoginFailure(Model):
    """A try to sign in that has not succeeded; deleted when it does.

    `who` is a keyed hash of what was typed as username, whether it exists or not: people
    type their password there now and then.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    who = fields.CharField(max_length=64)
    address = fields.CharField(max_length=64)
    at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "business_login_failure"
        indexes = (Index(fields=("who", "at")), Index(fields=("address", "at")))
