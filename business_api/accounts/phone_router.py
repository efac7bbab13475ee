"""`/v1/auth` and `/v1/me` for residents: codes, registration, the own number, the end."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, status

from business_api.accounts import (
    login,
    own_account,
    passwords,
    phone_accounts,
    phone_passwords,
)
from business_api.accounts.errors import WrongPassword
from business_api.accounts.one_time_codes import (
    CodeExpired,
    CodeLocked,
    CountryNotServed,
    Purpose,
    TooManyCodes,
    WrongCode,
)
from business_api.accounts.own_account import InService, NotByPhone, Proof, ProofNeeded
from business_api.accounts.phone_accounts import NewResident, PhoneTaken
from business_api.accounts.phone_schemas import (
    ChangePhoneIn,
    CodePasswordIn,
    CodeSentOut,
    CodeSignInIn,
    NewPhoneIn,
    OwnCodeIn,
    OwnPasswordIn,
    ProofIn,
    RegisterIn,
    SendCodeIn,
)
from business_api.accounts.schemas import SignInOut, sign_in_out
from business_api.deps import Ctx, CurrentActor, SignedInActor, client_address
from business_api.language import language_of
from business_api.phones import BadPhone
from business_api.problems import documents
from business_api.sms.port import NOT_SENT, SmsUnavailable

router = APIRouter(tags=["residents' accounts"])

_SENDING = (BadPhone, CountryNotServed, TooManyCodes, SmsUnavailable, *NOT_SENT)
_CHECKING = (BadPhone, WrongCode, CodeExpired, CodeLocked, login.TooManyTries)
_AGAIN_IN = 60


@router.post(
    "/auth/codes",
    operation_id="sendCode",
    status_code=status.HTTP_202_ACCEPTED,
    responses=documents(*_SENDING),
)
async def send_code(body: SendCodeIn, request: Request, context: Ctx) -> CodeSentOut:
    """Send a code to a number, whether it has an account or not: the answer is the same.

    One a minute, 5 an hour, 10 a day for a number. A new code makes the one before it void.
    """
    expires_at = await phone_accounts.send_code(
        context,
        Purpose(body.purpose),
        body.phone,
        address=client_address(request),
        language=language_of(request),
    )
    return CodeSentOut(expires_at=expires_at, again_in=_AGAIN_IN)


@router.post(
    "/auth/register",
    operation_id="register",
    status_code=status.HTTP_201_CREATED,
    responses=documents(*_CHECKING, PhoneTaken, passwords.WeakPassword, passwords.SignInBusy),
)
async def register(body: RegisterIn, request: Request, context: Ctx) -> SignInOut:
    """Make an account for a number, and sign in. Houses are applied for afterwards."""
    new = NewResident(
        phone=body.phone,
        code=body.code,
        name=body.name,
        password=body.password.get_secret_value() if body.password else None,
        language=language_of(request),
    )
    agent = request.headers.get("user-agent", "")
    return sign_in_out(await phone_accounts.sign_up(context, new, client_address(request), agent))


@router.post(
    "/auth/login/code",
    operation_id="signInByCode",
    responses=documents(*_CHECKING, login.WrongCredentials),
)
async def sign_in(body: CodeSignInIn, request: Request, context: Ctx) -> SignInOut:
    """Sign in with a code; with a second factor on, a challenge is answered.

    With a password: `POST /v1/auth/login`, the number in place of the username.
    """
    agent = request.headers.get("user-agent", "")
    address = client_address(request)
    return sign_in_out(await phone_accounts.sign_in(context, body.phone, body.code, address, agent))


@router.post(
    "/auth/password",
    operation_id="setPasswordByCode",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(*_CHECKING, passwords.WeakPassword, passwords.SignInBusy),
)
async def set_password(body: CodePasswordIn, request: Request, context: Ctx) -> None:
    """Set a password by code, the first or another. Every session of the account ends."""
    await phone_passwords.set_password(
        context, body.phone, body.code, body.new.get_secret_value(), client_address(request)
    )


@router.delete("/auth/sessions", operation_id="endSessions", status_code=status.HTTP_204_NO_CONTENT)
async def end_sessions(
    context: Ctx,
    actor: SignedInActor,
    others_only: Annotated[bool, Query(description="keep this one")] = False,
) -> None:
    """Sign out everywhere."""
    await own_account.sign_out_everywhere(context, actor, others_only=others_only)


@router.post(
    "/me/codes",
    operation_id="sendOwnCode",
    status_code=status.HTTP_202_ACCEPTED,
    responses=documents(*_SENDING, NotByPhone),
)
async def send_own_code(
    body: OwnCodeIn, request: Request, context: Ctx, actor: CurrentActor
) -> CodeSentOut:
    """Send a code to the own number."""
    expires_at = await own_account.send_code(
        context,
        actor,
        Purpose(body.purpose),
        address=client_address(request),
        language=language_of(request),
    )
    return CodeSentOut(expires_at=expires_at, again_in=_AGAIN_IN)


@router.post(
    "/me/phone/codes",
    operation_id="sendNewPhoneCode",
    status_code=status.HTTP_202_ACCEPTED,
    responses=documents(*_SENDING, NotByPhone),
)
async def send_new_phone_code(
    body: NewPhoneIn, request: Request, context: Ctx, actor: CurrentActor
) -> CodeSentOut:
    """Send a code to the number that is to become the own one."""
    expires_at = await own_account.send_code_to_new(
        context,
        actor,
        body.phone,
        address=client_address(request),
        language=language_of(request),
    )
    return CodeSentOut(expires_at=expires_at, again_in=_AGAIN_IN)


@router.post(
    "/me/phone",
    operation_id="changePhone",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(
        *_CHECKING, NotByPhone, ProofNeeded, WrongPassword, PhoneTaken, passwords.SignInBusy
    ),
)
async def change_phone(
    body: ChangePhoneIn, request: Request, context: Ctx, actor: CurrentActor
) -> None:
    """Change the own number. All other sessions end, and the old number is told."""
    proof = _proof(body, client_address(request))
    await own_account.change_phone(context, actor, body.phone, body.code, proof)


@router.post(
    "/me/password/code",
    operation_id="setOwnPasswordByCode",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(*_CHECKING, NotByPhone, passwords.WeakPassword, passwords.SignInBusy),
)
async def set_own_password(
    body: OwnPasswordIn, request: Request, context: Ctx, actor: CurrentActor
) -> None:
    """Set the own password by code. All other sessions end."""
    await phone_passwords.set_own_password(
        context, actor, body.code, body.new.get_secret_value(), client_address(request)
    )


@router.post(
    "/me/deletion",
    operation_id="deleteAccount",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(
        *_CHECKING, NotByPhone, InService, ProofNeeded, WrongPassword, passwords.SignInBusy
    ),
)
async def delete_account(
    body: ProofIn, request: Request, context: Ctx, actor: CurrentActor
) -> None:
    """End the own account for good: it cannot be undone.

    Every session ends, and opening doors from afar. Who lives where stays in the register of
    the community; cards go on to work.
    """
    await own_account.delete(context, actor, _proof(body, client_address(request)))


def _proof(body: ProofIn, address: str) -> Proof:
    password = body.password.get_secret_value() if body.password else ""
    return Proof(address, password, body.own_code or "")
