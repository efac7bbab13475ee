"""Sign-in, sessions and the signed-in account, as the API shows them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from business_api.schemas import In, Out, Password, Username

RefreshToken = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class LoginIn(In):
    """Username and password."""

    username: Username
    password: Password


class RefreshIn(In):
    """The refresh token received last."""

    refresh_token: RefreshToken


class TokensOut(Out):
    """`access_token` goes into `Authorization: Bearer`; `expires_in` is in seconds.

    The refresh token is good once. Keep the one that comes with each answer.
    """

    token_type: Literal["Bearer"]
    access_token: str
    expires_in: int
    refresh_token: str
    session_id: UUID


class SessionOut(Out):
    """One place where the account is signed in."""

    id: UUID
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    address: str
    agent: str
    current: bool


class MeOut(Out):
    """The signed-in account."""

    id: UUID
    username: str | None
    name: str
    session_id: UUID


class PasswordIn(In):
    """The current password, and the one to have from now on (12 to 128 characters)."""

    current: Password
    new: Password
