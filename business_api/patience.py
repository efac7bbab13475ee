"""How long a client may take to say what it wants: uvicorn itself waits for ever.

Without a limit, somebody who opens sockets and sends a byte now and then holds all the
connections there are, and the doors' API answers nobody.
"""

import asyncio
from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
"""From the first moment a request could begin to arrive until its headers are complete."""


class PatientProtocol(H11Protocol):
    """Closes a connection whose next request does not get past its headers in time.

    Between requests uvicorn's keep-alive limit holds; with the first byte of a request that
    one ends and this one begins.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Go on waiting, or stop because a request is complete enough to be served."""
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            if self._deadline is None:
                self._wait()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()
