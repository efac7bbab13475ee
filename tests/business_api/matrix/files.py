"""Files in the tenant matrix."""

from typing import Any, Final

from business_api.files.models import FileKind, StoredFile
from tests.business_api.conftest import Api, Estate


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """A file that the community's admin has sent."""
    file = await StoredFile.create(
        account_id=estate.admin.id,
        name="a.pdf",
        kind=FileKind.PDF,
        media_type="application/pdf",
        size=1,
        sha256="",
        created_at=api.time(),
    )
    return {"file_id": str(file.id)}


BODIES: Final[dict[str, Any]] = {"uploadFile": lambda _estate, _ids: b"%PDF-1.7" + bytes(20)}
