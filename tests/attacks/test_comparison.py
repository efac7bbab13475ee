"""Somebody inside the TLS connection of an awaited box: the six digits give him away.

He stands between station and platform, with keys of his own towards each, and wins if both
sides show the same number. It is 1 in a million if he cannot choose what goes into it.
"""

import hashlib
import secrets

from tortoise.context import TortoiseContext

from device_emulator.status import describe
from device_registry.devices.registration import comparison, register
from foundation.wire import enroll
from foundation.wire.enroll import EnrollAnswer, EnrollRequest
from tests.device_emulator.bench import MAC, Bench
from tests.device_registry.boxes import ADMIN, Box, new_context, row, station


async def test_the_platform_takes_no_share_but_the_one_bound_to(rows: TortoiseContext) -> None:
    """Having seen the platform's share, he looks for one of his own that makes the number."""
    context = new_context()
    man = Box(context)
    device_id = await register(context, ADMIN, await station(man))
    first = await man.call(commit=enroll.commitment("0" * 32))
    assert (first.status, first.number) == ("confirm", None)
    assert first.share
    assert await comparison(context, device_id) is None
    wanted, found = "123456", secrets.token_hex(16)
    while enroll.comparison_number(man.pk, first.server_pk, found, first.share)[:3] != wanted[:3]:
        found = secrets.token_hex(16)
    for commit in (enroll.commitment("0" * 32), enroll.commitment(found)):
        answer = await man.call(commit=commit, reveal=found)
        assert (answer.number, answer.share) == (None, first.share)
    assert await comparison(context, device_id) is None
    answer = await man.call(commit=enroll.commitment("0" * 32), reveal="0" * 32)
    assert answer.number == await comparison(context, device_id)
    again = await man.call(commit=enroll.commitment(found), reveal=found)
    assert again.number is None
    assert (await row(device_id)).revealed == "0" * 32


async def test_a_share_revealed_beforehand_binds_nobody(rows: TortoiseContext) -> None:
    """What was revealed to an earlier registration counts for no later one."""
    context = new_context()
    box = Box(context)
    device_id = await register(context, ADMIN, await station(box))
    share = secrets.token_hex(16)
    answer = await box.call(commit=enroll.commitment(share), reveal=share)
    assert (answer.status, answer.user_code) == ("unregistered", None)
    assert (await row(device_id)).public_keys == ""


def test_the_station_shows_no_number_of_a_share_chosen_after_its_own() -> None:
    """Having heard the station's share, he looks for one that makes the platform's number."""
    bench = Bench(registered=False, online=False)
    bench.toy.register(MAC, status="confirm")
    honest, shares = bench.toy.enrol, list[str]()
    told = set[str]()

    def man(request: EnrollRequest) -> EnrollAnswer:
        if request.reveal is None:
            return honest(request)
        if request.reveal in told:  # let it have another try
            return bench.toy.answer(request.nonce, status="unregistered")
        told.add(request.reveal)
        ground = secrets.token_hex(16)
        shares.append(ground)
        number = enroll.comparison_number(request.pk, bench.toy.pk, request.reveal, ground)
        return bench.toy.answer(request.nonce, status="confirm", share=ground, number=number)

    bench.toy.enrol = man  # type: ignore[method-assign]
    for _ in range(100):
        bench.advance(10_000)
        assert describe(bench.station)["number"] is None
    assert 10 < len(shares) == len(told) <= 20, "as many tries as he likes"


def test_a_share_is_revealed_only_to_who_chose_his_own() -> None:
    bench = Bench(registered=False, online=False)
    known = bench.toy.register(MAC, status="confirm")
    bench.advance(20_000)
    first = bench.toy.requests[0]
    second = next(request for request in bench.toy.requests if request.reveal)
    assert first.reveal is None
    assert second.reveal is not None
    assert second.commit == hashlib.sha256(bytes.fromhex(second.reveal)).hexdigest()
    assert first.commit == second.commit
    mine = enroll.comparison_number(second.pk, bench.toy.pk, second.reveal, known.share)
    assert describe(bench.station)["number"] == mine
