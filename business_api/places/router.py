"""The place tree: zones, buildings, units, houses, and what residents may choose from."""

from fastapi import APIRouter

from business_api.places import (
    buildings_router,
    directory_router,
    houses_router,
    units_router,
    zones_router,
)

router = APIRouter(tags=["places"])
router.include_router(zones_router.router)
router.include_router(buildings_router.router)
router.include_router(units_router.router)
router.include_router(houses_router.router)
router.include_router(directory_router.router)
