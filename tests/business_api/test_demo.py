"""The demo: loaded as often as one likes, without a well-known password, with its stations."""

import json
import stat
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from business_api.accounts import accounts, phone_accounts
from business_api.accounts.models import Account, RoleGrant
from business_api.authz.roles import SCOPE, Role
from business_api.authz.scope import ScopeType
from business_api.certification.models import Certification
from business_api.demo import loading, stations
from business_api.demo.errors import NoDemo, NotADemo, NotConfirmed
from business_api.demo.loading import Demo
from business_api.demo.stations import MACS
from business_api.organisations.models import Community, Operator, PropertyCompany
from business_api.people.models import Person
from business_api.places.models import House, Unit
from business_api.residents.models import Occupancy
from device_registry.devices import bluetooth, communication_codes, registration
from device_registry.devices.states import Status
from foundation.settings import Broker
from foundation.settings_outside import Sms
from tests.business_api.conftest import Api, Estate, bearer
from tests.device_registry.boxes import Box

ZHANG, APPLICANT = "13123456701", "13123456704"


@pytest.fixture
def api(api: Api) -> Api:
    """Stations are told of the broker without TLS, so that no certificate is made."""
    broker = Broker(tls_port=None)
    api.context.settings = api.context.settings.model_copy(update={"broker": broker})
    return api


async def counted() -> list[int]:
    tables = (Operator, PropertyCompany, Community, Unit, House, Account, RoleGrant)
    return [await each.all().count() for each in (*tables, Person, Occupancy, Certification)]


async def get(api: Api, loaded: Demo, login: str, url: str) -> httpx.Response:
    """Ask as one of the accounts."""
    password = next(account.password for account in loaded.accounts if account.login == login)
    answer = await api.sign_in(login, password)
    assert answer.status_code == 200, (login, answer.text)
    headers = bearer(answer.json()["access_token"])
    return await api.client.get(f"/v1{url}", headers=headers)


async def test_everything_is_there_and_the_passwords_work(api: Api) -> None:
    loaded = await loading.load(api.context)
    assert await counted() == [1, 2, 2, 3, 24, 15, 11, 4, 4, 1]
    assert (await communication_codes.codes(size=1))[1] == 20
    assert (await bluetooth.readers(size=1))[1] == 5
    given = {role for role in Role if SCOPE[role] - {ScopeType.HOUSE, ScopeType.SHOP}}
    given -= {Role.NEIGHBOUR}
    assert {grant.role for grant in await RoleGrant.all()} == given
    passwords = {account.password for account in loaded.accounts}
    assert len(passwords) == len(loaded.accounts) == 15
    assert min(map(len, passwords)) >= 16
    for account in loaded.accounts:
        answer = await get(api, loaded, account.login, "/me")
        assert (answer.status_code, answer.json()["name"]) == (200, account.name)


async def test_a_resident_an_applicant_and_a_reviewer(api: Api) -> None:
    loaded = await loading.load(api.context)
    zhang = await phone_accounts.find_by_phone(api.context, ZHANG)
    assert zhang is not None
    assert await Occupancy.filter(person__account_id=zhang.id).count() == 1
    wang = await get(api, loaded, "13123456703", "/me")
    assert await Occupancy.filter(person__account_id=wang.json()["id"]).count() == 2
    waiting = (await get(api, loaded, "reviewer", "/certifications")).json()
    assert [row["name"] for row in waiting["items"]] == ["赵磊"]
    assert (await get(api, loaded, "lakeside", "/certifications")).json()["total"] == 0


async def test_again_changes_nothing(api: Api) -> None:
    first = await loading.load(api.context)
    before = await counted()
    assert await loading.load(api.context) == first
    assert await counted() == before
    assert (await communication_codes.codes(size=1))[1] == 20


async def test_what_somebody_has_changed_stays(api: Api) -> None:
    await loading.load(api.context)
    await RoleGrant.filter(role=Role.CASHIER).update(valid_to=api.time())
    await Occupancy.all().update(ended_at=api.time(), slot=None)
    before = await counted()
    await loading.load(api.context)
    assert await counted() == before
    assert await Occupancy.filter(ended_at=None).count() == 0


async def test_the_file_is_its_owners_only(api: Api) -> None:
    loaded = await loading.load(api.context)
    assert stat.S_IMODE(loaded.file.stat().st_mode) == 0o600
    rows = json.loads(loaded.file.read_text())
    assert [row["login"] for row in rows] == [account.login for account in loaded.accounts]


