"""Residents, as the API shows them."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Discriminator, Tag

from business_api.schemas import In, Name, Out, Password, Username


class NewResidentIn(In):
    """An account to make: 2-64 letters, digits or . @ + - _; a password of 12 to 128."""

    username: Username
    name: Name
    password: Password


class KnownResidentIn(In):
    """A resident's account of this community that exists already."""

    account_id: UUID


def _which(body: Any) -> str:
    return "known" if isinstance(body, dict) and "account_id" in body else "new"


ResidentIn = Annotated[
    Annotated[NewResidentIn, Tag("new")] | Annotated[KnownResidentIn, Tag("known")],
    Discriminator(_which),
]


class ResidentOut(Out):
    """Who lives in a house."""

    account_id: UUID
    house_id: UUID
    username: str
    name: str
    disabled: bool
