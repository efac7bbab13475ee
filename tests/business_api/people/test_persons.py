"""Persons: found again, never taken for somebody else, readable with their own key only."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest

from business_api import vault
from business_api.accounts import phone_accounts
from business_api.people import consents, persons
from business_api.people.consent_texts import Purpose
from business_api.people.consents import Consent
from business_api.people.errors import BadIdNumber, ConsentNeeded, IdTypeNeeded
from business_api.people.models import ConsentRecord, IdType, Person
from business_api.people.persons import MaskedPerson, NewPerson
from business_api.phones import BadPhone
from foundation.security import BadKey
from tests.business_api.conftest import Api, Estate
from tests.support.tenants import PASSWORD

BY = "account/somebody"
PHONE = "138 0013 8000"
NUMBER = "11010519491231002X"
AGREED = consents.current(Purpose.ID_NUMBER)
ZHANG = NewPerson("张三", PHONE, IdType.RESIDENT_ID, NUMBER, (AGREED,))


async def found(api: Api, park: Estate, new: NewPerson, account_id: UUID | None = None) -> Person:
    return await persons.find_or_create(api.context, BY, park.site, new, account_id)


async def test_a_person_is_shown_masked_and_kept_sealed(api: Api, park: Estate) -> None:
    made = await persons.create(api.context, BY, park.site, ZHANG)
    zhang = await Person.get(id=made.id)
    assert await persons.masked(api.context, zhang) == MaskedPerson(
        "张三", "138****8000", IdType.RESIDENT_ID, "1101**********002X"
    )
    assert await persons.phone_of(api.context, zhang) == "+8613800138000"
    assert zhang.site == park.site
    assert [one.purpose for one in await ConsentRecord.filter(person=zhang)] == ["id_number"]
    assert "138" not in repr(ZHANG)
    assert "1949" not in repr(ZHANG)


async def test_nobody_elses_key_reads_it(api: Api, park: Estate) -> None:
    keyring = api.context.keyring
    zhang = await persons.create(api.context, BY, park.site, ZHANG)
    other = await persons.create(api.context, BY, park.site, replace(ZHANG, name="李四"))
    assert zhang.data_key is not None
    assert zhang.phone_sealed is not None
    assert other.data_key is not None
    for subject, wrapped, field in (
        (other.id, other.data_key, "phone"),
        (other.id, zhang.data_key, "phone"),
        (zhang.id, zhang.data_key, "id_number"),
        (zhang.id, zhang.data_key[:-1], "phone"),
    ):
        with pytest.raises(BadKey):
            vault.unseal(keyring, subject, wrapped, field, zhang.phone_sealed)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"phone": "123"}, BadPhone),
        ({"phone": ""}, BadPhone),
        ({"id_number": "110105194912310021"}, BadIdNumber),
        ({"id_type": None}, IdTypeNeeded),
        ({"id_number": None}, IdTypeNeeded),
        ({"consents": ()}, ConsentNeeded),
        ({"consents": (Consent(Purpose.ID_NUMBER, "0"),)}, ConsentNeeded),
        ({"consents": (consents.current(Purpose.FINGERPRINT),)}, ConsentNeeded),
    ],
)
async def test_who_cannot_be_written_down(
    api: Api, park: Estate, change: dict[str, object], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await found(api, park, replace(ZHANG, **change))  # type: ignore[arg-type]
    assert not await Person.all().exists()
    assert not await ConsentRecord.all().exists()


async def test_the_same_phone_and_name_are_the_same_person(api: Api, park: Estate) -> None:
    first = await found(api, park, NewPerson("张三", PHONE))
    again = await found(api, park, replace(ZHANG, phone="+86 138-0013-8000"))
    assert again.id == first.id
    assert (await persons.masked(api.context, again)).id_number == "1101**********002X"
    others = [
        await found(api, park, NewPerson("李四", PHONE)),  # the phone is shared in a family
        await found(api, park, NewPerson("张三", "13800138001")),
        await found(api, park, NewPerson("张三")),
        await found(api, park, NewPerson("张三")),
        await found(api, park, NewPerson("张三", PHONE, IdType.PASSPORT, "E12345678", (AGREED,))),
    ]
    assert len({first.id, *(other.id for other in others)}) == 6


async def test_an_account_is_one_person_in_each_community(
    api: Api, park: Estate, elsewhere: Estate
) -> None:
    account, stranger = await api.account("zhang"), await api.account("stranger")
    entered = await found(api, park, NewPerson("张三", PHONE))
    mine = await found(api, park, NewPerson("张三", PHONE), account.id)
    assert mine.id == entered.id  # staff had entered him: he gets his account
    assert mine.account_id == account.id
    renamed = await found(api, park, NewPerson("Zhang San", PHONE), account.id)
    assert (renamed.id, renamed.name) == (mine.id, "张三")
    # Who says the same name and phone does not become somebody who has an account.
    assert (await found(api, park, NewPerson("张三", PHONE), stranger.id)).id != mine.id
    there = await persons.find_or_create(
        api.context, BY, elsewhere.site, NewPerson("张三", PHONE), account.id
    )
    assert there.id != mine.id
    assert there.phone_index != mine.phone_index  # nobody joins communities by an index


async def test_known_data_are_never_overwritten(api: Api, park: Estate) -> None:
    account = await api.account("zhang")
    await found(api, park, ZHANG, account.id)
    again = NewPerson("张三", "13900139000", IdType.PASSPORT, "E12345678", (AGREED,))
    same = await found(api, park, again, account.id)
    shown = await persons.masked(api.context, same)
    assert (shown.phone, shown.id_type) == ("138****8000", IdType.RESIDENT_ID)


async def test_who_comes_twice_at_once_is_one_person(api: Api, park: Estate) -> None:
    account = await api.account("zhang")
    by_phone = await asyncio.gather(*(found(api, park, ZHANG) for _ in range(5)))
    assert len({person.id for person in by_phone}) == 1
    new = NewPerson("李四")
    by_account = await asyncio.gather(*(found(api, park, new, account.id) for _ in range(5)))
    assert len({person.id for person in by_account}) == 1
    assert await ConsentRecord.all().count() == 1


async def test_whose_document_is_known_is_taken_over_with_the_same_one_only(
    api: Api, park: Estate
) -> None:
    account, thief, other = [await api.account(name) for name in ("zhang", "thief", "other")]
    entered = await found(api, park, ZHANG)
    passport = replace(ZHANG, id_type=IdType.PASSPORT, id_number="E12345678")
    assert (await found(api, park, NewPerson("张三", PHONE), thief.id)).id != entered.id
    assert (await found(api, park, passport, other.id)).id != entered.id
    assert (await found(api, park, ZHANG, account.id)).id == entered.id


async def test_whose_account_was_deleted_is_taken_over_by_nobody(api: Api, park: Estate) -> None:
    """A telephone number goes on to somebody else, who may bear the same name."""
    entered = await found(api, park, NewPerson("张三", PHONE))
    account = await api.account("zhang")
    phone_accounts.set_phone(api.context, account, "+8613800138000")
    await account.save()
    assert (await found(api, park, NewPerson("张三", PHONE), account.id)).id == entered.id
    headers = await api.headers("zhang")
    gone = await api.client.post("/v1/me/deletion", headers=headers, json={"password": PASSWORD})
    assert gone.status_code == 204, gone.text
    await entered.refresh_from_db()
    assert (entered.account_id, entered.parted_at is None) == (None, False)
    stranger = await api.account("stranger")
    assert (await found(api, park, NewPerson("张三", PHONE), stranger.id)).id != entered.id
    assert (await found(api, park, ZHANG, (await api.account("b")).id)).id != entered.id
