"""Bulk imports in the tenant matrix."""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from business_api.imports import parts
from business_api.imports.models import ImportFault, ImportJob, ImportState
from business_api.tenancy import place
from tests.business_api.conftest import Api, Estate
from tests.business_api.imports.workbooks import workbook

Values = Mapping[str, str]

_BODY: Final = workbook(("楼栋编号", "房屋编号"), [("!", "0101")])


async def things(api: Api, estate: Estate) -> dict[str, str]:
    """An import of houses that has ended, with a row that was refused."""

    async def body() -> AsyncIterator[bytes]:
        yield _BODY

    job = await ImportJob.create(
        kind="houses",
        state=ImportState.DONE,
        size=len(_BODY),
        total=1,
        done=1,
        refused=1,
        created_by=estate.admin.id,
        created_at=api.time(),
        **place(estate.site),
    )
    await parts.store(api.context, job.id, body())
    await ImportFault.create(import_id=job.id, line=2, reasons=[], created_at=api.time())
    return {"import_id": str(job.id), "import_kind": "houses"}


BODIES: Final[dict[str, Callable[[Estate, Values], Any]]] = {
    "startImport": lambda _estate, _ids: _BODY,
}


def _here(_estate: Estate, ids: Values) -> dict[str, str]:
    return {"kind": "houses", "community_id": ids["community_id"]}


QUERIES: Final[dict[str, Callable[[Estate, Values], Any]]] = {
    "startImport": _here,
    "importTemplate": _here,
}
