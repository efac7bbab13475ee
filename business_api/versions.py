"""Editing without overwriting each other: `ETag` out, `If-Match` in (RFC 9110, 13.1.1).

Every editable row has a `version`. An answer that shows one carries it as ETag; an edit
must name the version it was made on, and changes the row only if that is still the one.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Response
from tortoise.expressions import F
from tortoise.models import Model

from foundation.errors import DomainError, Kind

_TAG: Final = re.compile(r'"(\d{1,9})"')


class Stale(DomainError):
    """Somebody else changed it since it was read: read it again."""

    kind, code, title = Kind.STALE, "stale", "It has been changed in the meantime"
    title_zh = "数据已被他人修改，请刷新后重试"


class IfMatchRequired(DomainError):
    """An edit must carry `If-Match` with the ETag of what was read."""

    kind, code, title = Kind.INVALID, "if-match-required", "The If-Match header is needed"
    title_zh = "缺少 If-Match 请求头"


def tag(response: Response, version: int) -> None:
    """Put the version on an answer."""
    response.headers["ETag"] = f'"{version}"'


async def _expected(
    if_match: Annotated[
        str | None,
        Header(max_length=80, description="The `ETag` of what was read; needed for an edit."),
    ] = None,
) -> int:
    if if_match is None:
        raise IfMatchRequired
    found = _TAG.fullmatch(if_match.strip())
    if found is None:
        # A tag that we never gave can match nothing.
        raise Stale
    return int(found[1])


IfMatch = Annotated[int, Depends(_expected)]
"""The version that the caller's edit was made on."""


async def edit(row: Model, changes: Mapping[str, Any], version: int) -> None:
    """Write columns of a row, if it is still at `version`; the row is as it is now then.

    In the caller's transaction; one statement. The row has a column `version`.

    Raises:
        Stale: somebody changed it since, or deleted it.
    """
    mine = type(row).filter(pk=row.pk, version=version)
    if not await mine.update(**changes, version=F("version") + 1):
        raise Stale
    row.update_from_dict({**changes, "version": version + 1})
