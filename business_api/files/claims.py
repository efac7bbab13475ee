"""Places of uploads: how many files, and bytes, an account may have that nothing is made of.

A claim is written down before anything is counted, and everything that is unused or under
way is counted, so of any number at once no more than the limit gets through.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from business_api.files.errors import TooManyFiles
from business_api.files.models import StoredFile, UploadClaim
from foundation.runner import Context

LIFE: Final = timedelta(hours=2)
"""No upload takes longer: a body has ten minutes, a scan one."""
_AT_ONCE: Final = 500
_RETRY_AFTER: Final = 3600


async def begin(context: Context, account_id: UUID) -> UploadClaim:
    """Claim a place for one more file. Three statements, each by itself.

    Raises:
        TooManyFiles: too many of this account are unused or under way.
    """
    claim = await UploadClaim.create(account_id=account_id, created_at=context.clock())
    try:
        await _check(context, account_id)
    except BaseException:
        await claim.delete()
        raise
    return claim


async def reserve(context: Context, claim: UploadClaim, size: int) -> None:
    """Claim `size` bytes for it, instead of what it claimed before. Three statements.

    Raises:
        TooManyFiles: the unused files of this account have too many bytes.
    """
    await UploadClaim.filter(id=claim.id).update(size=size)
    await _check(context, claim.account_id)


async def _check(context: Context, account_id: UUID) -> None:
    limits = context.settings.files
    # Claims first: one that becomes a file between the two is counted twice, not never.
    under_way = UploadClaim.filter(account_id=account_id).only("id", "size")
    rows: list[UploadClaim | StoredFile] = [*await under_way.limit(limits.unused_files + 1)]
    unused = StoredFile.filter(account_id=account_id, attached_to=None).only("id", "size")
    rows += await unused.limit(limits.unused_files + 1)
    if len(rows) > limits.unused_files or sum(row.size for row in rows) > limits.unused_bytes:
        raise TooManyFiles(retry_after=_RETRY_AFTER)


async def forgotten(context: Context) -> Sequence[UUID]:
    """End the claims of uploads that died; their ids, 500 at most. Two statements."""
    old = UploadClaim.filter(created_at__lt=context.clock() - LIFE).order_by("created_at")
    ids: list[UUID] = await old.limit(_AT_ONCE).values_list("id", flat=True)  # type: ignore[assignment]
    if ids:
        await UploadClaim.filter(id__in=ids).delete()
    return ids
