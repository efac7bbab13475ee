"""Every setting of every service, in one place. Read once, in an entry point, then passed down."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from foundation.settings_base import Group
from foundation.settings_outside import Files, Geocoding, Messages, Sms, WeChat

Port = Annotated[int, Field(ge=0, le=65535)]


class Database(Group):
    """Where the rows are."""

    url: SecretStr = Field(
        SecretStr("sqlite://data/linli.sqlite3"),
        description="sqlite://PATH or postgres://user:password@host:port/name?sslmode=require; "
        "unset: linli.sqlite3 in data_dir",
    )
    sqlite_synchronous: Literal["FULL", "NORMAL"] = Field(
        "FULL", description="FULL: what was acknowledged survives a power cut too"
    )
    pool_size: Annotated[int, Field(ge=1, description="PostgreSQL connections a process")] = 10


class Http(Group):
    """The business API."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Port = Field(8080, description="HTTP; 0: any free port")
    tls_port: Port | None = Field(
        8443, description="HTTPS for stations and browsers; empty when a proxy ends TLS"
    )
    public_url: str = Field("http://127.0.0.1:8080", description="as residents reach it")
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="networks whose X-Forwarded-For is believed"
    )
    max_body: Annotated[int, Field(ge=1024, description="bytes of a request body")] = 1024 * 1024


class Tls(Group):
    """The certificate of the HTTPS and MQTTS listeners."""

    certificate: Path | None = Field(None, description="PEM chain; empty: a local CA in data_dir")
    key: Path | None = Field(None, description="PEM private key of certificate")
    names: tuple[str, ...] = Field(
        ("localhost", "127.0.0.1"), description="names in the certificate of the local CA"
    )


class Scopes(Group):
    """What a service account may do; topic filters, none by default."""

    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()


