"""Everything about organisations and regions, in the order of the documentation."""

from fastapi import APIRouter

from business_api.organisations import (
    communities_router,
    companies_router,
    operators_router,
    regions_router,
)

router = APIRouter()
for part in (operators_router, companies_router, communities_router, regions_router):
    router.include_router(part.router)
