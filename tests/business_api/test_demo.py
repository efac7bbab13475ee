"""The demo: loaded as often as one likes, without a well-known password, with its stations."""

import json
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from business_api import demo, demo_stations
from business_api.accounts import accounts
from business_api.accounts.models import Account
from business_api.demo import NotADemo
from business_api.demo_stations import MACS, NoDemo, NotConfirmed
from business_api.places.models import Community, House, Unit
from device_registry.access import grants
from device_registry.devices import bluetooth, communication_codes, registration
from device_registry.devices.states import Status
from foundation.settings import Broker
from tests.business_api.conftest import Api, Estate
from tests.device_registry.boxes import Box

USERNAMES = ["admin", "zhang", "li", "wang"]


@pytest.fixture
def api(api: Api) -> Api:
    """Stations are told of the broker without TLS, so that no certificate is made."""
    broker = Broker(tls_port=None)
    api.context.settings = api.context.settings.model_copy(update={"broker": broker})
    return api


async def test_everything_is_there_and_the_passwords_work(api: Api) -> None:
    loaded = await demo.load(api.context)
    assert [account.username for account in loaded.accounts] == USERNAMES
    assert await Unit.all().count() == 2
    assert await House.all().count() == 18
    assert (await communication_codes.codes(size=1))[1] == 20
    assert (await bluetooth.readers(size=1))[1] == 5
    passwords = {account.password for account in loaded.accounts}
    assert len(passwords) == 4
    assert min(map(len, passwords)) >= 16
    for account in loaded.accounts:
        answer = await api.sign_in(account.username, account.password)
        assert answer.status_code == 200
    zhang = await accounts.find("zhang")
    assert zhang.community_id == loaded.community_id
    assert await grants.remote(zhang.id, loaded.community_id)


async def test_again_changes_nothing(api: Api) -> None:
    first = await demo.load(api.context)
    assert await demo.load(api.context) == first
    assert await House.all().count() == 18
    assert await Account.all().count() == 4
    assert (await communication_codes.codes(size=1))[1] == 20


async def test_the_file_is_its_owners_only(api: Api) -> None:
    loaded = await demo.load(api.context)
    assert stat.S_IMODE(loaded.file.stat().st_mode) == 0o600
    assert [row["username"] for row in json.loads(loaded.file.read_text())] == USERNAMES


async def test_a_run_that_was_cut_off_goes_on(api: Api, tmp_path: Path) -> None:
    loaded = await demo.load(api.context)
    # As after a crash between the file and the last account.
    await accounts.disable(api.context, "platform", (await accounts.find("wang")).id)
    await Account.filter(username="wang").delete()
    again = await demo.load(api.context)
    wang = again.accounts[-1]
    assert wang == loaded.accounts[-1]
    assert (await api.sign_in("wang", wang.password)).status_code == 200


async def test_a_lost_file_resets_nobody(api: Api) -> None:
    loaded = await demo.load(api.context)
    loaded.file.unlink()
    again = await demo.load(api.context)
    assert [account.password for account in again.accounts] == [""] * 4
    assert (await api.sign_in("zhang", loaded.accounts[1].password)).status_code == 200


async def test_not_beside_real_communities(api: Api, elsewhere: Estate) -> None:
    with pytest.raises(NotADemo):
        await demo.load(api.context)
    assert await Community.all().count() == 1
    assert not (api.context.settings.data_dir / "demo-accounts.json").exists()


async def test_stations_need_the_demo(api: Api) -> None:
    with pytest.raises(NoDemo):
        await demo_stations.register_demo_stations(api.context)


async def test_three_stations_in_the_order_of_the_manual(api: Api) -> None:
    loaded = await demo.load(api.context)
    stations = await demo_stations.register_demo_stations(api.context)
    assert [station.mac for station in stations] == list(MACS)
    assert {station.status for station in stations} == {Status.AWAITING}
    assert await demo_stations.register_demo_stations(api.context) == stations

    boxes = [Box(api.context, mac) for mac in MACS]
    shown: dict[str, str | None] = {}

    async def screens() -> Mapping[str, str | None]:
        for box in boxes:
            shown[box.mac] = (await box.call()).number
        return shown

    confirmed = await demo_stations.confirm_demo_stations(
        api.context, screens, within=timedelta(seconds=20)
    )
    assert {station.status for station in confirmed} == {Status.ACTIVE}
    for box in boxes:
        registered = box.open(await box.call())
        assert registered.community == "柏树园"
    zhang = await api.sign_in("zhang", loaded.accounts[1].password)
    headers = {"Authorization": f"Bearer {zhang.json()['access_token']}"}
    doors = (await api.client.get("/v1/doors", headers=headers)).json()
    assert sorted(door["name"] for door in doors["items"]) == ["1号楼1单元门口机", "大门"]


async def test_another_number_on_the_screen_is_not_confirmed(api: Api) -> None:
    await demo.load(api.context)
    stations = await demo_stations.register_demo_stations(api.context)
    box = Box(api.context, MACS[0])
    number = (await box.call()).number
    assert number == await registration.comparison(api.context, stations[0].id)

    async def screens() -> Mapping[str, str | None]:
        return {MACS[0]: f"{(int(number or 0) + 1) % 1_000_000:06d}"}

    with pytest.raises(NotConfirmed, match="大门"):
        await demo_stations.confirm_demo_stations(
            api.context, screens, within=timedelta(seconds=0.6)
        )
    again = await demo_stations.demo_stations(api.context)
    assert again[0].status is Status.CONFIRM


async def test_an_emulator_that_is_not_there(api: Api) -> None:
    assert await demo_stations.screens_at("http://127.0.0.1:1")() == {}
