"""Whether a caller sits at this machine: for what nobody else should see."""

from ipaddress import ip_address

from fastapi import Request

from business_api.deps import client_address
from foundation.runner import Context


def from_this_machine(request: Request, context: Context) -> bool:
    """Whether the request comes over loopback, and not through a proxy on this machine.

    A proxy here that is not declared as one would lend everybody its address.
    """
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    if forwarded and not context.settings.http.trusted_proxies:
        return False
    try:
        return ip_address(client_address(request)).is_loopback
    except ValueError:
        return False
