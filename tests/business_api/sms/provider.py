"""The provider's gateway as we know it from its documentation: it refuses what is not signed.

Written from the bytes on the wire, and sharing nothing with the code it judges.
"""

import asyncio
import hashlib
import hmac
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

KEY_ID, SECRET = "LTAI-test-key", "a secret that nobody knows"
SIGNED = (
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
)
_PROOF = re.compile(
    r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})"
)


@dataclass
class Gateway:
    """What came in, and what is answered to it when it is well signed."""

    now: Callable[[], datetime]
    code: str = "OK"
    status: int = 200
    body: bytes | None = None
    silent: bool = False
    secret: str = SECRET
    port: int = 0
    nonces: set[str] = field(default_factory=set)
    raw: list[bytes] = field(default_factory=list)
    taken: list[dict[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def judge(self, request: bytes) -> tuple[int, str]:
        """Status and `Code` for a request."""
        head, _, body = request.partition(b"\r\n\r\n")
        line, *fields = head.decode("ascii").split("\r\n")
        method, target, _ = line.split(" ")
        headers = {
            name.lower(): value.strip()
            for name, _, value in (each.partition(":") for each in fields)
        }
        path, _, query = target.partition("?")
        proof = _PROOF.fullmatch(headers.get("authorization", ""))
        if proof is None or proof[1] != KEY_ID:
            return 404, "InvalidAccessKeyId.NotFound"
        names = proof[2].split(";")
        if names != sorted(names) or not set(SIGNED) <= set(names):
            return 400, "IncompleteSignature"
        if headers["x-acs-content-sha256"] != hashlib.sha256(body).hexdigest():
            return 400, "SignatureDoesNotMatch"
        pairs = query.split("&")
        if pairs != sorted(pairs):
            return 400, "SignatureDoesNotMatch"
        canonical = "\n".join(
            [
                method,
                path,
                query,
                *(f"{name}:{headers[name]}" for name in names),
                "",
                ";".join(names),
                headers["x-acs-content-sha256"],
            ]
        )
        to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.new(self.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(signature, proof[3]):
            return 400, "SignatureDoesNotMatch"
        at = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if abs(self.now() - at) > timedelta(minutes=15):
            return 400, "InvalidTimeStamp.Expired"
        nonce = headers["x-acs-signature-nonce"]
        if nonce in self.nonces:
            return 400, "SignatureNonceUsed"
        self.nonces.add(nonce)
        if (headers["x-acs-action"], headers["x-acs-version"]) != ("SendSms", "2017-05-25"):
            return 404, "InvalidAction.NotFound"
        params = {
            unquote(name): unquote(value)
            for name, _, value in (pair.partition("=") for pair in pairs)
        }
        if self.code == "OK" and self.status == 200:
            self.taken.append(params)
        return self.status, self.code

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", request, re.IGNORECASE)
        request += await reader.readexactly(int(length[1])) if length else b""
        self.raw.append(request)
        if self.silent:
            await reader.read()  # until the caller has had enough
        else:
            status, code = self.judge(request)
            answer = {"Message": code, "RequestId": "A-1", "Code": code, "BizId": "1^0"}
            body = self.body if self.body is not None else json.dumps(answer).encode()
            writer.write(
                b"HTTP/1.1 %d X\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s"
                % (status, len(body), body)
            )
        writer.close()


@asynccontextmanager
async def gateway(now: Callable[[], datetime]) -> AsyncIterator[Gateway]:
    """A gateway that listens while the block runs."""
    here = Gateway(now)
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0)
    here.port = server.sockets[0].getsockname()[1]
    async with server:
        yield here


async def replay(here: Gateway, request: bytes) -> bytes:
    """Send recorded bytes again; the whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", here.port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer
