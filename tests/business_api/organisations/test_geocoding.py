"""查找, against a map service of our own on this machine that verifies what AMap verifies."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from pydantic import SecretStr

from foundation.settings_outside import Geocoding
from tests.business_api.organisations.conftest import Tree

KEY, SECRET = "0123456789abcdef", "fedcba9876543210"
PLACE = {
    "name": "柏树园",
    "location": "113.884000,22.561000",
    "address": "前进一路8号",
    "pname": "广东省",
    "cityname": "深圳市",
    "adname": "宝安区",
    "adcode": "440306",
}


@dataclass
class Map:
    """What it was asked, and what it answers."""

    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    answer: Any = None
    raw: bytes | None = None
    silent: bool = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = (await reader.readuntil(b"\r\n\r\n")).decode().split(" ")[1]
        query = dict(parse_qsl(urlsplit(target).query))
        self.asked.append(query)
        if self.silent:
            await reader.read()
        else:
            body = self.raw if self.raw is not None else self._body(query)
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
        writer.close()
        await writer.wait_closed()

    def _body(self, query: dict[str, str]) -> bytes:
        signed = {name: value for name, value in query.items() if name != "sig"}
        plain = "&".join(f"{name}={signed[name]}" for name in sorted(signed)) + SECRET
        if query.get("key") != KEY:
            return json.dumps({"status": "0", "infocode": "10001"}).encode()
        if query.get("sig") != hashlib.md5(plain.encode()).hexdigest():
            return json.dumps({"status": "0", "infocode": "10007"}).encode()
        return json.dumps({"status": "1", "infocode": "10000", "pois": self.answer}).encode()


@pytest.fixture
async def amap() -> AsyncIterator[Map]:
    service = Map(answer=[PLACE])
    async with await asyncio.start_server(service.serve, "127.0.0.1", 0) as server:
        service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield service


def use(tree: Tree, amap: Map, **other: Any) -> None:
    chosen = {
        "provider": "amap",
        "url": amap.url,
        "key": SecretStr(KEY),
        "secret": SecretStr(SECRET),
    }
    geocoding = Geocoding(**(chosen | other))
    context = tree.api.context
    context.settings = context.settings.model_copy(update={"geocoding": geocoding})


async def asked(tree: Tree, query: str = "search=柏树园") -> tuple[int, Any]:
    answer = await tree.api.client.get(f"/v1/geocode?{query}", headers=tree.manager)
    return answer.status_code, answer.json()


async def test_without_a_map_service_one_is_told_so(tree: Tree):
    status, problem = await asked(tree)
    assert (status, problem["type"]) == (503, "/problems/no-geocoder")
    assert problem["title"] == "未配置地图服务，请手动填写地址和坐标"


async def test_a_place_is_found_and_shown_on_any_datum(tree: Tree, amap: Map):
    use(tree, amap)
    status, found = await asked(tree, "search=柏树园 %26 sig=1&region_code=440300&datum=gcj02")
    assert status == 200, found
    assert found == [
        {
            "name": "柏树园",
            "address": "广东省深圳市宝安区前进一路8号",
            "region_code": "440306",
            "location": {"lat": 22.561, "lng": 113.884, "datum": "gcj02"},
        }
    ]
    query = amap.asked[0]
    assert (query["keywords"], query["city"]) == ("柏树园 & sig=1", "440300")
    assert query["citylimit"] == "true"
    status, found = await asked(tree)
    assert found[0]["location"]["datum"] == "wgs84"
    assert abs(found[0]["location"]["lng"] - 113.884) > 0.001
    assert "city" not in amap.asked[1]


async def test_what_the_map_does_not_know_is_left_empty(tree: Tree, amap: Map):
    use(tree, amap)
    amap.answer = [
        PLACE | {"address": [], "cityname": [], "adcode": "998877"},
        {"name": "无名", "location": "113.9,22.5"},
    ]
    status, found = await asked(tree)
    assert status == 200
    assert [(one["address"], one["region_code"]) for one in found] == [
        ("广东省宝安区", ""),
        ("", ""),
    ]


@pytest.mark.parametrize("other", [{"key": SecretStr("wrong")}, {"secret": SecretStr("wrong")}])
async def test_a_refusal_is_said_without_the_key(
    tree: Tree, amap: Map, other: dict[str, Any], capsys: pytest.CaptureFixture[str]
):
    use(tree, amap, **other)
    status, problem = await asked(tree)
    assert (status, problem["type"]) == (503, "/problems/geocoder-failed")
    logged = capsys.readouterr()
    assert "geocoder.request.failed" in logged.out
    for text in (str(problem), logged.out, logged.err):
        assert KEY not in text
        assert SECRET not in text
        assert "restapi" not in text


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"status": "1", "pois": [{"name": "x", "location": "nan,1"}]}',
        b'{"status": "1", "pois": [{"name": "x", "location": "1"}]}',
        b'{"status": "1", "pois": [{"name": "x", "location": "1,2,3"}]}',
        b'{"status": "1", "pois": 5}',
        b"\xff\xfe",
    ],
)
async def test_an_answer_that_makes_no_sense_is_no_traceback(tree: Tree, amap: Map, raw: bytes):
    use(tree, amap)
    amap.raw = raw
    status, problem = await asked(tree)
    assert (status, problem["type"]) == (503, "/problems/geocoder-failed")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[", "nowhere"])
async def test_a_map_service_that_is_not_there(tree: Tree, amap: Map, url: str):
    use(tree, amap, url=url)
    status, problem = await asked(tree)
    assert (status, problem["type"]) == (503, "/problems/geocoder-failed")


async def test_a_map_service_that_hangs_is_not_waited_for(tree: Tree, amap: Map):
    use(tree, amap, timeout=timedelta(milliseconds=100))
    amap.silent = True
    status, problem = await asked(tree)
    assert (status, problem["type"]) == (503, "/problems/geocoder-failed")


async def test_only_those_who_make_communities_may_ask(tree: Tree, amap: Map):
    use(tree, amap)
    answer = await tree.api.client.get("/v1/geocode?search=x", headers=tree.runner)
    assert answer.status_code == 403
    assert amap.asked == []
