"""Tables of the station list. `community_id` and `place_id` name rows of `business_api`."""

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from device_registry.devices.states import CodeState, CommandState, Position, Status
from foundation.ids import new_id

__all__ = [
    "BluetoothReader",
    "CodeState",
    "CommandState",
    "CommunicationCode",
    "Device",
    "DeviceSession",
    "OpenCommand",
    "PendingEnrolment",
    "Position",
    "SessionLog",
    "Status",
]


class Device(Model):
    """A door station that somebody has registered."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    community_id = fields.UUIDField()
    place_id = fields.UUIDField(db_index=True)
    position = fields.CharEnumField(Position, max_length=12)
    name = fields.CharField(max_length=80)
    community_name = fields.CharField(max_length=80, default="")
    """For the screen, as it was called when the station was registered."""
    mac = fields.CharField(max_length=12, null=True, unique=True)
    """Null once unbound or replaced, so that the box can be registered again; see `last_mac`."""
    last_mac = fields.CharField(max_length=12, db_index=True)
    box = fields.IntField(default=1)
    """Which box hangs here: one more with every replacement. Its journal begins anew."""
    status = fields.CharEnumField(Status, max_length=12)
    model = fields.CharField(max_length=32, default="")
    fw = fields.CharField(max_length=32, default="")
    public_keys = fields.CharField(max_length=128, default="")
    nonce = fields.CharField(max_length=32, default="")
    """Ours behind the comparison number, while `confirm`; chosen once the box was bound."""
    commitment = fields.CharField(max_length=64, default="")
    """What the box bound itself to before it knew ours: the hash of what it `revealed` then."""
    revealed = fields.CharField(max_length=32, default="")
    comm_code = fields.CharField(max_length=16)
    reader_number = fields.CharField(max_length=32, null=True)
    secret = fields.BinaryField(null=True)
    """Sealed with the keyring, about `device/{id}`."""
    secret_ver = fields.IntField(default=0)
    secret_at = fields.DatetimeField(null=True)
    old_secret = fields.BinaryField(null=True)
    old_until = fields.DatetimeField(null=True)
    wipe_told_at = fields.DatetimeField(null=True)
    """An unbound box that called was first told to wipe itself."""
    confirmed_wipe_at = fields.DatetimeField(null=True)
    """It called again, with nothing left."""
    expires_at = fields.DatetimeField(null=True)
    """Of `awaiting` and `confirm`."""
    created_at = fields.DatetimeField(auto_now_add=True)
    created_by = fields.UUIDField(null=True)
    updated_at = fields.DatetimeField(auto_now=True)
    version = fields.IntField(default=1)

    class Meta:
        table = "registry_device"
        indexes = (Index(fields=("community_id", "status")),)


class PendingEnrolment(Model):
    """A box nobody has registered. Seen by nobody but the platform until its code is typed."""

    mac = fields.CharField(max_length=12, primary_key=True)
    public_keys = fields.CharField(max_length=128)
    model = fields.CharField(max_length=32)
    fw = fields.CharField(max_length=32)
    user_code = fields.CharField(max_length=9)
    tries = fields.IntField(default=0)
    address = fields.CharField(max_length=64, default="", db_index=True)
    """Who asked: an IPv4 address or an IPv6 /64, of which each holds so many rows at most."""
    first_seen = fields.DatetimeField(auto_now_add=True)
    expires_at = fields.DatetimeField(db_index=True)

    class Meta:
        table = "registry_pending_enrolment"


class CommunicationCode(Model):
    """通讯码: the station's account on the platform; a name, not a secret."""

    code = fields.CharField(max_length=16, primary_key=True)
    state = fields.CharEnumField(CodeState, max_length=8, default=CodeState.FREE)
    mac = fields.CharField(max_length=12, null=True)
    batch = fields.CharField(max_length=40, default="")
    created_at = fields.DatetimeField(auto_now_add=True)
    changed_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "registry_communication_code"
        indexes = (Index(fields=("state", "code")),)


class BluetoothReader(Model):
    """An imported reader; bound to at most one station."""

    number = fields.CharField(max_length=32, primary_key=True)
    model = fields.CharField(max_length=40, default="")
    device_id = fields.UUIDField(null=True, unique=True)
    batch = fields.CharField(max_length=40, default="")
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "registry_bluetooth_reader"


class DeviceSession(Model):
    """The latest session of a station: what presence and commands both read.

    `online` follows the broker's session table by epoch. `sess`, `up_ms` and `heard_at`
    come from hello and heartbeats of that session; `sess` is empty until its hello. So are
    `secret_ver`, which signs it, and `evt_first`, the oldest event its journal still holds.
    """

    mac = fields.CharField(max_length=12, primary_key=True)
    epoch = fields.BigIntField(default=0)
    online = fields.BooleanField(default=False)
    since = fields.DatetimeField()
    reason = fields.CharField(max_length=20, default="")
    address = fields.CharField(max_length=64, default="")
    sess = fields.CharField(max_length=32, default="")
    up_ms = fields.BigIntField(default=0)
    heard_at = fields.DatetimeField(null=True)
    hello_up_ms = fields.BigIntField(null=True)
    hello_at = fields.DatetimeField(null=True)
    """The uptime that the hello said, which is signed, and when it was heard."""
    ctr = fields.BigIntField(default=0)
    boot = fields.BigIntField(default=0)
    secret_ver = fields.IntField(default=0)
    evt_first = fields.BigIntField(default=0)
    fw = fields.CharField(max_length=32, default="")
    hello = fields.JSONField(null=True)
    heartbeat = fields.JSONField(null=True)

    class Meta:
        table = "registry_device_session"


class SessionLog(Model):
    """Beginnings and ends of sessions, for the timeline of a station."""

    id = fields.UUIDField(primary_key=True, default=new_id)
    mac = fields.CharField(max_length=12)
    epoch = fields.BigIntField()
    up = fields.BooleanField()
    at = fields.DatetimeField()
    reason = fields.CharField(max_length=20, default="")
    address = fields.CharField(max_length=64, default="")

    class Meta:
        table = "registry_session_log"
        indexes = (Index(fields=("mac", "at")), Index(fields=("at",)))


class OpenCommand(Model):
    """One attempt to open a door from afar, written before anything is sent (R9)."""

    id = fields.CharField(max_length=26, primary_key=True)
    device_id = fields.UUIDField()
    community_id = fields.UUIDField()
    mac = fields.CharField(max_length=12)
    door = fields.SmallIntField(default=1)
    state = fields.CharEnumField(CommandState, max_length=8)
    code = fields.CharField(max_length=24, default="")
    by_kind = fields.CharField(max_length=8)
    by_id = fields.UUIDField()
    house_id = fields.UUIDField(null=True)
    call_id = fields.UUIDField(null=True)
    request_key = fields.CharField(max_length=80, null=True)
    reason = fields.CharField(max_length=120, default="")
    address = fields.CharField(max_length=64, default="")
    app = fields.CharField(max_length=64, default="")
    sess = fields.CharField(max_length=32, default="")
    ctr = fields.BigIntField(default=0)
    at = fields.DatetimeField()
    deadline = fields.DatetimeField()
    settled_at = fields.DatetimeField(null=True)
    pulsed_ms = fields.IntField(default=0)
    journal_seq = fields.BigIntField(null=True)

    class Meta:
        table = "registry_open_command"
        unique_together = (("by_id", "request_key"),)
        indexes = (
            Index(fields=("community_id", "at")),
            Index(fields=("device_id", "at")),
            Index(fields=("by_id", "at")),
            Index(fields=("house_id", "at")),
            Index(fields=("state", "deadline")),
        )
