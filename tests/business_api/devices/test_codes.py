import httpx
import pytest

from tests.business_api.conftest import Api, Estate

CSV = {"Content-Type": "text/csv"}


async def codes(api: Api, park: Estate, **query: str) -> list[tuple[str, str]]:
    url = "/v1/communication-codes"
    answer = await api.client.get(url, params=query, headers=park.headers)
    assert answer.status_code == 200, answer.text
    return [(row["code"], row["state"]) for row in answer.json()["items"]]


async def act(api: Api, park: Estate, code: str, verb: str) -> httpx.Response:
    url = f"/v1/communication-codes/{code}/{verb}"
    return await api.client.post(url, headers=park.headers)


async def test_codes_are_made_once_and_offered(api: Api, park: Estate):
    headers = park.headers | {"Idempotency-Key": "first"}
    url = "/v1/communication-codes"
    made = await api.client.post(url, json={"count": 3, "batch": "A"}, headers=headers)
    again = await api.client.post(url, json={"count": 3, "batch": "A"}, headers=headers)
    assert (made.status_code, again.status_code) == (201, 201)
    assert made.json() == again.json()
    new = made.json()["codes"]
    assert len(new) == 3
    assert await codes(api, park) == [(code, "free") for code in new]
    free = await api.client.get(f"{url}/free", params={"search": new[1]}, headers=park.headers)
    assert free.json() == [new[1]]


async def test_imported_codes_name_their_faults(api: Api, park: Estate):
    url = "/v1/communication-codes/import"
    body = {"codes": ["8001", "8002", "8001", "!", ""], "batch": "B"}
    report = (await api.client.post(url, json=body, headers=park.headers)).json()
    assert (report["added"], report["known"], report["failed"]) == (2, 0, 2)
    assert [error["line"] for error in report["errors"]] == [3, 4]
    again = (await api.client.post(url, json=body, headers=park.headers)).json()
    assert (again["added"], again["known"]) == (0, 2)
    assert await codes(api, park, search="800") == [("8001", "free"), ("8002", "free")]


async def test_a_code_is_frozen_and_given_free_again(api: Api, park: Estate):
    url = "/v1/communication-codes/import"
    await api.client.post(url, json={"codes": ["8001"]}, headers=park.headers)
    assert (await act(api, park, "8001", "freeze")).status_code == 204
    assert await codes(api, park, state="frozen") == [("8001", "frozen")]
    assert await codes(api, park, state="free") == []
    twice = await act(api, park, "8001", "freeze")
    assert (twice.status_code, twice.json()["type"]) == (409, "/problems/wrong-code-state")
    assert twice.json()["state"] == "frozen"
    assert (await act(api, park, "8001", "unfreeze")).status_code == 204
    assert (await act(api, park, "8001", "recycle")).status_code == 409
    unknown = await act(api, park, "9999", "freeze")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/code-not-found")


async def test_codes_are_not_made_of_nonsense(api: Api, park: Estate):
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
        answer = await api.client.post(url, json=body, headers=park.headers)
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["errors"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
async def test_readers_are_imported_as_excel_writes_them(api: Api, park: Estate, encoding: str):
    url = "/v1/bluetooth-readers/import?batch=2026-11"
    text = "蓝牙读头号码,型号\r\nBT-01,甲型\r\nBT-02\r\nBT-01,甲型\r\n,甲型\r\n坏\r\n"
    answer = await api.client.post(url, content=text.encode(encoding), headers=park.headers | CSV)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["added"], report["known"], report["failed"]) == (2, 0, 3)
    assert [error["line"] for error in report["errors"]] == [4, 5, 6]
    rows = (await api.client.get("/v1/bluetooth-readers", headers=park.headers)).json()
    assert rows["items"] == [
        {"number": "BT-01", "model": "甲型", "bound": False, "batch": "2026-11"},
        {"number": "BT-02", "model": "", "bound": False, "batch": "2026-11"},
    ]
    url = "/v1/bluetooth-readers/free"
    free = await api.client.get(url, params={"search": "02"}, headers=park.headers)
    assert free.json() == ["BT-02"]


async def test_a_reader_list_that_cannot_be_read_is_refused(api: Api, park: Estate):
    url = "/v1/bluetooth-readers/import"
    for content, kind, problem in [
        (b"BT-01", "application/json", "invalid-request"),
        (b"BT-01", "multipart/form-data; boundary=x", "not-csv"),
        (b"\xff\xff\xff", "text/csv", "not-csv"),
        (b'"BT-01', "text/csv", "bad-list"),
    ]:
        headers = park.headers | {"Content-Type": kind}
        answer = await api.client.post(url, content=content, headers=headers)
        assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")
    many = b"\n".join(b"BT-%d" % number for number in range(20_001))
    answer = await api.client.post(url, content=many, headers=park.headers | CSV)
    assert (answer.status_code, answer.json()["most"]) == (422, 20_000)
    long = b"x" * (1024 * 1024 + 1)
    answer = await api.client.post(url, content=long, headers=park.headers | CSV)
    assert answer.status_code == 413


async def test_the_pools_are_for_staff(api: Api, park: Estate):
    await api.account("lin", park.community)
    headers = await api.headers("lin")
    for url in ("communication-codes", "communication-codes/free", "bluetooth-readers"):
        answer = await api.client.get(f"/v1/{url}", headers=headers)
        assert answer.status_code == 403
        assert (await api.client.get(f"/v1/{url}")).status_code == 401
