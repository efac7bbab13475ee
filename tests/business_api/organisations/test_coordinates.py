import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from business_api.organisations.coordinates import Datum, Point, of_wgs84, to_wgs84

IN_CHINA = st.builds(Point, st.floats(0.9, 55.7), st.floats(72.1, 137.7))
"""A little off the edge of the rectangle, where maps begin to shift."""


def metres(one: Point, other: Point) -> float:
    north = (one.lat - other.lat) * 111_320
    east = (one.lng - other.lng) * 111_320 * math.cos(math.radians(one.lat))
    return math.hypot(north, east)


@given(IN_CHINA, st.sampled_from(Datum))
def test_there_and_back_is_the_same_place(point: Point, datum: Datum):
    assert metres(point, to_wgs84(of_wgs84(point, datum), datum)) < 0.001


@given(IN_CHINA, st.sampled_from(Datum))
def test_what_six_decimals_lose_is_less_than_a_metre(point: Point, datum: Datum):
    shown = of_wgs84(point, datum)
    typed = Point(round(shown.lat, 6), round(shown.lng, 6))
    kept = to_wgs84(typed, datum)
    assert metres(point, Point(round(kept.lat, 6), round(kept.lng, 6))) < 1


@given(IN_CHINA)
def test_a_shift_is_some_hundred_metres(point: Point):
    assert metres(point, of_wgs84(point, Datum.GCJ02)) < 3000
    assert 100 < metres(of_wgs84(point, Datum.GCJ02), of_wgs84(point, Datum.BD09)) < 3000


@pytest.mark.parametrize(
    ("datum", "lat", "lng"),
    [
        # As the converters in use have it: for 天安门, 116.404 39.915 on WGS-84 ...
        (Datum.GCJ02, 39.916_404_281_50, 116.410_244_499_17),
        # ... and the same place on Baidu's map.
        (Datum.BD09, 39.922_699_552_2, 116.416_627_243_8),
    ],
)
def test_known_places(datum: Datum, lat: float, lng: float):
    shown = of_wgs84(Point(39.915, 116.404), datum)
    assert shown == pytest.approx((lat, lng), abs=1e-9)


def test_outside_of_china_nothing_is_shifted_by_law():
    london = Point(51.5074, -0.1278)
    assert of_wgs84(london, Datum.GCJ02) == london
    assert to_wgs84(london, Datum.GCJ02) == london
