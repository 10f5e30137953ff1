"""`tongtu` as an operator runs it, on a test's own platform."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.platform import Platform, pause
from tests.service_processes import SESSION_SECONDS
from tongtu.__main__ import run
from tongtu.embedded.ports import free_port
from tongtu.supervision.service_process import GATEWAY, SERVICES, ServiceProcess

LIMIT_SECONDS = 150.0
"""Most take a second or two; the rest is for machines under load."""
PROCESS_SECONDS = 240.0
"""For commands that start the whole platform."""
PROJECT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    printed: str
    told: str


class CommandLine:
    """Runs commands with the platform's addresses and prefix in the environment."""

    def __init__(self, environment: dict[str, str]) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TONGTU_")}
        self.environment = clean | environment | {"COLUMNS": "200"}

    @classmethod
    def on(cls, platform: Platform) -> CommandLine:
        """Commands on that platform."""
        return cls(platform.environment)

    def finish(self, *arguments: str) -> Done:
        """Runs a command to its end, in this process: starting Python for each would take most of a test's time."""
        printed, told = io.StringIO(), io.StringIO()
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(self.environment)
        try:
            # In a thread, because a command runs a loop of its own and a test may be in one.
            with redirect_stdout(printed), redirect_stderr(told), ThreadPoolExecutor(1) as thread:
                code = thread.submit(run, arguments).result(LIMIT_SECONDS)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Done(code, printed.getvalue(), told.getvalue())

    def run(self, *arguments: str, code: int = 0) -> str:
        """What a command prints; fails unless it ends with that exit code."""
        done = self.finish(*arguments)
        assert done.code == code, f"exit code {done.code}\n{done.printed}\n{done.told}"
        return done.printed

    def json(self, *arguments: str) -> Any:
        """What a command prints with --json."""
        return json.loads(self.run(*arguments, "--json"))

    def refusal(self, *arguments: str, code: int = 1) -> str:
        """The one line that a command ends with."""
        done = self.finish(*arguments)
        assert done.code == code, f"exit code {done.code}\n{done.printed}\n{done.told}"
        lines = done.told.splitlines()
        assert lines[-1].startswith("tongtu: ")
        assert "Traceback" not in done.told
        return lines[-1]

    def process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs a command as a process of its own, for those that start processes and take signals."""
        return subprocess.run(
            [sys.executable, "-m", "tongtu", *arguments],
            cwd=PROJECT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PROCESS_SECONDS,
            check=False,
        )

    @contextlib.contextmanager
    def lines(self, *arguments: str) -> Iterator[Callable[[int], list[str]]]:
        """Runs a command that goes on, as a process; the function gives its first lines. Ctrl-C ends it with 0."""
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
    asked = time.monotonic()
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(pause(asked))
        asked = time.monotonic()


def own_ports() -> dict[str, str]:
    """Not the default ones: another platform on this machine may be about to take them."""
    variables = ["TONGTU_KAFKA_PORT", "TONGTU_MONGODB_PORT", "TONGTU_GATEWAY_PORT"]
    variables += [f"TONGTU_{service.upper()}_HEALTH_PORT" for service in (*SERVICES, GATEWAY)]
    ports: dict[str, int] = {}
    for variable in variables:
        ports[variable] = free_port(taken=ports.values())
    return {variable: str(port) for variable, port in ports.items()}


@contextlib.contextmanager
def started_service(platform: Platform, name: str, logs: Path, *command: str) -> Iterator[ServiceProcess]:
    """A service as a process on that platform; by default `python -m services.NAME`. Ended at the end."""
    program = [sys.executable, "-m", *(command or (f"services.{name}",))]
    process = ServiceProcess(name, program, platform.environment | {"TONGTU_SESSION_TIMEOUT": SESSION_SECONDS}, logs)
    process.start()
    try:
        yield process
    finally:
        process.stop()


@contextlib.contextmanager
def running_service(platform: Platform, name: str, logs: Path, *command: str) -> Iterator[ServiceProcess]:
    """The same, ready."""
    with started_service(platform, name, logs, *command) as process:
        wait_for(lambda: process.pid is None or process.readiness() == "ready", f"{name} ready; see {process.log}")
        assert process.pid is not None, process.log.read_text(errors="replace")[-2000:]
        yield process


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
