"""Sign-in, sessions and the signed-in account, as the API shows them."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import StringConstraints

from business_api.accounts.login import Challenge
from business_api.accounts.sessions import Issued
from business_api.authz.roles import Role
from business_api.schemas import In, Out, Password, Username

RefreshToken = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ChallengeToken = Annotated[str, StringConstraints(min_length=1, max_length=2000)]
FactorCode = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=40, pattern="^[ -~]*$"),
]
"""Of an authenticator, or a recovery code."""


class LoginIn(In):
    """Username and password."""

    username: Username
    password: Password


class SecondStepIn(In):
    """The challenge that came instead of tokens, and a code."""

    challenge: ChallengeToken
    code: FactorCode


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

    @classmethod
    def of(cls, issued: Issued) -> Self:
        """The tokens of a session."""
        return cls(
            token_type="Bearer",  # noqa: S106  (the name of the scheme)
            access_token=issued.access_token,
            expires_in=issued.expires_in,
            refresh_token=issued.refresh_token,
            session_id=issued.session_id,
        )


class ChallengeOut(Out):
    """The first factor was right; send `challenge` with a code to `/v1/auth/second-factor`.

    It is good for `expires_in` seconds, and for nothing else.
    """

    challenge: str
    expires_in: int


SignInOut = TokensOut | ChallengeOut


def sign_in_out(result: Issued | Challenge) -> SignInOut:
    """The answer to a right first factor."""
    if isinstance(result, Challenge):
        return ChallengeOut.model_validate(result)
    return TokensOut.of(result)


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
    """The signed-in account. `phone` is masked; `roles` are those it holds now, anywhere.

    With `must_change_password`, and with `must_set_up_second_factor`, every other operation
    is refused until it has been seen to.
    """

    id: UUID
    username: str | None
    name: str
    phone: str | None
    language: str
    has_password: bool
    must_change_password: bool
    second_factor: bool
    must_set_up_second_factor: bool
    roles: list[Role]
    session_id: UUID


class PasswordIn(In):
    """The current password, and the one to have from now on (12 to 128 characters)."""

    current: Password
    new: Password


class ConfirmFactorIn(In):
    """The current password, again."""

    password: Password


class CodeIn(In):
    """A code of the authenticator."""

    code: FactorCode


class ConfirmBothIn(In):
    """The current password and a code, again."""

    password: Password
    code: FactorCode


class EnrolmentOut(Out):
    """What the authenticator needs, shown once. `qr_svg` is an SVG element of `uri`."""

    secret: str
    uri: str
    qr_svg: str


class RecoveryCodesOut(Out):
    """Ten ways in when the authenticator is lost, each good once. Shown once."""

    codes: list[str]
