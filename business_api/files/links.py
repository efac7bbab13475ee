"""Signed links: good for one file in one form, for some minutes, for whoever has them.

A browser shows an image by its address alone, without our token. The link carries no name
and nothing secret but its own signature.
"""

import hashlib
import hmac
from uuid import UUID

from business_api.files.errors import BadLink
from business_api.files.store import Variant
from foundation.runner import Context


def link(context: Context, variant: Variant, file_id: UUID) -> str:
    """The path and query of a file, good for `files.link_life`.

    Rounded up to whole minutes, so that a list shown twice gives a browser the same
    address, and it need not fetch the image again.
    """
    life = context.settings.files.link_life.total_seconds()
    until = (int(context.clock().timestamp() + life) // 60 + 1) * 60
    return f"/{variant}/{file_id}?until={until}&sig={_signature(context, variant, file_id, until)}"


def check(context: Context, variant: Variant, file_id: UUID, until: int, sig: str) -> None:
    """Refuse a link that we did not make, or whose time is over.

    Raises:
        BadLink: either of them.
    """
    expected = _signature(context, variant, file_id, until)
    if (
        not hmac.compare_digest(sig.encode(), expected.encode())
        or context.clock().timestamp() > until
    ):
        raise BadLink


def _signature(context: Context, variant: Variant, file_id: UUID, until: int) -> str:
    key = context.keyring.derive("file-link")
    text = f"{variant}/{file_id}/{until}".encode()
    return hmac.digest(key, text, hashlib.sha256).hex()[:40]
