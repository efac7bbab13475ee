"""Residents' accounts in the tenant matrix: all of it is about the own account."""

from typing import Any, Final

from tests.business_api.conftest import PASSWORD, Api, Estate

_PHONE: Final = "+8613800138999"
_CODE: Final = "000000"


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """None: there are no ids in these paths."""
    return {}


def _body(**fields: str) -> Any:
    return lambda _estate, _ids: dict(fields)


BODIES: Final[dict[str, Any]] = {
    "sendCode": _body(phone=_PHONE, purpose="register"),
    "register": _body(phone=_PHONE, code=_CODE, name="王五"),
    "signInByCode": _body(phone=_PHONE, code=_CODE),
    "setPasswordByCode": _body(phone=_PHONE, code=_CODE, new="a long new password"),
    "sendOwnCode": _body(purpose="password"),
    "sendNewPhoneCode": _body(phone=_PHONE),
    "changePhone": _body(phone=_PHONE, code=_CODE, password=PASSWORD),
    "setOwnPasswordByCode": _body(code=_CODE, new="a long new password"),
    "deleteAccount": _body(own_code=_CODE),
}
