"""Faults that can be repeated."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from device_emulator import controls, faults
from device_emulator.faults import BadScript, Fault, FaultyLink, Weather
from foundation.ids import Mac
from tests.support.until import until

A, B = Mac("020000000001"), Mac("020000000002")


def test_the_same_seed_makes_the_same_weather() -> None:
    stormy = Weather(loss=0.3, duplicate=0.3, delay=(0, 1), late=0.1)
    first = [stormy.copies(random.Random(5)) for _ in range(3)]
    assert first[0] == first[1] == first[2]
    rng = random.Random(5)
    copies = [stormy.copies(rng) for _ in range(10_000)]
    lost = sum(not it for it in copies)
    twice = sum(len(it) == 2 for it in copies)
    assert 2800 < lost < 3200
    assert 1900 < twice < 2300
    assert all(0 <= delay <= 21 for it in copies for delay in it)


def test_fair_weather_changes_nothing() -> None:
    assert faults.FAIR.copies(random.Random(1)) == [0.0]


def test_the_same_seed_makes_the_same_timetable() -> None:
    made = faults.random_faults(3, [A, B], 600, 6)
    assert made == faults.random_faults(3, [A, B], 600, 6)
    assert made != faults.random_faults(4, [A, B], 600, 6)
    assert 60 < len(made) < 180
    assert [it.at for it in made] == sorted(it.at for it in made)
    for fault in made:
        controls.parse(fault.control, fault.arguments)  # each of them can be done


def test_a_timetable_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "faults.jsonl"
    path.write_text(
        '{"at": 2, "mac": "020000000001", "control": "drop_net", "seconds": 3}\n\n'
        '{"at": 1, "control": "tamper"}\n'
    )
    assert faults.read(path) == [
        Fault(1.0, None, "tamper", {}),
        Fault(2.0, A, "drop_net", {"seconds": 3}),
    ]


@pytest.mark.parametrize("line", ["{", "[]", '{"at": 1}', '{"at": "x", "control": "tamper"}', "1"])
def test_a_file_that_cannot_be_read(tmp_path: Path, line: str) -> None:
    path = tmp_path / "faults.jsonl"
    path.write_text('{"at": 1, "control": "tamper"}\n' + line)
    with pytest.raises(BadScript, match="line 2"):
        faults.read(path)
    with pytest.raises(BadScript):
        faults.read(tmp_path / "missing")


@asynccontextmanager
async def _echo() -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_link_that_is_cut_frozen_and_thawed() -> None:
    async with _echo() as port, FaultyLink("127.0.0.1", port) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        link.freeze()
        writer.write(b"two")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(3), 0.05)
        link.thaw()
        assert await reader.readexactly(3) == b"two"
        assert link.cut() == 1
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        await until(lambda: link.connections == 0)
        link.refuse = True
        reader, _ = await asyncio.open_connection("127.0.0.1", link.port)
        assert await _ended(reader)


async def _ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(1) == b""
    except ConnectionResetError:
        return True