class Broker(Group):
    """The listeners of the gate, and what it lets through."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Port = Field(1883, description="MQTT over TCP")
    tls_port: Port | None = Field(8883, description="MQTT over TLS; empty: none")
    ws_port: Port | None = Field(8083, description="MQTT over WebSocket, path /mqtt; empty: none")
    advertised_host: str = Field("127.0.0.1", description="what a registered station is told")
    connect_timeout: timedelta = Field(timedelta(seconds=5), description="until a CONNECT is whole")
    connect_bytes: int = Field(2048, ge=64, description="longest CONNECT")
    packet_bytes: int = Field(64 * 1024, ge=1024, description="longest packet after it")
    keepalive_min: int = Field(10, description="seconds, for stations")
    keepalive_max: int = Field(120, description="seconds, for stations")
    clock_skew: timedelta = Field(timedelta(seconds=120), description="of a one-time password")
    inflight: int = Field(100, ge=1, description="unacknowledged QoS 1 messages a connection")
    out_queue: int = Field(64 * 1024, description="bytes waiting for a slow station; then closed")
    message_rate: int = Field(
        50, ge=1, description="messages a second a station, averaged over 10 s"
    )
    byte_rate: int = Field(
        256 * 1024, ge=1, description="bytes a second a station, averaged over 10 s"
    )
    connect_rate: int = Field(
        20, ge=1, description="CONNECTs a minute with one MAC's valid password"
    )
    refused_rate: int = Field(300, ge=1, description="refused CONNECTs a minute an address")
    refusal_delay: timedelta = Field(timedelta(milliseconds=200), description="before the close")
    pending_connects: int = Field(2000, ge=1, description="sockets that have not shown a CONNECT")
    flap_limit: int = Field(15, ge=1, description="disconnects a minute before a ban")
    flap_ban: timedelta = Field(timedelta(minutes=5), description="how long it lasts")
    ingest_batch: int = Field(500, ge=1, description="messages in one commit")
    ingest_queue: int = Field(
        32 * 1024 * 1024, description="bytes of one kind of message waiting for their commit"
    )
    heartbeat_linger: timedelta = Field(
        timedelta(milliseconds=200), description="heartbeats are gathered so long for one commit"
    )
    logins_poll: timedelta = Field(
        timedelta(seconds=15), description="who may log in is read again, if nothing wakes us"
    )
    service_accounts: dict[str, SecretStr] = Field(
        {}, description='open-lane accounts: {"name": "argon2 hash or secret"}'
    )
    service_scopes: dict[str, Scopes] = Field(
        {}, description='what they may do: {"name": {"publish": [filter], "subscribe": [filter]}}'
    )
    service_connections: int = Field(500, description="clients of the open lane at once")
    service_message_rate: int = Field(
        1000, ge=1, description="packets a second a client of the open lane; then slowed down"
    )
    service_byte_rate: int = Field(
        4 * 1024 * 1024, ge=1, description="bytes a second a client of the open lane; then slowed"
    )
    service_queue: int = Field(
        1024 * 1024, ge=1, description="bytes waiting for a slow one of them; then closed"
    )
    service_subscriptions: int = Field(200, ge=1, description="of one client of the open lane")
    retained_bytes: int = Field(
        16 * 1024 * 1024, ge=0, description="all retained messages of the open lane together"
    )


class Devices(Group):
    """Registration, presence and the opening of doors."""

    pending_for: timedelta = Field(timedelta(minutes=15), description="an unclaimed enrolment")
    awaiting_for: timedelta = Field(timedelta(hours=72), description="a station not seen yet")
    code_tries: int = Field(5, ge=1, description="wrong 校验码 before a new one")
    poll: timedelta = Field(timedelta(seconds=5), description="how often an unregistered one asks")
    pending_limit: int = Field(10_000, ge=1, description="unclaimed enrolments at most")
    pending_per_address: int = Field(200, ge=1, description="of those, from one address")
    enroll_rate: int = Field(30, ge=1, description="enrolment calls a minute a station")
    enroll_refused_rate: int = Field(
        300, ge=1, description="refused enrolment calls a minute an address"
    )
    ntp: tuple[str, ...] = Field((), description="time servers that a registered station is told")
    secret_life: timedelta = Field(timedelta(days=90), description="then a station gets a new one")
    secret_overlap: timedelta = Field(
        timedelta(hours=24), description="how long the old secret works beside the new one"
    )
    heartbeat: timedelta = Field(timedelta(seconds=30), description="how often a station sends one")
    stale_after: timedelta = Field(timedelta(seconds=75), description="connected but mute")
    takeover_limit: int = Field(3, description="take-overs a minute before quarantine")
    open_deadline: timedelta = Field(timedelta(seconds=5), description="of an open command")
    open_grace: timedelta = Field(timedelta(seconds=2), description="after it, then 'unknown'")
    opens_per_person: int = Field(6, description="a minute")
    opens_per_door: int = Field(20, description="a minute")
    hold: int = Field(5, ge=1, le=30, description="seconds the relay is held")
    registry_period: timedelta = Field(
        timedelta(seconds=5), description="how often the device registry keeps house"
    )
    session_log_for: timedelta = Field(
        timedelta(days=90), description="how long the connects of a station are remembered"
    )


class Auth(Group):
    """Sign-in."""

    access_life: timedelta = Field(timedelta(minutes=15), description="of an access token")
    refresh_life: timedelta = Field(timedelta(days=30), description="of a sign-in not used")
    login_tries: int = Field(10, description="an account in login_window")
    login_window: timedelta = Field(timedelta(minutes=15), description="of the two limits beside")
    address_tries: int = Field(100, description="failed sign-ins an address in login_window")
    requests_per_minute: int = Field(600, description="API requests an account")
    challenge_life: timedelta = Field(
        timedelta(minutes=5), description="from the right password to the second factor"
    )
    require_second_factor: bool = Field(
        False, description="of staff with a role at a company, an operator or the platform"
    )


class Jobs(Group):
    """Background work: jobs, and messages to the outside world."""

    period: timedelta = Field(timedelta(seconds=5), description="look again, if nothing wakes us")
    lease: timedelta = Field(
        timedelta(seconds=60), description="after it another process takes over from a dead one"
    )
    width: int = Field(4, ge=1, description="jobs, and messages, done at once in a process")
    attempts: int = Field(8, ge=1, description="then a job has failed, a message is dead")
    keep_done: timedelta = Field(timedelta(days=7), description="how long done jobs stay listed")
    keep_failed: timedelta = Field(timedelta(days=90), description="how long failed ones do")


class Settings(BaseSettings):
    """`LINLI_DATABASE__URL=… LINLI_BROKER__PORT=1884 linli serve`."""

    model_config = SettingsConfigDict(
        env_prefix="LINLI_",
        env_nested_delimiter="__",
        env_parse_none_str="",  # "empty" in a description: the variable is there and empty
        frozen=True,
        extra="forbid",
    )

    data_dir: Path = Field(Path("data"), description="keys, certificates, SQLite, files")
    master_key: SecretStr | None = Field(
        None, description="64 hex digits; empty: data_dir/master.key, made at first start"
    )
    log_json: bool | None = Field(None, description="empty: JSON unless on a terminal")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="the least that is logged"
    )
    metrics_token: SecretStr | None = Field(
        None, description="bearer token for /metrics; empty: loopback callers only"
    )
    database: Database = Database()
    http: Http = Http()
    tls: Tls = Tls()
    broker: Broker = Broker()
    devices: Devices = Devices()
    auth: Auth = Auth()
    sms: Sms = Sms()
    jobs: Jobs = Jobs()
    geocoding: Geocoding = Geocoding()
    files: Files = Files()
    messages: Messages = Messages()
    wechat: WeChat = WeChat()

    @model_validator(mode="after")
    def _keep_sqlite_in_data_dir(self) -> Self:
        """Nobody who moves the data folder wants the database to stay behind."""
        if "url" not in self.database.model_fields_set:
            url = SecretStr(f"sqlite://{self.data_dir}/linli.sqlite3")
            self.__dict__["database"] = self.database.model_copy(update={"url": url})
        return self
