"""The OpenAPI document: FastAPI's own, with our problems instead of its validation errors."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from business_api.actors import NotAllowed
from business_api.deps import (
    Needs,
    NotSignedIn,
    PasswordChangeNeeded,
    SecondFactorSetUpNeeded,
)
from business_api.problems import InvalidRequest, Problem, documents
from business_api.rate_limits import TooManyRequests
from foundation.errors import DomainError

_REF: Final = "#/components/schemas/{model}"
_THEIRS: Final = ("HTTPValidationError", "ValidationError")


def install(app: FastAPI, routers: Sequence[APIRouter]) -> None:
    """Make `app.openapi()` and `/openapi.json` give the completed document.

    Args:
        app: its document is completed.
        routers: whose operations say which permission they need.
    """
    plain = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(plain(), _permissions(routers))
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _permissions(routers: Sequence[APIRouter]) -> dict[str, str]:
    """By operation: the permission it needs."""
    return {
        route.operation_id: needed.permission.value
        for router in routers
        for route in _routes(router)
        if route.operation_id
        for needed in _needed(route.dependant)
    }


def _routes(router: APIRouter) -> Iterator[APIRoute]:
    """A router's own, and those of the routers that it includes."""
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        elif isinstance(inner := getattr(route, "original_router", None), APIRouter):
            yield from _routes(inner)


def _needed(dependant: Dependant) -> Iterator[Needs]:
    if isinstance(dependant.call, Needs):
        yield dependant.call
    for inner in dependant.dependencies:
        yield from _needed(inner)


def _complete(document: dict[str, Any], permissions: dict[str, str]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    problem = Problem.model_json_schema(ref_template=_REF)
    schemas.update(problem.pop("$defs"))
    schemas["Problem"] = problem
    for name in _THEIRS:
        schemas.pop(name, None)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    for operations in document["paths"].values():
        for operation in operations.values():
            _complete_operation(operation)
            if permission := permissions.get(operation.get("operationId", "")):
                operation["x-permission"] = permission
    return document


def _complete_operation(operation: dict[str, Any]) -> None:
    """Add what every operation of its form may answer, without repeating it on each route."""
    responses = operation["responses"]
    common: list[type[DomainError]] = []
    if operation.get("security"):
        common += [NotSignedIn, NotAllowed, PasswordChangeNeeded, SecondFactorSetUpNeeded]
        common.append(TooManyRequests)
    if operation.get("parameters") or "requestBody" in operation:
        common.append(InvalidRequest)
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    for status, entry in documents(*common).items():
        known = responses.setdefault(str(status), entry)
        if known is not entry:
            known["description"] += "; " + entry["description"]
    operation["responses"] = dict(sorted(responses.items()))
