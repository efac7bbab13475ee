import httpx
import pytest

from business_api.authz.roles import Role
from business_api.authz.scope import Site
from tests.business_api.conftest import Api, Estate

CSV = {"Content-Type": "text/csv"}
Headers = dict[str, str]


@pytest.fixture
async def operator(api: Api, park: Estate) -> Headers:
    """Of the admin of the operator, who fills the pools."""
    await api.account("operator", Role.OPERATOR_ADMIN, Site(park.community.operator_id))
    return await api.headers("operator")


async def codes(api: Api, operator: Headers, **query: str) -> list[tuple[str, str]]:
    url = "/v1/communication-codes"
    answer = await api.client.get(url, params=query, headers=operator)
    assert answer.status_code == 200, answer.text
    return [(row["code"], row["state"]) for row in answer.json()["items"]]


async def act(api: Api, operator: Headers, code: str, verb: str) -> httpx.Response:
    url = f"/v1/communication-codes/{code}/{verb}"
    return await api.client.post(url, headers=operator)


async def test_codes_are_made_once_and_offered(api: Api, operator: Headers):
    headers = operator | {"Idempotency-Key": "first"}
    url = "/v1/communication-codes"
    made = await api.client.post(url, json={"count": 3, "batch": "A"}, headers=headers)
    again = await api.client.post(url, json={"count": 3, "batch": "A"}, headers=headers)
    assert (made.status_code, again.status_code) == (201, 201)
    assert made.json() == again.json()
    new = made.json()["codes"]
    assert len(new) == 3
    assert await codes(api, operator) == [(code, "free") for code in new]
    free = await api.client.get(f"{url}/free", params={"search": new[1]}, headers=operator)
    assert free.json() == [new[1]]


async def test_imported_codes_name_their_faults(api: Api, operator: Headers):
    url = "/v1/communication-codes/import"
    body = {"codes": ["8001", "8002", "8001", "!", ""], "batch": "B"}
    report = (await api.client.post(url, json=body, headers=operator)).json()
    assert (report["added"], report["known"], report["failed"]) == (2, 0, 2)
    assert [error["line"] for error in report["errors"]] == [3, 4]
    again = (await api.client.post(url, json=body, headers=operator)).json()
    assert (again["added"], again["known"]) == (0, 2)
    assert await codes(api, operator, search="800") == [("8001", "free"), ("8002", "free")]


async def test_a_code_is_frozen_and_given_free_again(api: Api, operator: Headers):
    url = "/v1/communication-codes/import"
    await api.client.post(url, json={"codes": ["8001"]}, headers=operator)
    assert (await act(api, operator, "8001", "freeze")).status_code == 204
    assert await codes(api, operator, state="frozen") == [("8001", "frozen")]
    assert await codes(api, operator, state="free") == []
    twice = await act(api, operator, "8001", "freeze")
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/wrong-code-state")
    assert twice.json()["state"] == "frozen"
    assert (await act(api, operator, "8001", "unfreeze")).status_code == 204
    assert (await act(api, operator, "8001", "recycle")).status_code == 409
    unknown = await act(api, operator, "9999", "freeze")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/code-not-found")


async def test_codes_are_not_made_of_nonsense(api: Api, operator: Headers):
    nonsense: list[object] = [
        {"count": 0},
        {"count": 1001},
        {"count": "many"},
        {"count": 1, "batch": "x" * 41},
        {"count": 1, "colour": "red"},
        {},
    ]
    for body in nonsense:
        url = "/v1/communication-codes"
        answer = await api.client.post(url, json=body, headers=operator)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_readers_are_imported_as_excel_writes_them(
    api: Api, operator: Headers, encoding: str
):
    url = "/v1/bluetooth-readers/import?batch=2026-11"
    text = "蓝牙读头号码,型号\r\nBT-01,甲型\r\nBT-02\r\nBT-01,甲型\r\n,甲型\r\n坏\r\n"
    answer = await api.client.post(url, content=text.encode(encoding), headers=operator | CSV)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["added"], report["known"], report["failed"]) == (2, 0, 3)
    assert [error["line"] for error in report["errors"]] == [4, 5, 6]
    rows = (await api.client.get("/v1/bluetooth-readers", headers=operator)).json()
    assert rows["items"] == [
        {"number": "BT-01", "model": "甲型", "bound": False, "batch": "2026-11"},
        {"number": "BT-02", "model": "", "bound": False, "batch": "2026-11"},
    ]
    url = "/v1/bluetooth-readers/free"
    free = await api.client.get(url, params={"search": "02"}, headers=operator)
    assert free.json() == ["BT-02"]


async def test_a_reader_list_that_cannot_be_read_is_refused(api: Api, operator: Headers):
    url = "/v1/bluetooth-readers/import"
    for content, kind, problem in [
        (b"BT-01", "application/json", "invalid-request"),
        (b"BT-01", "multipart/form-data; boundary=x", "not-csv"),
        (b"\xff\xff\xff", "text/csv", "not-csv"),
        (b'"BT-01', "text/csv", "bad-list"),
    ]:
        headers = operator | {"Content-Type": kind}
        answer = await api.client.post(url, content=content, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")
    many = b"\n".join(b"BT-%d" % number for number in range(20_001))
    answer = await api.client.post(url, content=many, headers=operator | CSV)
    assert (answer.status_code, answer.json()["most"]) == (422, 20_000)
    long = b"x" * (1024 * 1024 + 1)
    answer = await api.client.post(url, content=long, headers=operator | CSV)
    assert answer.status_code == 413


async def test_who_registers_stations_picks_what_is_free_and_fills_nothing(
    api: Api, park: Estate, operator: Headers
):
    made = await api.client.post(
        "/v1/communication-codes", json={"count": 1, "batch": "A"}, headers=operator
    )
    [code] = made.json()["codes"]
    await api.client.post("/v1/bluetooth-readers/import", content=b"BT-1", headers=operator | CSV)
    await api.account("fitter", Role.INSTALLER, park.site)
    for headers in (park.headers, await api.headers("fitter")):
        free = await api.client.get("/v1/communication-codes/free", headers=headers)
        assert free.json() == [code]
        free = await api.client.get("/v1/bluetooth-readers/free", headers=headers)
        assert free.json() == ["BT-1"]
        for method, url in [
            ("GET", "communication-codes"),
            ("POST", "communication-codes"),
            ("POST", "communication-codes/import"),
            ("POST", f"communication-codes/{code}/freeze"),
            ("POST", f"communication-codes/{code}/unfreeze"),
            ("POST", f"communication-codes/{code}/recycle"),
            ("GET", "bluetooth-readers"),
            ("POST", "bluetooth-readers/import"),
        ]:
            answer = await api.client.request(method, f"/v1/{url}", headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (403, "/problems/not-allowed")
    assert await codes(api, operator) == [(code, "free")]


async def test_the_pools_are_for_staff(api: Api, park: Estate, operator: Headers):
    await api.client.post(
        "/v1/communication-codes/import", json={"codes": ["8001"]}, headers=operator
    )
    await api.resident("lin", park.flat)
    headers = await api.headers("lin")
    for url in ("communication-codes", "communication-codes/free", "bluetooth-readers"):
        answer = await api.client.get(f"/v1/{url}", headers=headers)
        assert answer.status_code == 403
        assert (await api.client.get(f"/v1/{url}")).status_code == 401
    told = [await act(api, headers, code, "freeze") for code in ("8001", "9999")]
    assert [answer.status_code for answer in told] == [404, 404]
