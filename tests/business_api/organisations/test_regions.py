import json
from pathlib import Path

import pytest

from business_api.organisations import make_regions, regions
from business_api.organisations.regions import Level
from tests.business_api.conftest import Api


def everything() -> list[regions.Region]:
    found, waiting = [], list(regions.children(""))
    while waiting:
        found.append(one := waiting.pop())
        waiting += regions.children(one.code)
    return found


def test_every_region_hangs_under_its_province():
    found = everything()
    assert len(found) == len({one.code for one in found}) == 3214
    assert len(regions.children("")) == 34
    for one in found:
        assert one.code[:2] == (one.parent or one.code)[:2]
        assert one.name
        assert one.leaf is not bool(regions.children(one.code))
        assert one.code.startswith(regions.prefix(one.parent) if one.parent else "")
        assert one.province


@pytest.mark.parametrize(
    ("code", "level", "names"),
    [
        ("440000", Level.PROVINCE, ("广东省", "", "")),
        ("440306", Level.DISTRICT, ("广东省", "深圳市", "宝安区")),
        ("110101", Level.DISTRICT, ("北京市", "北京市", "东城区")),
        ("429004", Level.DISTRICT, ("湖北省", "仙桃市", "")),
        ("441900", Level.CITY, ("广东省", "东莞市", "")),
        ("710000", Level.PROVINCE, ("台湾省", "", "")),
        ("810000", Level.PROVINCE, ("香港特别行政区", "", "")),
    ],
)
def test_names_and_levels(code: str, level: Level, names: tuple[str, ...]):
    found = regions.region(code)
    assert found is not None
    assert (found.level, (found.province, found.city, found.district)) == (level, names)


def test_a_municipality_is_its_own_city():
    found = regions.region("310115")
    assert found is not None
    assert (found.province, found.city, found.district) == ("上海市", "上海市", "浦东新区")


@pytest.mark.parametrize("code", ["", "1", "999999", "44030600", "４４０３０６", "abc"])
def test_what_is_no_code(code: str):
    assert regions.region(code) is None
    assert regions.children(code) == (regions.children("") if code == "" else ())


def test_the_table_is_made_from_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    about = {
        "code": "440000000000",
        "cities": {
            "深圳市": {"code": "440300000000", "counties": {"宝安区": "440306000000"}},
            "": {"code": None, "counties": {"某县": "449001000000"}},
        },
    }
    source = tmp_path / "divisions.json"
    held = {"meta": {"fetched_at": "2026-09-11 23:22:44"}, "provinces": {"广东省": about}}
    source.write_text(json.dumps(held))
    monkeypatch.setattr(make_regions, "DATA", tmp_path / "regions.csv")
    assert make_regions.write(source) == 4
    lines = (tmp_path / "regions.csv").read_text().splitlines()
    assert lines[0].startswith("# GB/T 2260, 2026-09-11;")
    assert lines[1:] == ["440000,广东省", "440300,深圳市", "440306,宝安区", "449001,某县"]


async def test_the_api_gives_them_to_everybody_and_once(api: Api):
    provinces = await api.client.get("/v1/regions")
    assert provinces.status_code == 200
    assert len(provinces.json()) == 34
    tag = provinces.headers["ETag"]
    again = await api.client.get("/v1/regions", headers={"If-None-Match": f'"x", W/{tag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    cities = (await api.client.get("/v1/regions?parent=440000")).json()
    assert cities[2]["code"] == "440300"
    assert cities[2]["leaf"] is False
    one = (await api.client.get("/v1/regions/440306")).json()
    assert (one["province"], one["city"], one["district"]) == ("广东省", "深圳市", "宝安区")
    for url in ("/v1/regions/999999", "/v1/regions?parent=999999", "/v1/regions/%00"):
        answer = await api.client.get(url)
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-such-region")