async def test_a_run_that_was_cut_off_goes_on(api: Api, tmp_path: Path) -> None:
    loaded = await loading.load(api.context)
    # As after a crash between the file and the rows.
    await Certification.all().delete()
    await Occupancy.filter(house__building__code="02").delete()
    repair = await Account.get(username="repair")
    await RoleGrant.filter(account=repair).delete()
    await Account.filter(id=repair.id).delete()
    assert await loading.load(api.context) == loaded
    assert (await get(api, loaded, "repair", "/me")).status_code == 200
    assert (await counted())[-2:] == [4, 1]


async def test_a_password_that_was_changed_is_not_told_any_more(api: Api) -> None:
    loaded = await loading.load(api.context)
    admin = await accounts.find("admin")
    await accounts.reset_password(api.context, "platform", admin.id, "another long secret 1")
    again = await loading.load(api.context)
    shown = {account.login: account.password for account in again.accounts}
    assert shown.pop("admin") == ""
    assert all(shown.values())
    kept = {row["login"]: row["password"] for row in json.loads(loaded.file.read_text())}
    assert kept == shown | {"admin": ""}
    assert (await loading.load(api.context)) == again
    assert (await api.sign_in("admin", "another long secret 1")).status_code == 200


async def test_a_lost_file_resets_nobody(api: Api) -> None:
    loaded = await loading.load(api.context)
    loaded.file.unlink()
    again = await loading.load(api.context)
    assert {account.password for account in again.accounts} == {""}
    assert (await get(api, loaded, ZHANG, "/me")).status_code == 200


async def test_not_beside_real_communities(api: Api, elsewhere: Estate) -> None:
    before = await counted()
    with pytest.raises(NotADemo):
        await loading.load(api.context)
    assert await counted() == before
    assert not (api.context.settings.data_dir / "demo-accounts.json").exists()


async def test_not_over_accounts_of_others(api: Api) -> None:
    await api.account("admin", Role.SUPER_ADMIN)
    with pytest.raises(NotADemo, match="admin"):
        await loading.load(api.context)


async def test_not_where_text_messages_go_out(api: Api) -> None:
    sms = Sms(provider="aliyun", access_key_id="a", access_key_secret="b", sign_name="c")
    api.context.settings = api.context.settings.model_copy(update={"sms": sms})
    with pytest.raises(NotADemo):
        await loading.load(api.context)
    assert sum(await counted()) == 0


async def test_stations_need_the_demo(api: Api) -> None:
    with pytest.raises(NoDemo):
        await stations.register_demo_stations(api.context)


async def test_three_stations_in_the_order_of_the_manual(api: Api) -> None:
    loaded = await loading.load(api.context)
    made = await stations.register_demo_stations(api.context)
    assert [station.mac for station in made] == list(MACS)
    assert {station.status for station in made} == {Status.AWAITING}
    assert await stations.register_demo_stations(api.context) == made

    boxes = [Box(api.context, mac) for mac in MACS]
    shown: dict[str, str | None] = {}

    async def screens() -> Mapping[str, str | None]:
        for box in boxes:
            shown[box.mac] = (await box.call()).number
        return shown

    confirmed = await stations.confirm_demo_stations(
        api.context, screens, within=timedelta(seconds=20)
    )
    assert {station.status for station in confirmed} == {Status.ACTIVE}
    for box in boxes:
        registered = box.open(await box.call())
        assert registered.community == "柏树园"
    doors = (await get(api, loaded, ZHANG, "/doors")).json()
    assert sorted(door["name"] for door in doors["items"]) == ["1号楼1单元门口机", "大门"]
    assert (await get(api, loaded, "operator", "/stations")).json()["total"] == 3
    assert (await get(api, loaded, "committee", "/stations")).json()["total"] == 0


async def test_another_number_on_the_screen_is_not_confirmed(api: Api) -> None:
    await loading.load(api.context)
    made = await stations.register_demo_stations(api.context)
    box = Box(api.context, MACS[0])
    number = (await box.call()).number
    assert number == await registration.comparison(api.context, made[0].id)

    async def screens() -> Mapping[str, str | None]:
        return {MACS[0]: f"{(int(number or 0) + 1) % 1_000_000:06d}"}

    with pytest.raises(NotConfirmed, match="大门"):
        await stations.confirm_demo_stations(api.context, screens, within=timedelta(seconds=0.6))
    again = await stations.demo_stations(api.context)
    assert again[0].status is Status.CONFIRM


async def test_an_emulator_that_is_not_there(api: Api) -> None:
    assert await stations.screens_at("http://127.0.0.1:1")() == {}
