"""Reading the settings from the environment, and telling what there is to set."""

import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final, NamedTuple

from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import SettingsError

from foundation.errors import DomainError, Kind
from foundation.settings import Settings

PREFIX: Final = "LINLI_"
_PASSWORD: Final = re.compile(r"(://[^:/@]*:).*(@)")
_DURATION: Final = TypeAdapter(timedelta)


class BadSettings(DomainError):
    """A setting has a wrong value, or a name nobody knows."""

    kind, code, title = Kind.INVALID, "bad-settings", "The settings are wrong"
    title_zh = "配置不正确"


class Entry(NamedTuple):
    """One setting. `value` and `default` as they would be written; a secret shows as `***`."""

    name: str
    value: str
    default: str
    meaning: str


def read() -> Settings:
    """The settings of this process, from `LINLI_…` variables.

    Raises:
        BadSettings: with every fault, each by the variable's name, never with a value.
    """
    faults = [
        f"{name}: no such setting"
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX) and not _known(name)
    ]
    try:
        settings = Settings()
    except ValidationError as error:
        faults += [f"{_variable(each['loc'])}: {each['msg']}" for each in error.errors()]
    except SettingsError as error:
        faults.append(f'{error} (lists and maps are written as JSON: ["a", "b"])')
    else:
        if not faults:
            return settings
    raise BadSettings("; ".join(faults))


def entries(settings: Settings) -> list[Entry]:
    """Every setting, in the order of the code."""
    return list(_entries(settings, PREFIX))


def _known(name: str) -> bool:
    return name.upper().removeprefix(PREFIX).split("__")[0].lower() in Settings.model_fields


def _variable(location: tuple[int | str, ...]) -> str:
    return PREFIX + "__".join(str(part).upper() for part in location)


def _entries(group: BaseModel, prefix: str) -> Iterator[Entry]:
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        if isinstance(value, BaseModel):
            yield from _entries(value, f"{prefix}{name.upper()}__")
        else:
            default = field.get_default(call_default_factory=True, validated_data={})
            yield Entry(prefix + name.upper(), _text(value), _text(default), _meaning(field))


def _meaning(field: FieldInfo) -> str:
    return field.description or ""


def _is_url(value: SecretStr) -> bool:
    return "://" in value.get_secret_value()


def _text(value: Any) -> str:
    """As it would be written in the environment."""
    if value is None:
        return ""
    if isinstance(value, SecretStr):
        return _PASSWORD.sub(r"\1***\2", value.get_secret_value()) if _is_url(value) else "***"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, timedelta):
        return str(_DURATION.dump_python(value, mode="json"))
    if isinstance(value, tuple):
        return json.dumps([str(each) for each in value])
    if isinstance(value, dict):
        return json.dumps({key: _text(each) for key, each in value.items()})
    return str(value)
