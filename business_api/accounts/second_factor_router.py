"""`/v1/me/second-factor`: setting it up, its recovery codes, and doing without it again."""

from fastapi import APIRouter, Request, status

from business_api.accounts import second_factor
from business_api.accounts.errors import WrongPassword
from business_api.accounts.login import TooManyTries
from business_api.accounts.passwords import SignInBusy
from business_api.accounts.schemas import (
    CodeIn,
    ConfirmBothIn,
    ConfirmFactorIn,
    EnrolmentOut,
    RecoveryCodesOut,
)
from business_api.accounts.second_factor import SecondFactorOff, SecondFactorOn, WrongSecondFactor
from business_api.deps import Ctx, CurrentActor, EnrollingActor, client_address
from business_api.problems import documents

router = APIRouter(prefix="/me/second-factor", tags=["sign-in"])


@router.post(
    "",
    operation_id="beginSecondFactor",
    responses=documents(WrongPassword, SecondFactorOn, TooManyTries, SignInBusy),
)
async def begin(
    body: ConfirmFactorIn, request: Request, context: Ctx, actor: EnrollingActor
) -> EnrolmentOut:
    """Make a secret for an authenticator. Nothing is asked for until it is confirmed."""
    password = body.password.get_secret_value()
    return await second_factor.begin(context, actor, password, client_address(request))


@router.post(
    "/confirm",
    operation_id="confirmSecondFactor",
    responses=documents(WrongSecondFactor, SecondFactorOn, SecondFactorOff, TooManyTries),
)
async def confirm(
    body: CodeIn, request: Request, context: Ctx, actor: EnrollingActor
) -> RecoveryCodesOut:
    """Show that the authenticator has the secret: from now on its codes are asked for.

    All other sessions of the account end.
    """
    address = client_address(request)
    return RecoveryCodesOut(codes=await second_factor.confirm(context, actor, body.code, address))


@router.post(
    "/recovery-codes",
    operation_id="renewRecoveryCodes",
    responses=documents(
        WrongPassword, WrongSecondFactor, SecondFactorOff, TooManyTries, SignInBusy
    ),
)
async def renew_codes(
    body: ConfirmBothIn, request: Request, context: Ctx, actor: CurrentActor
) -> RecoveryCodesOut:
    """Make new recovery codes; the old ones are good for nothing."""
    codes = await second_factor.renew_codes(
        context, actor, body.password.get_secret_value(), body.code, client_address(request)
    )
    return RecoveryCodesOut(codes=codes)


@router.post(
    "/off",
    operation_id="endSecondFactor",
    status_code=status.HTTP_204_NO_CONTENT,
    responses=documents(
        WrongPassword, WrongSecondFactor, SecondFactorOff, TooManyTries, SignInBusy
    ),
)
async def put_off(body: ConfirmBothIn, request: Request, context: Ctx, actor: CurrentActor) -> None:
    """Be asked for no second factor any more. All other sessions of the account end."""
    await second_factor.put_off(
        context, actor, body.password.get_secret_value(), body.code, client_address(request)
    )
