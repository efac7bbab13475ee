"""Alibaba Cloud's request signature, version 3 (ACS3-HMAC-SHA256). No I/O.

Source:
    Alibaba Cloud, "Request syntax and signature method V3"; the worked example of that page
    is a test.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

ALGORITHM: Final = "ACS3-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Call:
    """One call in the RPC style: POST to `/`, all parameters in the query, no body."""

    host: str
    action: str
    version: str
    params: Mapping[str, str]
    at: datetime
    nonce: str
    """Never used before."""


def query_of(params: Mapping[str, str]) -> str:
    """The canonical query: sorted by name, encoded by RFC 3986 (a space is %20)."""
    pairs = sorted((_encoded(name), _encoded(value)) for name, value in params.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def headers_of(call: Call, key_id: str, secret: str) -> dict[str, str]:
    """Every header of the call, `Authorization` among them."""
    payload = hashlib.sha256(b"").hexdigest()
    signed = {
        "host": call.host,
        "x-acs-action": call.action,
        "x-acs-content-sha256": payload,
        "x-acs-date": f"{call.at:%Y-%m-%dT%H:%M:%SZ}",
        "x-acs-signature-nonce": call.nonce,
        "x-acs-version": call.version,
    }
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = "\n".join(("POST", "/", query_of(call.params), lines, names, payload))
    to_sign = f"{ALGORITHM}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signature = hmac.digest(secret.encode(), to_sign.encode(), hashlib.sha256).hex()
    proof = f"Credential={key_id},SignedHeaders={names},Signature={signature}"
    return {**signed, "Authorization": f"{ALGORITHM} {proof}"}


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")
