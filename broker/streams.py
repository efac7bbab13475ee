"""A transport whose first bytes were read by a protocol, handed on as a pair of streams."""

import asyncio


def streams(
    transport: asyncio.Transport, rest: bytes, limit: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Reader and writer of `transport`; `rest` is read first, `limit` bytes are buffered."""
    reader = asyncio.StreamReader(limit=limit)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport.set_protocol(protocol)
    protocol.connection_made(transport)
    if rest:
        reader.feed_data(rest)
    writer = asyncio.StreamWriter(transport, protocol, reader, asyncio.get_running_loop())
    transport.resume_reading()
    return reader, writer
