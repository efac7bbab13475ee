"""People who sign in. Thin: roles with scopes come with *People, places and rights*."""

from enum import StrEnum

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from foundation.ids import new_id


class AccountKind(StrEnum):
    """What an account may do, for now."""

    COMMUNITY_ADMIN = "community_admin"
    RESIDENT = "resident"


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


class RefreshToken(Model):
    """One link of a sign-in's chain. Using a spent one revokes the whole chain (theft)."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "business.Account", related_name="refresh_tokens"
    )
    session_id = fields.UUIDField(db_index=True)
    token_hash = fields.CharField(max_length=64, unique=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    expires_at = fields.DatetimeField(db_index=True)
    used_at = fields.DatetimeField(null=True)
    revoked_at = fields.DatetimeField(null=True)
    address = fields.CharField(max_length=64, default="")
    agent = fields.CharField(max_length=200, default="")

    class Meta:
        table = "business_refresh_token"


class LoginFailure(Model):
    """A wrong password, for the lock-out; by what was typed, whether it exists or not."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    username = fields.CharField(max_length=64)
    address = fields.CharField(max_length=64)
    at = fields.DatetimeField()

    class Meta:
        table = "business_login_failure"
        indexes = (Index(fields=("username", "at")), Index(fields=("address", "at")))
