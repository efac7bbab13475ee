"""`/v1/imports/{import_id}/first-passwords`: what an import of accounts made up, once."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Request, Response

from business_api.accounts import first_passwords
from business_api.accounts.first_passwords import NoFirstPasswords
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.deps import Ctx, needs
from business_api.imports import uploads, workbooks
from business_api.imports.errors import NoSuchImport
from business_api.language import language_of
from business_api.problems import documents

router = APIRouter(tags=["staff"])


@router.post(
    "/imports/{import_id}/first-passwords",
    operation_id="fetchFirstPasswords",
    response_class=Response,
    responses={
        **documents(NoSuchImport, NoFirstPasswords),
        200: {
            "content": {workbooks.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}
        },
    },
)
async def fetch_first_passwords(
    import_id: UUID,
    context: Ctx,
    actor: Annotated[Actor, needs(Permission.ACCOUNT_MANAGE)],
    request: Request,
) -> Response:
    """The passwords that an import of accounts made up, for who sent it, once."""
    job = await uploads.find(actor, import_id, Permission.ACCOUNT_MANAGE)
    file = await first_passwords.fetch(context, actor, job, language_of(request))
    return workbooks.answer(file, f"passwords-{job.id}.xlsx")
