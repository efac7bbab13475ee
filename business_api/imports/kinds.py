"""What a slice says about something that can be imported.

A kind is its columns and two functions over a chunk of rows: `check` reads and decides,
`apply` writes what was decided, both in one transaction and each with a fixed number of
statements however many rows there are. Everything else (upload, progress, faults, dry run,
duplicates within the file, the template) follows from the columns.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from business_api.authz.grants import Grant
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType, Site
from business_api.imports.errors import NoSuchImportKind
from business_api.language import Language
from foundation.runner import Context


class Words(NamedTuple):
    """The same in Chinese and English."""

    zh: str
    en: str

    def of(self, language: Language) -> str:
        """In `language`."""
        return self.zh if language == "zh" else self.en


NOTHING: Final = Words("", "")


class Fault(NamedTuple):
    """Why a row was refused: the column's key (empty: the row as a whole), a code, words."""

    column: str
    code: str
    words: Words


@dataclass(frozen=True, slots=True)
class Reason:
    """A kind of fault; `{name}` in its words is filled in.

    What is filled in comes from the structure (a line, a limit), never from a cell: faults
    are stored in clear, and a cell may hold personal data.
    """

    code: str
    zh: str
    en: str

    def at(self, column: str = "", **facts: object) -> Fault:
        """The fault of one cell or row."""
        return Fault(column, self.code, Words(self.zh.format(**facts), self.en.format(**facts)))


class BadCell(Exception):
    """Raised by a column's `read`: the text is not a value."""

    def __init__(self, reason: Reason, **facts: object) -> None:
        super().__init__(reason.code)
        self.reason = reason
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the workbook, found by its Chinese or English title.

    Attributes:
        key: names the value in `Row.values`.
        title: as the header row shows it.
        read: text to value, raising `BadCell`; see `cells`. Not asked with `choices`.
        required: an empty cell is a fault; else it is None: "leave as it is".
        choices: the only values there are, offered as a drop-down.
        example: one good value, in Chinese, for the template.
        note: what to write, for the template.
    """

    key: str
    title: Words
    read: Callable[[str], Any] = str
    required: bool = False
    choices: Mapping[Any, Words] = field(default_factory=dict)
    example: str = ""
    note: Words = NOTHING


@dataclass(frozen=True, slots=True)
class Row:
    """A row whose every cell could be read. A column that is not in the file reads None."""

    line: int
    values: Mapping[str, Any]


class Outcome(StrEnum):
    """What became, or would become, of a row."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """What `check` decided about a row. `plan` is for `apply`; nobody else looks at it."""

    row: Row
    outcome: Outcome
    faults: tuple[Fault, ...] = ()
    plan: Any = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A chunk of rows, where they go and for whom.

    `memory` is kept from chunk to chunk of one dry run: there `check` leaves what an earlier
    chunk would have made, if a later row depends on it. `prepared` is what `prepare` returned.
    `import_id` is for what a kind keeps about the import beside its rows.
    """

    context: Context
    actor: str
    """As the audit chain names the uploader."""
    site: Site
    dry_run: bool
    rows: Sequence[Row]
    memory: dict[str, Any] = field(default_factory=dict)
    prepared: Any = None
    import_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ImportKind:
    """Something that can be imported.

    Attributes:
        name: in addresses, e.g. `houses`.
        title: for people.
        scope: the level it is imported at: OPERATOR, COMPANY or COMMUNITY.
        permission: needed there, beside `import.run`.
        also: further permissions needed there.
        columns: in the order of the template.
        identity: what two rows of one file must not both be; the later one is refused.
        check: decides about every row of the batch, in order. Reads only.
        apply: writes the findings that are CREATED or UPDATED. Not called in a dry run.
        prepare: what takes long (hashing passwords), before the transaction.
        options: drop-downs whose values depend on the place, by column key.
        kicks: wake topics after each chunk that wrote something.
    """

    name: str
    title: Words
    scope: ScopeType
    permission: Permission
    columns: Sequence[Column]
    identity: Callable[[Mapping[str, Any]], Hashable]
    check: Callable[[Batch], Awaitable[Sequence[Finding]]]
    apply: Callable[[Batch, Sequence[Finding]], Awaitable[None]]
    prepare: Callable[[Batch], Awaitable[Any]] | None = None
    options: Callable[[Site], Awaitable[Mapping[str, Sequence[str]]]] | None = None
    kicks: tuple[str, ...] = ()
    also: tuple[Permission, ...] = ()


_WORKBOOKS_AT_ONCE: Final = 2


class Imports:
    """What the imports keep in a process: the kinds there are. A port of the context.

    Args:
        kinds: in the order to show them.
        held_by: everything that an account holds now, live or not; nothing if it may not
            sign in. Asked as long as its import runs.
    """

    def __init__(
        self,
        kinds: Sequence[ImportKind],
        held_by: Callable[[UUID], Awaitable[Sequence[Grant]]],
    ) -> None:
        self._kinds = {kind.name: kind for kind in kinds}
        self.held_by = held_by
        self.making = asyncio.Semaphore(_WORKBOOKS_AT_ONCE)
        """Held while a workbook of errors is made: each takes a reader and its memory."""

    def kind(self, name: str) -> ImportKind:
        """The kind of that name.

        Raises:
            NoSuchImportKind: there is none.
        """
        try:
            return self._kinds[name]
        except KeyError:
            raise NoSuchImportKind from None

    def all(self) -> Sequence[ImportKind]:
        """Every kind, in the order given."""
        return tuple(self._kinds.values())
