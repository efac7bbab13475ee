"""The data dictionary, as the API shows it."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from business_api.dictionary.models import DictItem
from business_api.schemas import ChangeIn, In, Name, Out

DictCode = Annotated[
    str, StringConstraints(strip_whitespace=True, pattern=r"^[a-z][a-z0-9_]{0,39}$")
]
"""What programs name it by: `app_home`."""
Sort = Annotated[int, Field(ge=0, le=1_000_000)]


class DictTypeIn(In):
    """A list to be made."""

    code: DictCode
    name_zh: Name
    name_en: Name


class DictTypeChangeIn(ChangeIn):
    """Other names for a list."""

    name_zh: Name | None = None
    name_en: Name | None = None


class DictTypeOut(Out):
    """A list. `builtin`: the product asks for it by its code, and it cannot be deleted."""

    id: UUID
    code: str
    name_zh: str
    name_en: str
    builtin: bool
    created_at: datetime
    version: int


class DictItemIn(In):
    """A word to be added; without an operator one for everybody."""

    operator_id: UUID | None = None
    code: DictCode
    name_zh: Name
    name_en: Name
    sort: Sort = 0
    enabled: bool = True


class DictItemChangeIn(ChangeIn):
    """See `DictItemIn`."""

    name_zh: Name | None = None
    name_en: Name | None = None
    sort: Sort | None = None
    enabled: bool | None = None


class DictItemOut(Out):
    """A word of a list. Its operator is null when it is the platform's."""

    id: UUID
    type_id: UUID
    type_code: str
    operator_id: UUID | None
    code: str
    name_zh: str
    name_en: str
    sort: int
    enabled: bool
    created_at: datetime
    version: int

    @classmethod
    def of(cls, row: DictItem) -> Self:
        """A row, its list loaded."""
        row.type_code = row.type.code
        return cls.model_validate(row)


class DictChoiceOut(Out):
    """Something to choose."""

    code: str
    name_zh: str
    name_en: str
    sort: int
