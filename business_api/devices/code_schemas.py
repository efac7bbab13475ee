"""The pools that stations are registered from, as the API shows them.

A pool belongs to the whole platform: which station of another community holds a code or a
reader is nobody's business here, so that is not shown.
"""

from typing import Annotated

from pydantic import Field, StringConstraints

from business_api.schemas import In, Out
from device_registry.devices.states import CodeState

Batch = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")
]
"""What a delivery is called: a date, an order number."""


class CodeOut(Out):
    """One 通讯码 of the pool."""

    code: str
    state: CodeState
    batch: str


class GenerateCodesIn(In):
    """How many codes to make."""

    count: int = Field(ge=1, le=1000)
    batch: Batch = ""


class GeneratedCodesOut(Out):
    """The new codes, sorted."""

    batch: str
    codes: list[str]


class ImportCodesIn(In):
    """Codes that were made elsewhere: 4 to 16 digits or letters each."""

    codes: list[Annotated[str, StringConstraints(max_length=64)]] = Field(
        min_length=1, max_length=20_000
    )
    batch: Batch = ""


class LineErrorOut(Out):
    """A line that was not taken; `reason` in Chinese."""

    line: int
    value: str
    reason: str


class PoolImportOut(Out):
    """What became of a list. `known` were there already; `errors` holds the first 500 faults."""

    added: int
    known: int
    failed: int
    errors: list[LineErrorOut]


class ReaderOut(Out):
    """One imported Bluetooth reader."""

    number: str
    model: str
    bound: bool
    batch: str
