"""The HTTP face of a fleet."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from device_emulator.controls import CONTROLS
from device_emulator.fleet import Fleet, Plan
from device_emulator.screen import PortTaken, Screen
from tests.support.postgres import free_port

MAC = "02a1b2c30001"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    plan = Plan(url=f"http://127.0.0.1:{free_port()}", macs=[MAC])  # type: ignore[list-item]
    async with Fleet(plan).running() as fleet:
        screen = Screen(fleet, 0)
        await screen.start()
        stop = asyncio.Event()
        running = asyncio.create_task(screen.run(stop))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{screen.port}") as client:
            yield client
        stop.set()
        await running
        await screen.close()


async def test_look(http: httpx.AsyncClient) -> None:
    stations = (await http.get("/stations")).json()
    assert [(it["mac"], it["state"], it["online"]) for it in stations] == [(MAC, "UNREG", False)]
    state = (await http.get(f"/stations/{MAC}/state")).json()
    assert state["screen"][0] == "MAC 02:A1:B2:C3:00:01"
    assert set((await http.get("/controls")).json()) == set(CONTROLS)


ARGUMENTS: dict[str, dict[str, object]] = {
    "key": {"key": "###"},
    "card": {"uid": "04A1B2C3"},
    "finger": {"id": "f1"},
    "sensor": {"open": True},
    "mode": {"mode": "lockdown"},
    "drop_net": {"seconds": 1},
    "skew_clock": {"seconds": -5},
    "learn": {"kind": "pin", "value": "1234"},
    "forget": {"kind": "pin", "value": "1234"},
}


@pytest.mark.parametrize("control", CONTROLS)
async def test_every_control(http: httpx.AsyncClient, control: str) -> None:
    answer = await http.post(f"/stations/{MAC}/{control}", json=ARGUMENTS.get(control, {}))
    assert answer.status_code == 200, answer.text
    assert answer.json()["mac"] == MAC


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (f"/stations/{MAC}/explode", {}, 422),
        (f"/stations/{MAC}/key", {"key": "x"}, 422),
        (f"/stations/{MAC}/key", {}, 422),
        (f"/stations/{MAC}/key", {"key": "1", "more": 1}, 422),
        (f"/stations/{MAC}/key", [], 422),
        (f"/stations/{MAC}/card", {"uid": "04A1B2"}, 422),
        (f"/stations/{MAC}/learn", {"kind": "card", "value": "1234567"}, 422),
        (f"/stations/{MAC}/learn", {"kind": "pin", "value": "12a4"}, 422),
        (f"/stations/{MAC}/drop_net", {"seconds": -1}, 422),
        (f"/stations/{MAC}/tamper", {"x": "y" * 20_000}, 422),
        ("/stations/020000000000/tamper", {}, 404),
    ],
)
async def test_mistakes_are_problems(
    http: httpx.AsyncClient, path: str, body: object, status: int
) -> None:
    answer = await http.post(path, json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_a_page_of_a_stranger_cannot_press_keys(http: httpx.AsyncClient) -> None:
    path, body = f"/stations/{MAC}/tamper", json.dumps({})
    plain = {"content-type": "text/plain"}
    assert (await http.post(path, content=body, headers=plain)).status_code == 422
    assert (await http.get("/stations", headers={"host": "evil.example"})).status_code == 400


async def test_a_port_that_is_taken(http: httpx.AsyncClient) -> None:
    taken = Screen(Fleet(Plan(url="")), http.base_url.port or 0)
    with pytest.raises(PortTaken, match=str(http.base_url.port)):
        await taken.start()
    await taken.close()
