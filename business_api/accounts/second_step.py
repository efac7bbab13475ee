"""The second step of signing in: a challenge and a code become a session."""

from business_api.accounts import login, second_factor, sessions
from business_api.accounts.models import Account
from business_api.accounts.second_factor import WrongSecondFactor
from business_api.accounts.tokens import ChallengeOver, Tokens
from foundation.runner import Context
from foundation.security import same


async def complete(
    context: Context, challenge: str, code: str, address: str, agent: str
) -> sessions.Issued:
    """Open the session that `login` asked a second factor for.

    Tries are counted before the code is looked at, apart from those of passwords, and like
    them: whoever knows the password gets no more tries here for it.

    Args:
        context: of the process.
        challenge: from `login.sign_in`.
        code: of the authenticator, or a recovery code.
        address: of the caller.
        agent: of the caller.

    Raises:
        ChallengeOver: the challenge is not good (any more).
        WrongSecondFactor: the code is not.
        TooManyTries: see `login`.
    """
    tokens = Tokens(context.keyring)
    account_id, state = tokens.read_challenge(challenge, context.clock())
    attempt = await login.count_try(context, f"second-factor/{account_id}", address)
    account = await Account.get_or_none(id=account_id, disabled_at=None)
    if account is None or not same(tokens.of_state(login.state_of(account)), state):
        await attempt.delete()
        raise ChallengeOver
    try:
        return await login.open_session(
            context,
            account,
            address,
            agent,
            attempt,
            last_check=lambda locked: second_factor.use(context, locked, code),
        )
    except login.WrongCredentials:
        await login.refused(context, "", account, address, by="second_factor")
        raise WrongSecondFactor from None
