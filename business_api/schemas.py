"""What request and answer models have in common."""

from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)


class In(BaseModel):
    """A request body. An unknown field is a mistake of the caller, and said so."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ChangeIn(In):
    """An edit: only what is said changes. A subclass names the fields that null empties."""

    NULLABLE: ClassVar[frozenset[str]] = frozenset()

    def changes(self) -> dict[str, Any]:
        """What is said."""
        return {name: getattr(self, name) for name in self.model_fields_set}

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("nothing to change")
        if any(getattr(self, name) is None for name in self.model_fields_set - self.NULLABLE):
            raise ValueError("null is no value")
        return self


class Out(BaseModel):
    """An answer, read off a row's attributes. No defaults: every field is always there."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


# Control characters are refused: they have no place in a name, forge log lines, and
# PostgreSQL cannot store U+0000.
_LINE = r"^[^\x00-\x1f\x7f]*$"

Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80, pattern=_LINE)
]
Search = Annotated[str, StringConstraints(strip_whitespace=True, max_length=80, pattern=_LINE)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[0-9A-Za-z]{1,8}$")]
"""Of a building, unit or house; digits are advised ("01", "0101"), letters allowed."""

Username = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_LINE)]


def _text(secret: SecretStr) -> SecretStr:
    """Half a surrogate pair is no character: it can be said in JSON, and not be encoded."""
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("not text") from None
    return secret


Password = Annotated[SecretStr, Field(min_length=1, max_length=128), AfterValidator(_text)]
