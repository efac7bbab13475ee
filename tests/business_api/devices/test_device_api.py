from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network

import httpx

from foundation.settings import Http
from foundation.wire import enroll as wire
from foundation.wire.enroll import TimeAnswer
from tests.business_api.devices.air import Air, Station
from tests.business_api.devices.conftest import Api, Doors, Estate


async def test_a_box_shows_itself_is_registered_and_gets_its_secret(doors: Doors):
    box = Station(doors.air, doors.api.client)
    first = await box.enroll()
    assert first.status == "unregistered"
    assert first.user_code
    made = await doors.register(box, user_code=first.user_code.lower().replace("-", " "))
    assert made.status_code == 201, made.text
    assert made.json()["status"] == "active"
    told = await box.enroll()
    assert told.status == "registered"
    assert box.registration is not None
    assert box.registration.device_id == made.json()["id"]
    assert box.registration.community == "柏树园"
    assert len(box.keys.cmd) == 32


async def test_an_awaited_box_is_confirmed_by_its_number(doors: Doors):
    box = Station(doors.air, doors.api.client)
    body = {"name": "西门", "position": "gate", "mac": box.mac, "comm_code": await doors.code()}
    made = await doors.post(doors.new, doors.staff, body)
    assert made.json()["status"] == "awaiting"
    url = f"/stations/{made.json()['id']}"
    assert (await doors.get(f"{url}/comparison", doors.staff)).json() == {"number": None}
    assert (await doors.post(f"{url}/confirm", doors.staff)).status_code == 409
    shown = await box.enroll()
    assert shown.status == "confirm"
    compared = await doors.get(f"{url}/comparison", doors.staff)
    assert compared.json() == {"number": shown.number}
    other = {"number": "000000" if shown.number != "000000" else "000001"}
    wrong = await doors.post(f"{url}/confirm", doors.staff, other)
    assert (wrong.status_code, wrong.json()["type"]) == (409, "/problems/number-differs")
    right = await doors.post(f"{url}/confirm", doors.staff, {"number": shown.number})
    assert right.json()["status"] == "active"
    assert (await box.enroll()).status == "registered"


async def test_a_forged_enrolment_is_refused(api: Api, air: Air):
    box = Station(air, api.client)
    forged = await api.client.post("/device/v1/enroll", json=box.request(fw="9.9.9"))
    assert forged.status_code == 403
    assert forged.headers["content-type"] == "application/problem+json"
    assert forged.json()["type"] == "/problems/bad-signature"


async def test_a_malformed_enrolment_is_refused(api: Api, air: Air):
    box = Station(air, api.client)
    malformed: list[dict[str, object]] = [
        {"mac": "01:00:00:00:00:01"},
        {"pk": "AAAA"},
        {"nonce": "short"},
        {"ts": "soon"},
    ]
    for changes in malformed:
        answer = await api.client.post("/device/v1/enroll", json=box.request(**changes))
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_long_enrolment_is_refused(api: Api, air: Air):
    box = Station(air, api.client)
    long = await api.client.post("/device/v1/enroll", json=box.request(note="x" * 8192))
    assert (long.status_code, long.json()["type"]) == (413, "/problems/body-too-large")

    async def stream():
        for _ in range(9):
            yield b"x" * 1024

    unannounced = await api.client.post("/device/v1/enroll", content=stream())
    assert unannounced.status_code == 413


async def test_newer_firmware_may_say_more(api: Api, air: Air):
    box = Station(air, api.client)
    body = box.request() | {"modem": "LTE"}
    body["sig"] = wire.sign(box.sign_key, wire.REQUEST, body)
    answer = await api.client.post("/device/v1/enroll", json=body)
    assert answer.json()["status"] == "unregistered"


PRIVATE: list[tuple[str, str, dict[str, str], int | None, int]] = [
    ("203.0.113.9", "http", {}, 8443, 403),
    ("203.0.113.9", "http", {"X-Forwarded-Proto": "https"}, 8443, 403),
    ("203.0.113.9", "https", {}, 8443, 200),
    ("203.0.113.9", "http", {}, None, 200),
    ("127.0.0.1", "http", {}, 8443, 200),
    ("::1", "http", {}, 8443, 200),
    ("127.0.0.1", "http", {"X-Forwarded-For": "203.0.113.9"}, 8443, 403),
    ("10.0.0.1", "http", {"X-Forwarded-Proto": "https"}, 8443, 200),
    ("10.0.0.1", "http", {"X-Forwarded-Proto": "http"}, 8443, 403),
    ("10.0.0.1", "http", {"X-Forwarded-Proto": "https, http"}, 8443, 403),
    ("10.0.0.1", "http", {"X-Forwarded-For": "127.0.0.1"}, 8443, 403),
]


async def test_enrolment_is_private(api: Api, air: Air):
    for client, scheme, headers, tls_port, status in PRIVATE:
        http = Http(tls_port=tls_port, trusted_proxies=(IPv4Network("10.0.0.0/8"),))
        api.context.settings = api.context.settings.model_copy(update={"http": http})
        transport = httpx.ASGITransport(api.app, client=(client, 1))
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://x") as caller:
            body = Station(air, caller).request()
            answer = await caller.post("/device/v1/enroll", json=body, headers=headers)
        assert answer.status_code == status, (client, scheme, headers, answer.text)
        if status == 403:
            assert answer.json()["type"] == "/problems/tls-required"
            assert answer.json()["tls_port"] == 8443


async def test_time_is_signed_with_the_nonce(api: Api):
    nonce = "ab" * 16
    answer = await api.client.get("/device/v1/time", params={"nonce": nonce})
    told = TimeAnswer.model_validate(answer.json())
    wire.check(told.server_pk, wire.TIME, answer.json(), told.sig)
    assert told.nonce == nonce
    off = datetime.fromtimestamp(told.ts_ms / 1000, UTC) - datetime.now(UTC)
    assert abs(off) < timedelta(seconds=5)
    assert (await api.client.get("/device/v1/time", params={"nonce": "x"})).status_code == 422


async def test_what_anybody_may_call_needs_no_token_and_takes_none(api: Api, park: Estate):
    answer = await api.client.get(
        "/device/v1/time", params={"nonce": "ab" * 16}, headers=park.headers
    )
    assert answer.status_code == 200
