"""People who apply, the owners they ask, and the messages these are sent."""

import re
from dataclasses import dataclass
from typing import Any

import httpx
from tortoise.transactions import in_transaction

from business_api.accounts import phone_accounts, sessions
from business_api.accounts.models import Account
from business_api.authz.roles import Role
from business_api.authz.scope import Site
from business_api.certification.models import Certification
from business_api.people.consent_texts import TEXTS, Purpose
from business_api.places.models import House
from business_api.residents.models import ResidentType
from business_api.sms import local
from device_registry.access import grants
from tests.business_api.conftest import Api, bearer

AGREED = [{"purpose": "id_number", "version": TEXTS[Purpose.ID_NUMBER].version}]
OWNER_PHONE = "+8613900000001"


def id_number(number: int) -> str:
    """A number that GB 11643 allows, another one for each `number` under 1000."""
    first = f"11010519900307{number:03}"
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(weight * int(digit) for weight, digit in zip(weights, first, strict=True))
    return first + "10X98765432"[total % 11]


@dataclass
class Person:
    """Somebody signed in, with a phone."""

    api: Api
    account: Account
    headers: dict[str, str]
    phone: str

    async def get(self, path: str, /, **params: Any) -> httpx.Response:
        return await self.api.client.get(f"/v1{path}", headers=self.headers, params=params)

    async def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return await self.api.client.post(
            f"/v1{path}", json=body, headers={**self.headers, **headers}
        )

    async def apply(self, house: House, type_: str = "tenant", **more: Any) -> httpx.Response:
        body = {"house_id": str(house.id), "type": type_, "name": "张三", **more}
        return await self.post("/me/certifications", body)

    async def applied(self, house: House, type_: str = "tenant", **more: Any) -> dict[str, Any]:
        """An application that was taken."""
        if type_ == "owner":
            more = {"id_number": id_number(1), "consents": AGREED} | more
        answer = await self.apply(house, type_, **more)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def confirm(self, application: dict[str, Any], code: str) -> httpx.Response:
        return await self.post(f"/me/certifications/{application['id']}/confirm", {"code": code})

    async def state(self, application: dict[str, Any]) -> str:
        found = await self.get(f"/me/certifications/{application['id']}")
        assert found.status_code == 200, found.text
        return str(found.json()["state"])

    async def sign_in_again(self) -> None:
        """After the clock has moved."""
        self.headers = await signed_in(self.api, self.account)

    async def may_open(self, house: House) -> bool:
        """From afar, the gate of the community in the name of this house."""
        held = await grants.remote(self.account.id, house.community_id)
        now = self.api.time()
        return any(one.house_id == house.id and not one.why_not(now) for one in held)


async def signed_in(api: Api, account: Account) -> dict[str, str]:
    """What a request of this account carries; without hashing a password for each."""
    async with in_transaction():
        return bearer((await sessions.begin(api.context, account, "", "")).access_token)


async def staff(api: Api, username: str, role: Role, site: Site) -> Person:
    """Somebody with a role at `site`."""
    account = await api.account(username, role, site)
    return Person(api, account, await signed_in(api, account), "")


async def lives(api: Api, username: str, house: House, type_: ResidentType) -> Person:
    """Somebody who lives in `house`, without a phone."""
    account = await api.resident(username, house, type_)
    return Person(api, account, await signed_in(api, account), "")


async def person(api: Api, username: str, phone: str, name: str = "") -> Person:
    """An account with a phone, signed in."""
    account = await api.account(username)
    account.name = name or account.name
    phone_accounts.set_phone(api.context, account, phone)
    await account.save()
    return Person(api, account, await signed_in(api, account), phone)


async def owner(api: Api, house: House, username: str = "wang", phone: str = OWNER_PHONE) -> Person:
    """An owner of `house` with an account and a phone."""
    found = await person(api, username, phone, "王五")
    await api.resident(username, house, ResidentType.OWNER)
    await found.sign_in_again()
    return found


async def texts(api: Api, phone: str) -> list[str]:
    """What was sent to a phone, the latest first."""
    return [one.text for one in await local.latest(api.context) if one.phone == phone]


async def code(api: Api, phone: str = OWNER_PHONE) -> str:
    """The code that was sent to a phone last."""
    found = re.search(r"\b\d{6}\b", (await texts(api, phone))[0])
    assert found, "no code was sent"
    return found[0]


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 1_000_000:06}"


async def row(application: dict[str, Any]) -> Certification:
    return await Certification.get(id=application["id"])
