"""Bulk imports: the template, the upload, how far it is, what was refused."""

from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from business_api import auditing
from business_api.actors import Actor
from business_api.authz.permissions import Permission
from business_api.authz.scope import ScopeType, Site
from business_api.deps import Ctx, needs
from business_api.imports import error_workbook, templates, uploads, workbooks
from business_api.imports.errors import (
    ImportOver,
    ImportScopeMissing,
    NoErrorWorkbook,
    NoSuchImport,
    NoSuchImportKind,
    NotAWorkbook,
    TooManyImports,
)
from business_api.imports.kinds import ImportKind, Imports
from business_api.imports.models import ImportFault, ImportJob, ImportState
from business_api.imports.schemas import ImportErrorOut, ImportKindOut, ImportOut, import_out
from business_api.language import language_of
from business_api.middleware import Limit
from business_api.organisations import find
from business_api.organisations.errors import NoSuchCommunity, NoSuchCompany, NoSuchOperator
from business_api.paging import Page, PageQuery
from business_api.problems import documents

router = APIRouter(tags=["imports"])

UPLOADS: Final = "/v1/imports"
LIMIT: Final = Limit(20 * 1024 * 1024, 300)

_WORKBOOK: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {workbooks.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}}}
}
_UPLOAD: Final = {
    "requestBody": {
        "required": True,
        "content": {workbooks.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
    }
}
_PLACES: Final = (NoSuchOperator, NoSuchCompany, NoSuchCommunity, ImportScopeMissing)

KindQuery = Annotated[str, Query(max_length=40, pattern=r"^[^\x00-\x1f\x7f]*$")]
Runner = Annotated[Actor, needs(Permission.IMPORT_RUN)]
Viewer = Annotated[Actor, needs(Permission.IMPORT_VIEW)]


async def _target(
    actor: Actor,
    kind: ImportKind,
    operator_id: UUID | None,
    company_id: UUID | None,
    community_id: UUID | None,
) -> Site:
    """The place that `kind` is imported to, if the actor may do that there.

    Raises:
        ImportScopeMissing: its id is not given.
        NoSuchOperator, NoSuchCompany, NoSuchCommunity, NotAllowed: see `find`.
    """
    if kind.scope is ScopeType.OPERATOR and operator_id:
        site = (await find.operator(actor, kind.permission, operator_id)).site
    elif kind.scope is ScopeType.COMPANY and company_id:
        site = (await find.company(actor, kind.permission, company_id)).site
    elif kind.scope is ScopeType.COMMUNITY and community_id:
        site = (await find.community(actor, kind.permission, community_id)).site
    else:
        raise ImportScopeMissing(f"{kind.scope}_id")
    for permission in (Permission.IMPORT_RUN, *kind.also):
        actor.require(permission, site)
    return site


@router.get("/import-kinds", operation_id="listImportKinds")
async def list_kinds(actor: Runner, context: Ctx, request: Request) -> list[ImportKindOut]:
    """What the signed-in account may import somewhere."""
    language = language_of(request)
    return [
        ImportKindOut(kind=kind.name, title=kind.title.of(language), scope=kind.scope)
        for kind in context.need(Imports).all()
        if not actor.reach(kind.permission).nowhere
    ]


@router.get(
    "/import-templates/{import_kind}.xlsx",
    operation_id="importTemplate",
    response_class=Response,
    responses={**documents(NoSuchImportKind, *_PLACES), **_WORKBOOK},
)
async def template(
    *,
    import_kind: str,
    actor: Runner,
    context: Ctx,
    request: Request,
    operator_id: UUID | None = None,
    company_id: UUID | None = None,
    community_id: UUID | None = None,
) -> Response:
    """The workbook to fill in, with the drop-downs of one place."""
    kind = context.need(Imports).kind(import_kind)
    site = await _target(actor, kind, operator_id, company_id, community_id)
    body = await templates.template(kind, site, language_of(request))
    return Response(
        body,
        media_type=workbooks.MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{kind.name}.xlsx"'},
    )


@router.post(
    "/imports",
    operation_id="startImport",
    status_code=status.HTTP_202_ACCEPTED,
    openapi_extra=_UPLOAD,
    responses=documents(NoSuchImportKind, NotAWorkbook, TooManyImports, *_PLACES),
)
async def start(
    *,
    actor: Runner,
    context: Ctx,
    request: Request,
    kind: KindQuery,
    operator_id: UUID | None = None,
    company_id: UUID | None = None,
    community_id: UUID | None = None,
    dry_run: bool = False,
) -> ImportOut:
    """Import a workbook: the body is the .xlsx file itself, up to 20 MiB.

    It is worked through later; ask `GET /v1/imports/{import_id}` how far it is. The same
    file may be sent again: what is there already is counted as unchanged. A dry run checks
    everything and writes nothing.
    """
    wanted = context.need(Imports).kind(kind)
    site = await _target(actor, wanted, operator_id, company_id, community_id)
    job = await uploads.start(context, actor, wanted, site, request.stream(), dry_run=dry_run)
    return import_out(job, language_of(request))


@router.get("/imports", operation_id="listImports")
async def list_imports(
    *,
    actor: Viewer,
    request: Request,
    paged: PageQuery,
    kind: KindQuery | None = None,
    state: ImportState | None = None,
    community_id: UUID | None = None,
    company_id: UUID | None = None,
) -> Page[ImportOut]:
    """Imports, newest first."""
    asked = {
        "kind": kind,
        "state": state,
        "community_id": community_id,
        "company_id": company_id,
    }
    which = ImportJob.filter(
        actor.within(Permission.IMPORT_VIEW, ImportJob.SCOPES),
        **{name: value for name, value in asked.items() if value is not None},
    )
    rows = await which.order_by("-id").offset(paged.offset).limit(paged.size)
    language = language_of(request)
    return paged.of([import_out(job, language) for job in rows], await which.count())


@router.get("/imports/{import_id}", operation_id="getImport", responses=documents(NoSuchImport))
async def get_import(import_id: UUID, actor: Viewer, request: Request) -> ImportOut:
    """One import and how far it is."""
    job = await uploads.find(actor, import_id, Permission.IMPORT_VIEW)
    return import_out(job, language_of(request))


@router.post(
    "/imports/{import_id}/cancel",
    operation_id="cancelImport",
    responses=documents(NoSuchImport, ImportOver),
)
async def cancel(import_id: UUID, actor: Runner, context: Ctx, request: Request) -> ImportOut:
    """Stop an import. What it has written stays; the same file can be sent again."""
    job = await uploads.find(actor, import_id, Permission.IMPORT_RUN)
    return import_out(await uploads.cancel(context, actor, job), language_of(request))


@router.get(
    "/imports/{import_id}/errors",
    operation_id="listImportErrors",
    responses=documents(NoSuchImport),
)
async def list_errors(
    import_id: UUID, actor: Viewer, context: Ctx, request: Request, paged: PageQuery
) -> Page[ImportErrorOut]:
    """The refused rows by number: why, and not what stood in them."""
    job = await uploads.find(actor, import_id, Permission.IMPORT_VIEW)
    columns = {column.key: column for column in context.need(Imports).kind(job.kind).columns}
    language = language_of(request)
    which = ImportFault.filter(import_id=job.id)
    rows = await which.order_by("line").offset(paged.offset).limit(paged.size)
    items = [
        ImportErrorOut(
            line=row.line,
            codes=[reason["code"] for reason in row.reasons],
            message=error_workbook.said(row.reasons, columns, language),
        )
        for row in rows
    ]
    return paged.of(items, await which.count())


@router.get(
    "/imports/{import_id}/errors.xlsx",
    operation_id="importErrorWorkbook",
    response_class=Response,
    responses={**documents(NoSuchImport, NoErrorWorkbook), **_WORKBOOK},
)
async def errors(import_id: UUID, actor: Runner, context: Ctx, request: Request) -> Response:
    """The refused rows as they were sent, with the reasons in a last column."""
    job = await uploads.find(actor, import_id, Permission.IMPORT_RUN)
    kind = context.need(Imports).kind(job.kind)
    for permission in (kind.permission, *kind.also):
        actor.require(permission, job.site, NoSuchImport)
    file = await error_workbook.made(context, job, language_of(request))
    await auditing.note(context, actor, "import.download", f"import/{job.id}", job.site)
    return workbooks.answer(file, f"errors-{job.id}.xlsx")
