"""/live, /ready and /metrics of a service, for the orchestrator and Prometheus."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import MappingProxyType

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from shared.runtime.settings import SettingsError


class _Server(uvicorn.Server):
    """Leaves signals to the service, which stops everything in order."""

    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        yield


View = Callable[[Request], Awaitable[Response]]
_NO_VIEWS: Mapping[str, View] = MappingProxyType({})


@contextlib.asynccontextmanager
async def serve_health(
    host: str, port: int, is_ready: Callable[[], bool], views: Mapping[str, View] = _NO_VIEWS
) -> AsyncIterator[None]:
    """Serves until the block ends, `views` by their paths too; nothing at all where port is 0.

    /live answers 200 as long as the event loop turns; /ready 200 only while records are let through, else 503.
    Raises SettingsError where the address cannot be listened on, before the block begins.
    """
    if port == 0:
        yield
        return
    listening = _listen(host, port)

    async def live(_: Request) -> Response:
        return PlainTextResponse("live")

    async def ready(_: Request) -> Response:
        return PlainTextResponse("ready") if is_ready() else PlainTextResponse("not ready", 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    routes = [Route("/live", live), Route("/ready", ready), Route("/metrics", metrics)]
    routes += [Route(path, view) for path, view in views.items()]
    config = uvicorn.Config(Starlette(routes=routes), log_level="error", access_log=False, limit_concurrency=32)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: give another TONGTU_HEALTH_HOST or TONGTU_HEALTH_PORT"
        ) from error
