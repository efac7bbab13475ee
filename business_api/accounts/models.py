"""People who sign in, what they may do where, and where they are signed in."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from business_api.authz.grants import Grant
from business_api.authz.roles import Role
from business_api.authz.scope import ScopeType, Site
from business_api.tenancy import COLUMNS
from foundation.ids import new_id


class Account(Model):
    """A sign-in. Staff have a username; residents sign in with their phone.

    The phone is sealed with the account's own key (`vault`); `phone_index` is its blind
    index over the whole platform, by which it is found.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    username = fields.CharField(max_length=64, unique=True, null=True)
    name = fields.CharField(max_length=80)
    password_hash = fields.CharField(max_length=200, default="")
    """Empty: none was ever set; sign in with a code."""
    must_change_password = fields.BooleanField(default=False)
    password_set_by = fields.UUIDField(null=True)
    """Who knows a password that must be changed; None: a command line."""
    data_key = fields.BinaryField(null=True)
    phone_sealed = fields.BinaryField(null=True)
    phone_index = fields.CharField(max_length=64, unique=True, null=True)
    totp_sealed = fields.BinaryField(null=True)
    totp_at = fields.DatetimeField(null=True)
    """Since when the second factor is asked for; a secret without it is not confirmed yet."""
    totp_step = fields.BigIntField(default=0)
    """The last time step used: a code is good once (RFC 6238, 5.2)."""
    language = fields.CharField(max_length=2, default="zh")
    disabled_at = fields.DatetimeField(null=True)
    deleted_at = fields.DatetimeField(null=True)
    """By its owner: nothing personal is left in the row, and it stays disabled."""
    created_at = fields.DatetimeField()
    created_by = fields.UUIDField(null=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "business_account"


class RoleGrant(Model):
    """A role that staff hold at a scope.

    `operator_id`, `company_id` and `community_id` are those of the scope and what is above
    it: whose managers see the grant, and its account.
    """

    SCOPES: ClassVar[Mapping[ScopeType, str]] = COLUMNS

    id = fields.UUIDField(primary_key=True, default=new_id)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "business.Account", related_name="grants"
    )
    role = fields.CharEnumField(Role, max_length=20)
    scope_type = fields.CharEnumField(ScopeType, max_length=12)
    scope_id = fields.UUIDField(null=True)
    operator_id = fields.UUIDField(null=True, db_index=True)
    company_id = fields.UUIDField(null=True, db_index=True)
    community_id = fields.UUIDField(null=True, db_index=True)
    valid_from = fields.DatetimeField(null=True)
    valid_to = fields.DatetimeField(null=True)
    granted_by = fields.UUIDField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "business_role_grant"
        unique_together = (("account", "role", "scope_type", "scope_id"),)

    @property
    def site(self) -> Site:
        """For decisions about the grant."""
        deeper = {
            ScopeType.BUILDING: {"building_id": self.scope_id},
            ScopeType.HOUSE: {"house_id": self.scope_id},
            ScopeType.SHOP: {"shop_id": self.scope_id},
        }.get(self.scope_type, {})
        return Site(self.operator_id, self.company_id, self.community_id, **deeper)

    def over(self, now: datetime) -> bool:
        """Whether it has ended for good."""
        return self.valid_to is not None and self.valid_to <= now

    @property
    def grant(self) -> Grant:
        """For decisions by it."""
        return Grant(
            self.role,
            self.scope_type,
            self.scope_id,
            self.valid_from,
            self.valid_to,
            self.community_id,
        )


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


class RecoveryCode(Model):
    """A way in when the second factor is lost, good once. `code_hash` is keyed."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "business.Account", related_name="recovery_codes"
    )
    code_hash = fields.CharField(max_length=64)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "business_recovery_code"


class FirstPassword(Model):
    """A password made up by an import, sealed, until whoever sent the workbook fetches it."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    import_id = fields.UUIDField(db_index=True)
    account: fields.ForeignKeyRelation[Account] = fields.ForeignKeyField(
        "business.Account", related_name="first_passwords"
    )
    sealed = fields.BinaryField()
    created_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "business_first_password"


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


class OneTimeCode(Model):
    """A message with a code to a phone, for one purpose.

    `turn` numbers the messages to one phone; that it is unique lets exactly one of several
    requests at once be the next. `code_hash` is keyed and bound to the row; empty: nothing
    was sent, and the code before it stays good. It is no code's at all when the phone was
    told something else instead.
    """

    id = fields.UUIDField(primary_key=True, default=new_id)
    purpose = fields.CharField(max_length=20)
    phone_index = fields.CharField(max_length=64)
    turn = fields.IntField()
    about = fields.CharField(max_length=80, default="")
    """What it is good for, e.g. `certification/{id}`; empty: the phone itself."""
    code_hash = fields.CharField(max_length=64)
    address = fields.CharField(max_length=64)
    sent_at = fields.DatetimeField(db_index=True)
    expires_at = fields.DatetimeField()
    tries = fields.IntField(default=0)
    used_at = fields.DatetimeField(null=True)

    class Meta:
        table = "business_one_time_code"
        unique_together = (("phone_index", "turn"),)
        indexes = (Index(fields=("address", "sent_at")),)
