"""REG/1 over HTTPS: asks what the station wants asked; what answers mean is for `registrar`."""

import asyncio
import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self, TypeVar

import httpx
from pydantic import ValidationError

from device_emulator.inputs import ContactFailed
from foundation.errors import DomainError, Kind
from foundation.wire.enroll import EnrollAnswer, EnrollRequest, TimeAnswer, Wire

_TIMEOUT: Final = httpx.Timeout(10.0)
_AT_ONCE: Final = 8
_LIMITS: Final = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=_AT_ONCE)

Answer = TypeVar("Answer", bound=Wire)


class UnsafePlatform(DomainError):
    """The address would send what a station says in clear over a network."""

    kind, code, title = Kind.INVALID, "unsafe-platform", "Not a safe platform address"
    title_zh = "平台地址不安全"


class Platform:
    """The device API of one platform, shared by a fleet."""

    def __init__(self, url: str, ca: Path | None = None) -> None:
        """Talk to `url`, https, or http on this machine only.

        Args:
            url: e.g. `https://127.0.0.1:8443`.
            ca: PEM file of the authority to believe; None: the machine's.

        Raises:
            UnsafePlatform: http to another machine, no address at all, or no such file.
        """
        address = httpx.URL(url)
        if address.scheme not in {"https", "http"} or not address.host:
            raise UnsafePlatform(f"{url!r} is not an address such as https://127.0.0.1:8443")
        if address.scheme == "http" and not _is_loopback(address.host):
            raise UnsafePlatform(f"{url}: plain http only on this machine; use https")
        context: ssl.SSLContext | bool = True
        if address.scheme == "https":
            try:
                context = ssl.create_default_context(cafile=ca)
            except OSError as error:
                raise UnsafePlatform(f"the CA file {ca}: {error}") from None
        self._http = httpx.AsyncClient(
            base_url=url, verify=context, timeout=_TIMEOUT, limits=_LIMITS
        )
        # The pool looks at all connections and all that wait each time a request ends: few do.
        self._gate = asyncio.Semaphore(_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def enrol(self, request: EnrollRequest) -> EnrollAnswer | ContactFailed:
        """Where a station stands."""
        # Exactly what was signed: a field left out is not the same as one that says null.
        body = request.model_dump(mode="json", exclude_none=True)
        return await self._ask(EnrollAnswer, "POST", "/device/v1/enroll", json=body)

    async def time(self, nonce: str) -> TimeAnswer | ContactFailed:
        """What time it is."""
        return await self._ask(TimeAnswer, "GET", "/device/v1/time", params={"nonce": nonce})

    async def _ask(
        self,
        shape: type[Answer],
        method: str,
        path: str,
        *,
        json: object = None,
        params: dict[str, str] | None = None,
    ) -> Answer | ContactFailed:
        try:
            async with self._gate:
                answer = await self._http.request(method, path, json=json, params=params)
        except httpx.HTTPError:
            return ContactFailed()
        if answer.status_code != httpx.codes.OK:
            wait = answer.headers.get("retry-after", "")
            return ContactFailed(answer.status_code, int(wait) if wait.isdecimal() else None)
        try:
            return shape.model_validate_json(answer.content)
        except ValidationError:
            return ContactFailed(answer.status_code)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
