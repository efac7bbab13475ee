"""Registration, codes and the own number, as the API shows them."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from business_api.schemas import In, Name, Out, Password

Phone = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=5, max_length=40, pattern=r"^\+?[0-9 ()-]+$"
    ),
    Field(description="mobile; without a country code, one of mainland China"),
]
Code = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9]{6}$")]


class SendCodeIn(In):
    """Where a code is to go, and what for."""

    phone: Phone
    purpose: Literal["register", "sign_in", "password"]


class CodeSentOut(Out):
    """A message is on its way, whatever it says. `again_in` seconds there can be another."""

    expires_at: datetime
    again_in: int


class RegisterIn(In):
    """Somebody who registers. Without a password the account is entered by codes."""

    phone: Phone
    code: Code
    name: Name
    password: Password | None = None


class CodeSignInIn(In):
    """The number and the code that was sent to it."""

    phone: Phone
    code: Code


class CodePasswordIn(In):
    """The number, the code that was sent to it, and the password from now on."""

    phone: Phone
    code: Code
    new: Password


class OwnCodeIn(In):
    """What a code to the own number is for."""

    purpose: Literal["phone", "password", "delete"]


class NewPhoneIn(In):
    """The number that is to become the own one."""

    phone: Phone


class ProofIn(In):
    """That it is the owner who asks: the password, or a code to the present number."""

    password: Password | None = None
    own_code: Code | None = None


class ChangePhoneIn(ProofIn):
    """The new number with the code sent to it, and proof of the owner."""

    phone: Phone
    code: Code


class OwnPasswordIn(In):
    """A code to the own number, and the password from now on."""

    code: Code
    new: Password
