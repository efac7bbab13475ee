"""Messages as text messages, by the provider that keeps them here, and by one that fails."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from business_api.accounts.models import Account
from business_api.messages import sms_channel
from business_api.messages.models import Delivery, DeliveryState
from business_api.messages.routing import route
from business_api.messages.sms_channel import SmsChannel
from business_api.sms import local
from business_api.sms.port import NumberRefused, SmsFlowControl, SmsRefused, SmsUnavailable
from foundation import conditions
from foundation.errors import DomainError
from foundation.settings_outside import Sms
from tests.business_api.conftest import Api
from tests.business_api.messages.desk import people, person, posting, told
from tests.support.until import until


async def settled(count: int) -> bool:
    return await Delivery.filter(next_try=None).count() == count


async def test_each_is_written_to_in_the_own_language(api: Api):
    chinese = await person(api.context, "+8613800138000")
    english = await person(api.context, "+8613900139000", "en")
    await told(api.context, [chinese, english, *await people(1, phones=False)])
    async with posting(api.context, SmsChannel(api.context)):
        await until(lambda: settled(2))
    kept = {each.phone: (each.template, each.text) for each in await local.latest(api.context)}
    assert kept == {
        "+8613800138000": (
            "certification.approved",
            "【邻里】您对1号楼 0101的认证已通过审核。",
        ),
        "+8613900139000": (
            "certification.approved",
            "[linli] You are certified for 1号楼 0101.",
        ),
    }


async def test_who_gave_the_number_up_meanwhile_is_not_written_to(api: Api):
    gone = await person(api.context, "+8613800138000")
    await told(api.context, [gone])
    await route(api.context)
    await Account.filter(id=gone).update(phone_sealed=None, phone_index=None)
    async with posting(api.context, SmsChannel(api.context)):
        await until(lambda: settled(1))
    assert (await Delivery.get()).error == "no_phone"
    assert await local.latest(api.context) == []


async def test_a_provider_sends_only_what_it_has_approved(api: Api):
    sms = Sms(
        provider="aliyun",
        access_key_id="x",
        access_key_secret="y",
        sign_name="z",
        templates={"certification.revoked": "SMS_1"},
    )
    api.context.settings = api.context.settings.model_copy(update={"sms": sms})
    [one] = await people(1)
    await told(api.context, [one])
    await told(api.context, [one], kind="certification.revoked", reason="x")
    await route(api.context)
    row = await Delivery.get().select_related("message")
    assert row.message.kind == "certification.revoked"


@dataclass
class Provider:
    """One that refuses."""

    error: DomainError
    params: Mapping[str, str] | None = None

    async def send(self, phone: str, template: str, params: Mapping[str, str], lang: str) -> None:
        self.params = params
        raise self.error


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (NumberRefused(), DeliveryState.DEAD, "number"),
        (SmsFlowControl(retry_after=60), DeliveryState.FAILED, "flow"),
        (SmsFlowControl(), DeliveryState.FAILED, "flow"),
        (SmsRefused(), DeliveryState.FAILED, "refused"),
        (SmsUnavailable(), DeliveryState.FAILED, "unavailable"),
    ],
)
async def test_what_a_provider_says_is_understood(
    api: Api, error: DomainError, state: DeliveryState, code: str
):
    channel = SmsChannel(api.context)
    channel._sender = provider = Provider(error)
    await told(api.context, [await person(api.context, "+8613800138000")])
    async with posting(api.context, channel):
        await until(lambda: Delivery.filter(state=state, lease=None).exists())
    row = await Delivery.get()
    assert row.error == code
    if code == "flow":
        assert 50 < (row.next_try - api.time()).total_seconds() <= 60
    assert provider.params == {"house": "1号楼 0101", "text": "您对1号楼 0101的认证已通过审核。"}


async def test_a_provider_that_is_down_is_let_alone_for_a_while(api: Api):
    channel = SmsChannel(api.context)
    channel._sender = Provider(SmsUnavailable())
    some = [
        await person(api.context, f"+861380013800{number}") for number in range(sms_channel._ENOUGH)
    ]
    await told(api.context, some)
    async with posting(api.context, channel):
        await until(conditions_now)
    assert await Delivery.filter(state=DeliveryState.FAILED, attempts=1).count() == len(some)


async def conditions_now() -> list[str]:
    return [each.kind for each in await conditions.current(None)]
