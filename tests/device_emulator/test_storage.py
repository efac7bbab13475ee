"""The flash of a fleet in one file."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device_emulator.memory import Cells, Clear, Drop, Put, Trim, Write, apply
from device_emulator.storage import Storage, StorageUnusable
from foundation.ids import Mac

A, B = Mac("020000000001"), Mac("020000000002")

areas = st.sampled_from(["counter", "journal", "ring"])
keys = st.one_of(st.integers(0, 20), st.sampled_from(["seq", "boot"]))
values = st.one_of(st.integers(), st.text(max_size=5), st.dictionaries(st.text(), st.integers()))
writes: st.SearchStrategy[Write] = st.one_of(
    st.builds(Put, areas, keys, values),
    st.builds(Drop, areas, keys),
    st.builds(Trim, areas, st.integers(0, 20)),
    st.builds(Clear, areas),
)


def _tidy(cells: Cells) -> Cells:
    return {area: rows for area, rows in cells.items() if rows}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([A, B]), writes), max_size=40))
def test_it_holds_what_was_written(batch: list[tuple[Mac, Write]]) -> None:
    storage = Storage()
    storage.write(batch)
    for mac in (A, B):
        meant: Cells = {}
        apply(meant, [write for whose, write in batch if whose == mac])
        assert _tidy(storage.load(mac)) == _tidy(meant)
    storage.close()


def test_a_batch_is_all_or_nothing(tmp_path: Path) -> None:
    storage = Storage(tmp_path / "fleet.sqlite3")
    storage.write([(A, Put("journal", 1, "a"))])
    bad = Put("journal", 2, object())
    with pytest.raises(TypeError):
        storage.write([(A, Put("journal", 1, "b")), (A, bad)])
    assert storage.load(A) == {"journal": {1: "a"}}
    storage.write([(A, Put("journal", 2, "c"))])  # and goes on
    storage.close()


def test_it_is_still_there_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "fleet.sqlite3"
    storage = Storage(path)
    storage.add([A, B])
    storage.write([(A, Put("counter", "seq", 7)), (B, Put("counter", "seq", 8))])
    storage.close()
    storage = Storage(path)
    assert storage.stations() == [A, B]
    assert storage.load(A) == {"counter": {"seq": 7}}
    storage.close()


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    """The file as it lies there while a process has it open: what a killed one leaves."""
    path, copy = tmp_path / "fleet.sqlite3", tmp_path / "copy.sqlite3"
    storage = Storage(path)
    storage.write([(A, Put("counter", "seq", 7))])
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    storage.close()
    assert Storage(copy).load(A) == {"counter": {"seq": 7}}


def test_wipe_and_roll_back_spare_the_counters() -> None:
    storage = Storage()
    storage.write([(A, Put("counter", "seq", 1)), (A, Put("ring", 1, "old"))])
    storage.snapshot(A)
    storage.write([(A, Put("counter", "seq", 2)), (A, Put("ring", 1, "new"))])
    storage.roll_back(A)
    assert storage.load(A) == {"counter": {"seq": 2}, "ring": {1: "old"}}
    storage.roll_back(A, counters=True)
    assert storage.load(A) == {"counter": {"seq": 1}, "ring": {1: "old"}}
    storage.wipe(A)
    assert storage.load(A) == {"counter": {"seq": 1}}


def test_one_process_at_a_time(tmp_path: Path) -> None:
    first = Storage(tmp_path / "fleet.sqlite3")
    with pytest.raises(StorageUnusable, match="locked"):
        Storage(tmp_path / "fleet.sqlite3")
    first.close()
    Storage(tmp_path / "fleet.sqlite3").close()


def test_a_newer_version_and_something_else_are_said_to_be(tmp_path: Path) -> None:
    path = tmp_path / "fleet.sqlite3"
    with sqlite3.connect(path) as newer:
        newer.execute("PRAGMA user_version=99")
    newer.close()
    with pytest.raises(StorageUnusable, match="newer"):
        Storage(path)
    other = tmp_path / "letter.txt"
    other.write_text("Dear Sir or Madam,\n" * 100)
    with pytest.raises(StorageUnusable):
        Storage(other)


def test_a_thousand_stations_in_one_transaction() -> None:
    storage = Storage()
    macs = [Mac(f"02{number:010x}") for number in range(1000)]
    storage.write((mac, Put("counter", "seq", 1)) for mac in macs)
    assert storage.load(macs[-1]) == {"counter": {"seq": 1}}
