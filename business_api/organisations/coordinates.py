"""Coordinates as China writes them: WGS-84 is stored, GCJ-02 and BD-09 are for maps.

Maps of China are shifted by law (GCJ-02: AMap, Tencent); Baidu shifts them once more (BD-09).
The forward formulas are those that every open converter uses; the ways back are found by
trying, to a billionth of a degree (a tenth of a millimetre). What is lost is what storing
six decimals loses: at most 6 cm.

Source:
    The GCJ-02 offset as published in 2010 on on4wp7.codeplex.com ("EvilTransform"), with
    the ellipsoid of Krasovsky 1940; the BD-09 offset as in the same family of converters
    (`eviltransform`, `PRCoords`).
"""

import math
from collections.abc import Callable
from enum import StrEnum
from typing import Final, NamedTuple

_AXIS: Final = 6_378_245.0
_ECCENTRICITY: Final = 0.006_693_421_622_965_943_23
_BAIDU: Final = math.pi * 3000 / 180
_CLOSE: Final = 1e-9
_TRIES: Final = 30


class Datum(StrEnum):
    """What a latitude and a longitude are measured on."""

    WGS84 = "wgs84"
    GCJ02 = "gcj02"
    BD09 = "bd09"


class Point(NamedTuple):
    """Decimal degrees, north and east positive."""

    lat: float
    lng: float


def to_wgs84(point: Point, datum: Datum) -> Point:
    """The same place on WGS-84."""
    if datum is Datum.BD09:
        point = _undo(_bd09_of_gcj02, point)
    return point if datum is Datum.WGS84 else _undo(_gcj02_of_wgs84, point)


def of_wgs84(point: Point, datum: Datum) -> Point:
    """The same place on `datum`."""
    if datum is Datum.WGS84:
        return point
    shifted = _gcj02_of_wgs84(point)
    return shifted if datum is Datum.GCJ02 else _bd09_of_gcj02(shifted)


def _undo(shift: Callable[[Point], Point], point: Point) -> Point:
    """What `shift` turns into `point`: both shifts change far slower than they move."""
    guess = point
    for _ in range(_TRIES):
        there = shift(guess)
        lat, lng = point.lat - there.lat, point.lng - there.lng
        guess = Point(guess.lat + lat, guess.lng + lng)
        if abs(lat) < _CLOSE and abs(lng) < _CLOSE:
            break
    return guess


def _shifted(point: Point) -> bool:
    """Whether maps shift it: the rectangle around China that all converters use."""
    return 0.8293 <= point.lat <= 55.8271 and 72.004 <= point.lng <= 137.8347


def _gcj02_of_wgs84(point: Point) -> Point:
    if not _shifted(point):
        return point
    x, y = point.lng - 105, point.lat - 35
    waves = 20 * math.sin(6 * math.pi * x) + 20 * math.sin(2 * math.pi * x)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * math.sqrt(abs(x))
    north += 2 / 3 * (waves + _swell(y, (20, 40, 160, 320), (1, 3, 12, 30)))
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * math.sqrt(abs(x))
    east += 2 / 3 * (waves + _swell(x, (20, 40, 150, 300), (1, 3, 12, 30)))
    radians = math.radians(point.lat)
    bulge = 1 - _ECCENTRICITY * math.sin(radians) ** 2
    metres_north = _AXIS * (1 - _ECCENTRICITY) / (bulge * math.sqrt(bulge))
    metres_east = _AXIS / math.sqrt(bulge) * math.cos(radians)
    return Point(
        point.lat + math.degrees(north / metres_north),
        point.lng + math.degrees(east / metres_east),
    )


def _swell(at: float, heights: tuple[int, ...], lengths: tuple[int, ...]) -> float:
    waves = zip(heights, lengths, strict=True)
    return sum(height * math.sin(at * math.pi / length) for height, length in waves)


def _bd09_of_gcj02(point: Point) -> Point:
    radius = math.hypot(point.lng, point.lat) + 0.000_02 * math.sin(point.lat * _BAIDU)
    angle = math.atan2(point.lat, point.lng) + 0.000_003 * math.cos(point.lng * _BAIDU)
    return Point(radius * math.sin(angle) + 0.006, radius * math.cos(angle) + 0.0065)
