"""An applicant's phone and ID number: sealed with the application's own key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from business_api import vault
from business_api.certification.models import Certification
from foundation.runner import Context


@dataclass(frozen=True, slots=True)
class Personal:
    """What is sealed, in clear; empty texts when it has been forgotten."""

    phone: str = ""
    id_number: str = ""


GONE: Final[Mapping[str, Any]] = {
    "data_key": None,
    "phone_sealed": None,
    "id_number_sealed": None,
    "name": "",
}
"""The columns of one that says nothing of its applicant any more."""


def sealed(context: Context, id_: UUID, data: Personal) -> dict[str, Any]:
    """The columns of a new application."""
    key = vault.new_key(context.keyring, id_)

    def seal(field: str, text: str) -> bytes | None:
        return vault.seal(context.keyring, id_, key, field, text) if text else None

    return {
        "data_key": key,
        "phone_sealed": seal("phone", data.phone),
        "id_number_sealed": seal("id_number", data.id_number),
    }


def unsealed(context: Context, row: Certification) -> Personal:
    """What an application holds."""
    key = row.data_key
    if key is None:
        return Personal()

    def unseal(field: str, sealed_: bytes | None) -> str:
        if sealed_ is None:
            return ""
        return vault.unseal(context.keyring, row.id, bytes(key), field, bytes(sealed_))

    return Personal(unseal("phone", row.phone_sealed), unseal("id_number", row.id_number_sealed))
