"""`tongtu` as an operator runs it, on a test's own platform."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from tests.platform import Platform

LIMIT_SECONDS = 60.0
PROJECT = Path(__file__).parents[1]


class CommandLine:
    """Runs commands, each as a process of its own, with the platform's addresses and prefix in the environment."""

    def __init__(self, environment: dict[str, str]) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TONGTU_")}
        self.environment = clean | environment | {"COLUMNS": "200"}

    @classmethod
    def on(cls, platform: Platform) -> CommandLine:
        """Commands on that platform."""
        return cls(platform.environment)

    def finish(self, *arguments: str, seconds: float = LIMIT_SECONDS) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            [sys.executable, "-m", "tongtu", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )

    def run(self, *arguments: str, code: int = 0, seconds: float = LIMIT_SECONDS) -> str:
        """What a command prints; fails unless it ends with that exit code."""
        done = self.finish(*arguments, seconds=seconds)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """What a command prints with --json."""
        return json.loads(self.run(*arguments, "--json"))

    def refusal(self, *arguments: str, code: int = 1) -> str:
        """The one line that a command ends with."""
        done = self.finish(*arguments)
        assert done.returncode == code, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        lines = done.stderr.splitlines()
        assert lines[-1].startswith("tongtu: ")
        assert "Traceback" not in done.stderr
        return lines[-1]

    @contextlib.contextmanager
    def lines(self, *arguments: str) -> Iterator[Callable[[int], list[str]]]:
        """Runs a command that goes on; the function gives its first lines. Ends with Ctrl-C and exit code 0."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tongtu", *arguments],
            cwd=PROJECT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        printed: list[str] = []
        assert process.stdout is not None
        assert process.stderr is not None
        follower = threading.Thread(target=printed.extend, args=(process.stdout,), daemon=True)
        try:
            first = process.stderr.readline()  # what it follows: only then does nothing more escape it
            assert first.startswith("following"), first + process.stderr.read()
            follower.start()

            def first_lines(count: int) -> list[str]:
                wait_for(lambda: len(printed) >= count, f"{count} lines, got {printed}")
                return [line.rstrip("\n") for line in printed]

            yield first_lines
            process.send_signal(signal.SIGINT)
            assert process.wait(LIMIT_SECONDS) == 0, process.stderr.read()
        finally:
            process.kill()
            process.wait()


def wait_for(condition: Callable[[], object], what: str, seconds: float = LIMIT_SECONDS) -> None:
    """Asks again and again; fails at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@contextlib.contextmanager
def running_process(platform: Platform, log: Path, port: int, *module: str) -> Iterator[subprocess.Popen[bytes]]:
    """A service's process, ready, its health on that port; ended at the end."""
    environment = os.environ | platform.environment | {"TONGTU_HEALTH_PORT": str(port), "TONGTU_SESSION_TIMEOUT": "6"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], cwd=PROJECT, env=environment, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: process.poll() is not None or is_ready(port), f"{module} ready; see {log}")
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        finally:
            process.kill()
            process.wait()


def is_ready(port: int) -> bool:
    """Whether the service there lets records through."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}/ready", timeout=2).status_code == 200
    except httpx.HTTPError:
        return False
