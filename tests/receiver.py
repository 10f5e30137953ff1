"""A member's own HTTP server, as it is or as it should not be: what it gets, and how it answers."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import web

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    """By names in small letters."""
    body: bytes
    at: float
    """By time.monotonic."""

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_with(self, secret: str) -> bool:
        """As the specification says it, with nothing but the standard library."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        content = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        wanted = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
        return wanted in self.headers["webhook-signature"].split(" ")


Behaviour = Callable[[web.Request, int], Awaitable[web.StreamResponse]]
"""Request and how many came before it on that path -> answer."""


@dataclass
class Receiver:
    """Answers 200, unless a path has a behaviour of its own."""

    address: str = ""
    received: list[Received] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    in_flight: Counter[str] = field(default_factory=Counter)
    most_in_flight: Counter[str] = field(default_factory=Counter)

    def url(self, path: str) -> str:
        """Where to post to."""
        return f"{self.address}/{path}"

    def on(self, path: str) -> list[Received]:
        """What came there, in the order of its coming."""
        return [each for each in self.received if each.path == path]

    def ids(self, path: str) -> Counter[str]:
        """How often each message came there."""
        return Counter(each.id for each in self.on(path))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path.lstrip("/")
        headers = {name.lower(): value for name, value in request.headers.items()}
        before = len(self.on(path))
        self.received.append(Received(path, headers, await request.read(), time.monotonic()))
        self.in_flight[path] += 1
        self.most_in_flight[path] = max(self.most_in_flight[path], self.in_flight[path])
        try:
            behaviour = self.behaviours.get(path)
            return web.Response() if behaviour is None else await behaviour(request, before)
        finally:
            self.in_flight[path] -= 1


@contextlib.asynccontextmanager
async def running_receiver(host: str = HOST) -> AsyncIterator[Receiver]:
    """Listens for the duration of the block."""
    receiver = Receiver()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.address = f"http://{host}:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


def status(code: int, **headers: str) -> Behaviour:
    """Always the same answer."""

    async def answer(request: web.Request, before: int) -> web.StreamResponse:
        return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return answer


def first(times: int, then: Behaviour) -> Behaviour:
    """Behaves like that so many times, and answers 200 afterwards."""

    async def answer(request: web.Request, before: int) -> web.StreamResponse:
        return await then(request, before) if before < times else web.Response()

    return answer


async def hang(request: web.Request, before: int) -> web.StreamResponse:
    """Never answers."""
    await asyncio.Event().wait()
    raise AssertionError


def says(*parts: bytes, pause: float = 0.0, for_ever: bool = False) -> Behaviour:
    """Writes these bytes to the connection, whatever HTTP has to say to that, and closes it, or goes on for ever."""

    async def answer(request: web.Request, before: int) -> web.StreamResponse:
        transport = request.transport
        assert transport is not None
        for part in parts:
            transport.write(part)
            await asyncio.sleep(pause)
        while for_ever and not transport.is_closing():
            transport.write(parts[-1])
            await asyncio.sleep(pause)
        transport.close()
        return web.Response()

    return answer
