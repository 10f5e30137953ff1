"""Somebody between a client and a server, who passes on what both say, and listens."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tongtu.embedded.ports import HOST, free_port


@dataclass(frozen=True, slots=True)
class Relay:
    """Where clients find it, and what they have said to it; after TLS where it ends that."""

    address: str
    heard: bytearray = field(default_factory=bytearray)


@contextmanager
def relay(server: str, certificate: ssl.SSLContext | None = None, *, host: str = HOST) -> Generator[Relay]:
    """Passes on to `server` (host:port) for the block; with a certificate, ends the client's TLS and begins its own."""
    port = free_port()
    running = Relay(f"{host}:{port}")
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: None)  # of clients that leave in the middle of a handshake
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def join(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        await _join(client, to_client, server, certificate, running)

    serving = asyncio.start_server(join, host, port, ssl=certificate)
    try:
        asyncio.run_coroutine_threadsafe(serving, loop).result()
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(_end_all(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _join(
    client: asyncio.StreamReader,
    to_client: asyncio.StreamWriter,
    server: str,
    certificate: ssl.SSLContext | None,
    running: Relay,
) -> None:
    host, _, port = server.rpartition(":")
    from_server, to_server = await asyncio.open_connection(
        host, int(port), ssl=_believes_all() if certificate else None
    )
    await asyncio.gather(_pass_on(client, to_server, running.heard), _pass_on(from_server, to_client, bytearray()))


async def _pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter, heard: bytearray) -> None:
    with suppress(OSError):
        while data := await source.read(1 << 16):
            heard += data
            sink.write(data)
    sink.close()


def _believes_all() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _end_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
