"""Takes in the body of a request within bounds: its own size, and the memory of all requests together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from starlette.types import Receive

from services.gateway.problems import Problem


class RequestMemory:
    """The memory that all requests being received or handled may take together."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self.bytes = 0
        """In use."""

    @contextmanager
    def share(self) -> Iterator[Share]:
        """One request's part; given back at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self.bytes -= share.bytes

    def take(self, size: int) -> bool:
        """Whether there was room for so many bytes more."""
        if self.bytes + size > self._most_bytes:
            return False
        self.bytes += size
        return True


class Share:
    """What one request has taken."""

    def __init__(self, memory: RequestMemory) -> None:
        self._memory = memory
        self.bytes = 0

    def take(self, size: int) -> bool:
        """Whether there was room for so many bytes more."""
        if not self._memory.take(size):
            return False
        self.bytes += size
        return True


async def read_body(
    receive: Receive, announced: bytes | None, share: Share, *, most: int, limits: Mapping[str, int]
) -> bytes:
    """The whole body. Raises Problem where it is too large or there is no room, and has the connection closed.

    `announced` is the Content-Length: what is announced too large is not read at all. `limits` are told to whoever
    sends too much. Its time is for the connection to watch (server.py).
    """
    if announced is not None and (not announced.isdigit() or len(announced) > 18 or int(announced) > most):
        raise Problem("too-large", close=True, context=limits)
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Problem("timeout", close=True)
        part: bytes = message["body"]
        size += len(part)
        if size > most:
            raise Problem("too-large", close=True, context=limits)
        if not share.take(len(part)):
            raise Problem("unavailable", headers={"retry-after": "1"}, close=True)
        parts.append(part)
        if not message["more_body"]:
            return parts[0] if len(parts) == 1 else b"".join(parts)
