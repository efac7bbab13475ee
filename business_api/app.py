"""Builds the HTTP application."""

import asyncio
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI

from business_api import health_api, openapi, problems
from business_api.accounts import (
    first_passwords_router,
    phone_router,
    roles_router,
    second_factor_router,
    staff_import,
    staff_router,
)
from business_api.accounts import router as accounts
from business_api.audit import router as audit
from business_api.authentication import Sessions, held_by
from business_api.certification import my_router as my_certifications
from business_api.certification import router as certifications
from business_api.devices import acts, alarms, codes, device_api, doors, live, records
from business_api.devices import router as stations
from business_api.dictionary import router as dictionary
from business_api.files import router as files
from business_api.files.store import Store
from business_api.imports import router as imports
from business_api.imports.kinds import ImportKind, Imports
from business_api.messages import channels_router as message_channels
from business_api.messages import router as messages
from business_api.middleware import BodyLimit, Edge, Limit
from business_api.organisations import router as organisations
from business_api.people import consents_router
from business_api.people import router as people
from business_api.places import house_import
from business_api.places import router as places
from business_api.rate_limits import RateLimit
from business_api.residents import houses_router
from business_api.residents import router as residents
from business_api.residents.owner_import import OWNERS
from business_api.residents.resident_import import RESIDENTS
from business_api.rights import router as rights
from business_api.sms import developer
from business_api.statistics import router as statistics
from business_api.tenants import company_import
from business_api.tenants import router as tenants
from foundation.runner import Context

V1: Final[tuple[APIRouter, ...]] = (
    accounts.router,
    phone_router.router,
    second_factor_router.router,
    staff_router.router,
    first_passwords_router.router,
    roles_router.router,
    rights.router,
    organisations.router,
    tenants.router,
    dictionary.router,
    statistics.router,
    files.router,
    messages.router,
    message_channels.router,
    audit.router,
    imports.router,
    places.router,
    people.router,
    consents_router.router,
    residents.router,
    houses_router.router,
    certifications.router,
    my_certifications.router,
    stations.router,
    acts.router,
    alarms.router,
    codes.router,
    doors.router,
    records.router,
    live.router,
)
"""Everything under `/v1`, in the order of the documentation."""

IMPORTS: Final[tuple[ImportKind, ...]] = (
    company_import.COMPANIES,
    house_import.kind(OWNERS),
    RESIDENTS,
    *staff_import.kinds(),
)
"""Everything that can be imported from Excel."""


def create_app(context: Context) -> FastAPI:
    """The API, over services that someone else starts and stops.

    `app.state.stop` is set when the process is asked to stop: endless answers (event
    streams) end then.
    """
    app = FastAPI(
        title="linli",
        summary="Doors, calls and neighbourhood services.",
        version=version("linli"),
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    context.provide(Store, Store(context.settings.files, context.settings.data_dir))
    context.provide(Imports, Imports(IMPORTS, held_by))
    app.state.authenticator = Sessions(context)
    app.state.requests_per_account = RateLimit(context.settings.auth.requests_per_minute)
    app.state.stop = asyncio.Event()
    for router in V1:
        app.include_router(router, prefix="/v1")
    app.include_router(files.bytes_router)
    app.include_router(device_api.router)
    app.include_router(developer.router)
    app.include_router(health_api.router)
    problems.install(app)
    openapi.install(app, V1)
    app.add_middleware(
        BodyLimit,
        limit=Limit(context.settings.http.max_body),
        under={
            imports.UPLOADS: imports.LIMIT,
            "/v1/files": Limit(files.MAX_BODY, files.BODY_SECONDS),
            device_api.router.prefix: Limit(device_api.MAX_BODY),
        },
    )
    app.add_middleware(Edge)
    return app
