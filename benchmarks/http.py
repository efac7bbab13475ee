"""A load generator's end of HTTP/1.1: one connection kept open, one request at a time.

An ordinary client library spends as long on a request as the platform does; this one does not.
"""

import asyncio
import json
from typing import Any


class Connection:
    """Speaks to one server; see `opened`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.token = ""

    async def post(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Send a request; status and JSON body of the answer."""
        raw = b"" if body is None else json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", "Host: bench", f"Content-Length: {len(raw)}"]
        if raw:
            lines.append("Content-Type: application/json")
        if self.token:
            lines.append(f"Authorization: Bearer {self.token}")
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + raw)
        head = await self._reader.readuntil(b"\r\n\r\n")
        status, *fields = head.decode("latin-1").split("\r\n")
        length = next(
            int(field.split(":", 1)[1])
            for field in fields
            if field.lower().startswith("content-length:")
        )
        answer = await self._reader.readexactly(length)
        return int(status.split()[1]), json.loads(answer) if answer else None

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()


async def opened(port: int) -> Connection:
    """Connect to `port` of this machine."""
    return Connection(*await asyncio.open_connection("127.0.0.1", port))
