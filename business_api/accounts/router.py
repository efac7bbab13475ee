"""`/v1/auth`, `/v1/me` and the password: what everybody has who signs in."""

from uuid import UUID

from fastapi import APIRouter, Request, status

from business_api.accounts import accounts, login, me, passwords, second_step, sessions
from business_api.accounts.errors import WrongPassword
from business_api.accounts.schemas import (
    LoginIn,
    MeOut,
    PasswordIn,
    RefreshIn,
    SecondStepIn,
    SessionOut,
    SignInOut,
    TokensOut,
    sign_in_out,
)
from business_api.accounts.second_factor import WrongSecondFactor
from business_api.accounts.tokens import ChallengeOver
from business_api.deps import Ctx, CurrentActor, NotSignedIn, SignedInActor, client_address
from business_api.paging import Page, PageQuery
from business_api.problems import documents

router = APIRouter(tags=["sign-in"])


@router.post(
    "/auth/login",
    operation_id="signIn",
    responses=documents(login.WrongCredentials, login.TooManyTries, passwords.SignInBusy),
)
async def sign_in(body: LoginIn, request: Request, context: Ctx) -> SignInOut:
    """Sign in with username and password; with a second factor on, a challenge is answered.

    After 10 wrong passwords in 15 minutes a username is locked for new sign-ins; sessions
    that are open already go on.
    """
    result = await login.sign_in(
        context,
        body.username,
        body.password.get_secret_value(),
        client_address(request),
        request.headers.get("user-agent", ""),
    )
    return sign_in_out(result)


@router.post(
    "/auth/second-factor",
    operation_id="signInSecondStep",
    responses=documents(ChallengeOver, WrongSecondFactor, login.TooManyTries),
)
async def second_factor(body: SecondStepIn, request: Request, context: Ctx) -> TokensOut:
    """Complete a sign-in with a code of the authenticator, or a recovery code."""
    issued = await second_step.complete(
        context,
        body.challenge,
        body.code,
        client_address(request),
        request.headers.get("user-agent", ""),
    )
    return TokensOut.of(issued)


@router.post("/auth/refresh", operation_id="refreshSession", responses=documents(NotSignedIn))
async def refresh(body: RefreshIn, request: Request, context: Ctx) -> TokensOut:
    """Exchange the refresh token for a new pair. Using a spent one ends the session."""
    return TokensOut.of(
        await sessions.refresh(context, body.refresh_token, client_address(request))
    )


@router.post("/auth/logout", operation_id="signOut", status_code=status.HTTP_204_NO_CONTENT)
async def sign_out(context: Ctx, actor: SignedInActor) -> None:
    """End this session: its access and refresh tokens are good for nothing from now on."""
    await sessions.end(context, actor, actor.session_id, "signed_out")


@router.get("/auth/sessions", operation_id="listSessions")
async def list_sessions(context: Ctx, actor: CurrentActor, paged: PageQuery) -> Page[SessionOut]:
    """Where this account is signed in, the latest first."""
    rows = await sessions.listed(actor.account_id, context.clock())
    shown = [
        SessionOut(
            id=row.id,
            created_at=row.created_at,
            refreshed_at=row.refreshed_at,
            expires_at=row.expires_at,
            address=row.address,
            agent=row.agent,
            current=row.id == actor.session_id,
        )
        for row in rows
    ]
    return paged.of(shown[paged.offset :][: paged.size], len(shown))


@router.delete(
    "/auth/sessions/{session_id}",
    operation_id="endSession",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(sessions.NoSuchSession),
)
async def end_session(session_id: UUID, context: Ctx, actor: CurrentActor) -> None:
    """Sign out somewhere else."""
    await sessions.end(context, actor, session_id, "by_owner")


@router.get("/me", operation_id="me")
async def show_me(context: Ctx, actor: SignedInActor) -> MeOut:
    """Who is signed in."""
    return await me.of(context, actor)


@router.post(
    "/me/password",
    operation_id="changePassword",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(
        WrongPassword, passwords.WeakPassword, login.TooManyTries, passwords.SignInBusy
    ),
)
async def change_password(
    body: PasswordIn, request: Request, context: Ctx, actor: SignedInActor
) -> None:
    """Change the own password. All other sessions of the account end."""
    await accounts.change_password(
        context,
        actor,
        body.current.get_secret_value(),
        body.new.get_secret_value(),
        client_address(request),
    )
