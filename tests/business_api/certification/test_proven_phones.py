"""A number counts for its account once a code was shown for it, and not before."""

from business_api.accounts import private
from business_api.accounts.models import Account
from business_api.people import persons
from business_api.people.models import Person as Known
from business_api.people.persons import NewPerson
from business_api.residents import moves
from business_api.residents.models import ResidentType
from tests.business_api.certification.applicants import Person, owner, person, signed_in, texts
from tests.business_api.conftest import Api, Estate
from tests.support.tenants import PASSWORD

WRITTEN_DOWN = "+8613955556666"
REGISTERED = "+8613977778888"


async def write_down(api: Api, account: Account, phone: str) -> None:
    """As staff do with the number of a colleague."""
    account.phone_sealed = private.seal(api.context, account, "phone", phone)
    account.phone_index = None
    await account.save()


async def test_nobody_applies_with_a_number_that_staff_wrote_down(
    api: Api, park: Estate, elsewhere: Estate
):
    """Whoever makes staff accounts would become any resident whose number it knows."""
    new = NewPerson("李雷", WRITTEN_DOWN)
    known = await persons.create(api.context, "platform", elsewhere.site, new)
    await moves.move_in(api.context, "platform", elsewhere.flat, known, ResidentType.OWNER)
    await owner(api, elsewhere.home, "friend", "+8613900000009")
    body = {"username": "puppet", "password": PASSWORD, "name": "x", "phone": WRITTEN_DOWN}
    made = await api.client.post(
        "/v1/accounts",
        headers=park.headers,
        json=body | {"role": "cashier", "community_id": str(park.id)},
    )
    assert made.status_code == 201, made.text
    account = await Account.get(username="puppet")
    account.must_change_password = False
    await account.save()
    puppet = Person(api, account, await signed_in(api, account), WRITTEN_DOWN)
    refused = await puppet.apply(elsewhere.home, name="李雷")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/phone-needed")
    assert (await Known.get(id=known.id)).account_id is None


async def test_an_owner_is_asked_by_a_number_that_is_proved_or_registered(api: Api, park: Estate):
    """Whoever may change an owner's staff account would be sent the codes of its house."""
    wang = await owner(api, park.flat)
    await write_down(api, wang.account, WRITTEN_DOWN)
    zhang = await person(api, "zhang", "+8613811112222")
    assert (await zhang.applied(park.flat))["state"] == "pending_review"

    known = await Known.get(account_id=wang.account.id)
    await persons.find_or_create(
        api.context, "platform", park.site, NewPerson("王五", REGISTERED), wang.account.id
    )
    assert await persons.phone_of(api.context, await Known.get(id=known.id)) == REGISTERED
    li = await person(api, "li", "+8613811113333")
    asked = await li.applied(park.flat)
    assert asked["state"] == "wait_owner_code"
    assert await texts(api, REGISTERED)
    assert not await texts(api, WRITTEN_DOWN)
