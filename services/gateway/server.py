"""uvicorn with what it leaves open closed: slow or endless heads, too many connections, readers that never read."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from services.gateway import metrics
from services.gateway.problems import Problem

HEAD_BYTES = 32 * 1024
"""Of a request line with all headers."""
HEADERS = 100
LINGER_SECONDS = 10.0
"""How long what was said last may take to be read after the connection is to be closed."""
_LOOK_SECONDS = 0.5


class Connection(HttpToolsProtocol):
    """One connection: since when it is owed a request's head or body, or its end."""

    began: float | None = None
    body_began: float | None = None
    ending: float | None = None
    most = 0
    """Connections at a time; set on a subclass."""

    _head = 0
    _immodest = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Refuses what is too much."""
        super().connection_made(transport)
        self.began = time.monotonic()
        if len(self.connections) > self.most:
            self.refuse(Problem("unavailable", headers={"retry-after": "5"}), "too many")

    def data_received(self, data: bytes) -> None:
        """Counts what belongs to a head, and what comes though nothing is asked."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        if self.began is not None:
            self._head += len(data)
            if self._immodest or self._head > HEAD_BYTES:
                self.refuse(Problem("header-too-large"), "head too large")
        elif self._is_idle():
            # The rest of a body that nobody wants, or blank lines: neither may go on for ever.
            self.began = time.monotonic()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.began, self._head = time.monotonic(), 0

    def on_headers_complete(self) -> None:
        """Nothing of a request with too large a head goes on, nor of what follows it."""
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if self._immodest or size > HEAD_BYTES or len(self.headers) > HEADERS:
            self._immodest = True
        else:
            self.began, self.body_began = None, time.monotonic()
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """As uvicorn does, if there is a request that it belongs to."""
        if self.began is None:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """As uvicorn does, if there is a request that it belongs to."""
        self.body_began = None
        if self.began is None:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Instead of uvicorn's plain text."""
        self.refuse(Problem("malformed-request"), "malformed")

    def _is_idle(self) -> bool:
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn declares
        return cycle is not None and cycle.response_complete

    def refuse(self, problem: Problem, why: str) -> None:
        """Says why, and closes."""
        if self.transport.is_closing():
            return
        metrics.refused_connections.labels(why).inc()
        response = problem.response(None)
        lines = [b"HTTP/1.1 %d %b" % (response.status_code, problem.kind.encode())]
        lines += [b"%b: %b" % header for header in response.raw_headers]
        self.transport.write(b"\r\n".join([*lines, b"connection: close", b"", response.body]))
        self.transport.close()


class Server(uvicorn.Server):
    """Serves until `should_exit`; signals are left to whoever starts it."""

    def __init__(self, config: uvicorn.Config, head_seconds: float, body_seconds: float) -> None:
        super().__init__(config)
        self._head_seconds = head_seconds
        self._body_seconds = body_seconds

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """None."""
        yield

    async def watch_connections(self) -> None:
        """Cuts off who does not get on; never returns."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            now = time.monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    self._look_at(connection, now)

    def _look_at(self, connection: Connection, now: float) -> None:
        if connection.transport.is_closing():
            if connection.ending is None:
                connection.ending = now
            elif now - connection.ending > LINGER_SECONDS:
                metrics.refused_connections.labels("never read").inc()
                connection.transport.abort()
        elif connection.began is not None and now - connection.began > self._head_seconds:
            connection.refuse(Problem("timeout"), "head too slow")
        elif connection.body_began is not None and now - connection.body_began > self._body_seconds:
            connection.refuse(Problem("timeout"), "body too slow")


def configured(app: Any, *, most_connections: int, **options: Any) -> uvicorn.Config:
    """uvicorn's configuration with connections of this kind."""

    class Limited(Connection):
        most = most_connections

    return uvicorn.Config(
        app,
        http=Limited,
        ws="none",
        lifespan="off",
        proxy_headers=False,
        access_log=False,
        log_level="critical",
        server_header=False,
        backlog=min(2048, most_connections),
        timeout_graceful_shutdown=15,
        **options,
    )
