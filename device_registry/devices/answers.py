"""What the platform answers a box: signed, bound to the request's nonce, secrets sealed."""

import base64
from typing import Literal

from device_registry.devices.models import Device
from device_registry.devices.secrets import current_secret
from foundation.certificates import authority_pem
from foundation.runner import Context
from foundation.wire import enroll as wire
from foundation.wire.enroll import EnrollAnswer, MqttAddress, Registration, TimeAnswer

AnswerStatus = Literal[
    "unregistered", "confirm", "registered", "mac_conflict", "suspended", "unbound"
]


def answer(
    context: Context,
    nonce: str,
    status: AnswerStatus,
    *,
    user_code: str | None = None,
    share: str | None = None,
    number: str | None = None,
    sealed: str | None = None,
) -> EnrollAnswer:
    """Sign an answer to the request that held `nonce`.

    A recorded answer to another request does not fit this nonce; and one to this request,
    read by somebody else, tells nothing: the secret in it is sealed to the box's own key.
    """
    body: dict[str, object] = {
        "status": status,
        "poll": max(1, round(context.settings.devices.poll.total_seconds())),
        "nonce": nonce,
        "user_code": user_code,
        "share": share,
        "number": number,
        "sealed": sealed,
        "server_pk": server_pk(context),
    }
    sig = wire.sign(context.keyring.signing_key(), wire.ANSWER, body)
    return EnrollAnswer.model_validate(body | {"sig": sig})


def signed_time(context: Context, nonce: str) -> TimeAnswer:
    """The time, for a station whose clock is not set (`GET /device/v1/time`)."""
    body: dict[str, object] = {
        "ts_ms": int(context.clock().timestamp() * 1000),
        "nonce": nonce,
        "server_pk": server_pk(context),
    }
    sig = wire.sign(context.keyring.signing_key(), wire.TIME, body)
    return TimeAnswer.model_validate(body | {"sig": sig})


def server_pk(context: Context) -> str:
    """The platform's Ed25519 public key, base64 of 32 bytes."""
    public = context.keyring.signing_key().public_key()
    return base64.b64encode(public.public_bytes(*wire.RAW)).decode()


def number_of(context: Context, device: Device) -> str | None:
    """The six digits to compare; None until the box has revealed its share of them."""
    if not device.revealed:
        return None
    keys = device.public_keys, server_pk(context)
    return wire.comparison_number(*keys, device.revealed, device.nonce)


def sealed_registration(context: Context, device: Device, mqtt: MqttAddress) -> str:
    """Everything a registered station needs, readable by the box that holds its key only."""
    registration = Registration(
        device_id=str(device.id),
        name=device.name,
        position=device.position.value,
        community=device.community_name,
        comm_code=device.comm_code,
        secret=base64.b64encode(current_secret(context.keyring, device)).decode(),
        secret_ver=device.secret_ver,
        mqtt=mqtt,
        ntp=context.settings.devices.ntp,
    )
    return wire.seal(device.public_keys, registration.model_dump_json().encode())


def broker_address(context: Context) -> MqttAddress:
    """Where stations find the broker: what a service here provides, else what is configured."""
    try:
        return context.need(MqttAddress)
    except LookupError:
        pass
    broker = context.settings.broker
    if broker.tls_port is None:
        made = MqttAddress(host=broker.advertised_host, port=broker.port, tls=False)
    else:
        made = MqttAddress(
            host=broker.advertised_host,
            port=broker.tls_port,
            tls=True,
            ca_pem=authority_pem(context.settings, clock=context.clock),
        )
    context.provide(MqttAddress, made)  # reading the certificates again costs a millisecond
    return made
