"""The images' health check says what the service's /ready says."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from shared.runtime.health import serve_health
from shared.runtime.settings import SettingsError
from tests.platform import eventually
from tongtu.embedded.ports import free_port, is_open

SCRIPT = Path(__file__).parents[2] / "deploy" / "healthcheck.py"


async def check(host: str, port: int | str) -> tuple[int | None, str]:
    """Exit code and what it printed, run as the image runs it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-S",
        str(SCRIPT),
        env=os.environ | {"TONGTU_HEALTH_HOST": host, "TONGTU_HEALTH_PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode().strip()


def listening(port: int) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        return await asyncio.to_thread(is_open, port)

    return ask


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1"])
@pytest.mark.parametrize(("ready", "expected"), [(True, (0, "200 OK")), (False, (1, "503 Service Unavailable"))])
async def test_it_passes_only_while_the_service_is_ready(host: str, ready: bool, expected: tuple[int, str]) -> None:
    port = free_port()
    async with serve_health(host, port, lambda: ready):
        await eventually(listening(port), what="the health server")
        assert await check(host, port) == expected


async def test_it_fails_in_one_line_where_nothing_answers() -> None:
    port = free_port()
    code, printed = await check("0.0.0.0", port)
    assert code == 1
    assert printed.startswith(f"no answer on 0.0.0.0:{port}: ")
    assert "\n" not in printed


async def test_it_fails_in_one_line_where_no_port_is_set() -> None:
    code, printed = await check("0.0.0.0", "")
    assert (code, printed.count("\n")) == (1, 0)


async def test_an_address_that_another_listens_on_is_told_before_anything_is_done() -> None:
    with socket.create_server(("127.0.0.1", free_port())) as other:
        port = other.getsockname()[1]
        began = False
        with pytest.raises(SettingsError, match=f"cannot listen on 127.0.0.1:{port}: give another TONGTU_HEALTH_HOST"):
            async with serve_health("127.0.0.1", port, lambda: True):
                began = True
        assert not began


async def test_its_address_is_free_again_at_once() -> None:
    port = free_port()
    for _ in range(3):
        async with serve_health("127.0.0.1", port, lambda: True):
            assert await check("127.0.0.1", port) == (0, "200 OK")
