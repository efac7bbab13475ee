"""Settings of what lies outside: who sends messages, where files are, who knows addresses."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from foundation.settings_base import Group


class Sms(Group):
    """Text messages, and the one-time codes in them."""

    provider: Literal["local", "aliyun"] = Field(
        "local", description="local: nothing is sent; the log shows it, and a page if wanted"
    )
    developer_page: bool = Field(
        False,
        description="/developer/messages shows what local kept, to callers on this machine; "
        "`make run` sets it; never where a proxy on this machine serves others",
    )
    endpoint: str = Field("https://dysmsapi.aliyuncs.com", description="of aliyun")
    access_key_id: SecretStr | None = Field(None, description="of aliyun")
    access_key_secret: SecretStr | None = Field(None, description="of aliyun")
    sign_name: str | None = Field(None, description="短信签名, as approved by the provider")
    templates: dict[str, str] = Field(
        {}, description='the provider\'s codes: {"code_register": "SMS_1", "code_register.en": …}'
    )
    timeout: timedelta = Field(timedelta(seconds=10), description="for the provider's answer")
    regions: tuple[str, ...] = Field(
        ("CN",), description="ISO 3166 codes of the countries whose numbers get one-time codes"
    )
    codes_per_address: int = Field(30, ge=1, description="one-time codes an hour an address")
    codes_per_address_day: int = Field(100, ge=1, description="one-time codes a day an address")
    codes_per_hour: int = Field(2_000, ge=1, description="one-time codes of the whole platform")
    codes_per_day: int = Field(10_000, ge=1, description="one-time codes of the whole platform")

    @model_validator(mode="after")
    def _know_the_provider(self) -> Self:
        if self.provider == "local":
            return self
        if not (self.access_key_id and self.access_key_secret and self.sign_name):
            raise ValueError("aliyun needs access_key_id, access_key_secret and sign_name")
        url = urlsplit(self.endpoint)
        if url.scheme != "https" and url.hostname not in ("127.0.0.1", "localhost"):
            raise ValueError("the endpoint must be https: codes and numbers go there")
        return self


class Files(Group):
    """What people upload."""

    bucket: str | None = Field(None, description="S3 bucket; empty: the folder files in data_dir")
    endpoint: str | None = Field(None, description="of an S3 service other than Amazon's")
    region: str | None = Field(None, description="of the bucket")
    access_key: str | None = Field(None, description="of the S3 service")
    secret_key: SecretStr | None = Field(None, description="of the S3 service")
    virtual_hosted: bool = Field(False, description="the bucket is part of the host's name")
    scanner: str | None = Field(
        None,
        description="command of a virus scanner; gets the path of the file as its last argument, "
        "exits with 0 for clean, 1 for infected (clamdscan does)",
    )
    scanner_timeout: timedelta = Field(timedelta(seconds=60), description="for one file")
    link_life: timedelta = Field(timedelta(minutes=10), description="of a signed link")
    unused_for: timedelta = Field(
        timedelta(hours=24), description="a file that nothing was made of is deleted after it"
    )
    unused_files: int = Field(60, ge=1, description="such files an account at once")
    unused_bytes: int = Field(1024**3, ge=1, description="of such files of an account together")


class Messages(Group):
    """Telling people something, in the app and through other channels."""

    keep: timedelta = Field(timedelta(days=180), description="how long a message is kept")
    period: timedelta = Field(timedelta(seconds=1), description="look again, if nothing wakes us")
    batch: int = Field(1000, ge=1, description="messages routed in one transaction")
    width: int = Field(16, ge=1, description="deliveries a channel makes at once in a process")
    timeout: timedelta = Field(timedelta(seconds=10), description="of one delivery")
    lease: timedelta = Field(
        timedelta(minutes=2), description="after it another process delivers for a dead one"
    )
    attempts: int = Field(10, ge=1, description="then a delivery is given up")
    deliver_within: timedelta = Field(
        timedelta(days=2), description="what could not go out until then does not any more"
    )
    push_contact: str | None = Field(
        None, description="mailto: or https: address for push services; empty: http.public_url"
    )
    push_per_account: int = Field(10, ge=1, description="browsers that show an account's messages")
    push_networks: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="private networks with a push service of your own; plain HTTP is good there"
    )


class WeChatTemplate(Group):
    """A subscription message template of the mini program."""

    id: str = Field(description="as WeChat names it")
    fields: dict[str, str] = Field(
        description='what goes where: {"thing1": "house"}, a parameter, title or body'
    )
    page: str = Field("", description="of the mini program, opened by a tap")


class WeChat(Group):
    """Subscription messages of a WeChat mini program; off without app_id."""

    app_id: str | None = Field(None, description="of the mini program")
    app_secret: SecretStr | None = Field(None, description="of the mini program")
    url: str = Field("https://api.weixin.qq.com", description="of WeChat's API")
    templates: dict[str, WeChatTemplate] = Field(
        {}, description='by kind of message: {"certification.approved": {"id": …, "fields": {…}}}'
    )


class Geocoding(Group):
    """Finding the address and coordinates of a community by its name (查找)."""

    provider: Literal["none", "amap"] = Field("none", description="the map service that is asked")
    url: str = Field("https://restapi.amap.com", description="where it answers")
    key: SecretStr | None = Field(None, description="of the map service (Web 服务)")
    secret: SecretStr | None = Field(None, description="signs requests; empty: not signed")
    timeout: timedelta = Field(timedelta(seconds=5), description="then it has not answered")
