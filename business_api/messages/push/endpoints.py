"""Where a push may go: what a browser named is an address that a stranger chose.

Only HTTPS to public addresses. The name is looked up at each connection, every address it has
is judged, and that very address is connected to: a name that changes between the judgement
and the connection gains nothing. Redirects are not followed, proxies of the environment not
asked.
"""

import asyncio
import ipaddress
import re
import socket
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any, Final
from urllib.parse import urlsplit

import httpcore

from foundation.errors import DomainError, Kind

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

LONGEST: Final = 1000
"""Characters of an endpoint; those of today's services have up to 600."""

_NAME: Final = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]+")
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
# What carries an IPv4 address, or goes through somebody's gateway to one.
_TUNNELS: Final = tuple(
    map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96"))
)
_ADDRESSES: Final = 3
"""Of one name that are tried."""
_LOOKUPS: Final = 4
"""At once: names that take long must not use up the threads of the process."""


class BadEndpoint(DomainError):
    """Not an HTTPS address of a push service on the public internet."""

    kind, code, title = Kind.INVALID, "bad-endpoint", "This is not the address of a push service"
    title_zh = "推送服务地址不正确"


class NotPublic(OSError):
    """A name leads to an address that nobody outside may make us talk to."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to push to. `origin` as VAPID names the service."""

    url: str
    host: str
    origin: str


def read(url: str, networks: Sequence[Network]) -> Endpoint:
    """Judge the form of an endpoint; its name is not looked up.

    Raises:
        BadEndpoint: not one that we would talk to. Names only, on the port of HTTPS, unless
            the address is in one of `networks`.
    """
    if len(url) > LONGEST or not _VISIBLE.fullmatch(url) or "\\" in url:
        raise BadEndpoint
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise BadEndpoint from None
    host = parts.hostname or ""
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise BadEndpoint
    own = _within(host, networks) and parts.scheme in {"http", "https"}
    public = parts.scheme == "https" and port in {None, 443} and _NAME.fullmatch(host)
    if not (own or public):
        raise BadEndpoint
    shown = f"[{host}]" if ":" in host else host
    where = shown if port is None or public else f"{shown}:{port}"
    return Endpoint(url, host, f"{parts.scheme}://{where}")


def is_public(address: Address) -> bool:
    """Whether anybody on the internet may talk to `address`, so that we may be made to."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address.is_site_local or any(address in tunnel for tunnel in _TUNNELS):
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def pool(networks: Sequence[Network], connections: int) -> httpcore.AsyncConnectionPool:
    """Connections to public addresses only, and to those in `networks`."""
    return httpcore.AsyncConnectionPool(
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=30,
        network_backend=_PublicOnly(networks),
    )


class _PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects as anybody would, to an address that was judged."""

    def __init__(self, networks: Sequence[Network]) -> None:
        self._networks = networks
        self._inner = httpcore.AnyIOBackend()
        self._threads = ThreadPoolExecutor(_LOOKUPS, thread_name_prefix="push lookup")

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._judged(host, port)
        except OSError as error:
            raise httpcore.ConnectError(type(error).__name__) from error
        *others, last = addresses
        for address in others:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(last, port, timeout, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)

    async def _judged(self, host: str, port: int) -> list[str]:
        """The addresses of `host`, a few at most; all of them are judged.

        Raises:
            NotPublic: one of its addresses is not for us to talk to.
            OSError: it has none.
        """
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _look_up, host, port)
        for address in found:
            if not (is_public(address) or any(address in own for own in self._networks)):
                raise NotPublic
        return [str(address) for address in found[:_ADDRESSES]]


def _look_up(host: str, port: int) -> list[Address]:
    rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    if not rows:
        raise OSError("the name has no address")
    return [ipaddress.ip_address(str(row[4][0]).partition("%")[0]) for row in rows]


def _within(host: str, networks: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in network for network in networks)
