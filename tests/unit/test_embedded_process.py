"""A child process ends with its parent, however the parent ends and from whichever thread the child was started."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from tests.embedded import assert_all_end
from tongtu.embedded import EmbeddedError
from tongtu.embedded.process import Child

LIMIT = 10.0  # seconds for what takes milliseconds


def parent(code: str, folder: Path) -> tuple[subprocess.Popen[str], psutil.Process]:
    """Run code that prints the process id of a child that it started."""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        text=True,
        stdout=subprocess.PIPE,
        stdin=subprocess.PIPE,
        env={**os.environ, "FOLDER": str(folder)},
    )
    assert process.stdout is not None
    return process, psutil.Process(int(process.stdout.readline()))


START = """
import os, sys, threading
from pathlib import Path
from tongtu.embedded.process import Child
folder = Path(os.environ["FOLDER"])
child = []
def start():
    child.append(Child(["sleep", "1000"], folder / "log", cleanup=["touch", str(folder / "cleaned")]))
"""


def test_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    process, child = parent(START + "start(); print(child[0].pid, flush=True); sys.stdin.read()", tmp_path)
    watcher = child.parent()
    assert watcher is not None
    process.kill()
    assert_all_end(child, watcher)
    assert (tmp_path / "cleaned").exists()
    process.communicate()


def test_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    thread = "thread = threading.Thread(target=start); thread.start(); thread.join()\n"
    process, child = parent(
        START + thread + "print(child[0].pid, flush=True); sys.stdin.readline()\n"
        "print(child[0].exit_code, flush=True); sys.stdin.read()",
        tmp_path,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == "None\n"
    process.kill()
    assert_all_end(child)
    process.communicate()


def test_child_ends_although_a_fork_of_the_parent_lives_on(tmp_path: Path) -> None:
    fork = "start()\nif os.fork() == 0:\n    sys.stdin.read(); os._exit(0)\n"
    process, child = parent(START + fork + "print(child[0].pid, flush=True); sys.stdin.read()", tmp_path)
    process.kill()
    assert_all_end(child)
    process.communicate()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="PDEATHSIG is Linux's")
def test_child_ends_when_its_watcher_is_killed(tmp_path: Path) -> None:
    child = Child(["sleep", "1000"], tmp_path / "log")
    process = psutil.Process(child.pid)
    watcher = process.parent()
    assert watcher is not None
    watcher.kill()
    assert_all_end(process)
    child.close()


def test_child_takes_signals_and_its_end_is_seen(tmp_path: Path) -> None:
    child = Child(["sleep", "1000"], tmp_path / "log")
    assert child.exit_code is None
    child.signal(signal.SIGTERM)
    assert child.wait(LIMIT)
    assert child.exit_code == 128 + signal.SIGTERM
    child.signal(signal.SIGTERM)
    child.close()


def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    child = Child(["sh", "-c", "echo said; echo complained >&2; exit 3"], tmp_path / "log")
    assert child.wait(LIMIT)
    assert child.exit_code == 3
    assert (tmp_path / "log").read_text().split() == ["said", "complained"]
    child.close()


def test_closing_twice_and_from_two_threads_is_harmless(tmp_path: Path) -> None:
    child = Child(["sleep", "1000"], tmp_path / "log")
    threads = [threading.Thread(target=child.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT)
    assert child.exit_code == 128 + signal.SIGKILL


def test_command_that_does_not_exist_is_told(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"^/nowhere/mongod cannot be run: No such file or directory$"):
        Child(["/nowhere/mongod"], tmp_path / "log")
