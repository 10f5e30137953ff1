"""Runs the platform as a program: in the foreground until Ctrl-C, or in the background until it is told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

import psutil
import typer

from shared.runtime.settings import ServiceSettings, load
from tongtu.embedded.lock import running as embedded_running
from tongtu.errors import CommandError
from tongtu.output import note, say
from tongtu.supervision.platform import Platform, platform
from tongtu.supervision.state import is_running, read_state

_LOOK_SECONDS = 0.1
_STOP_SECONDS = 60.0


def run(home: Path, secure: bool = False) -> None:
    """Until Ctrl-C, SIGTERM or the end of the terminal."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # all of them stop it in order
    prefix = load(ServiceSettings).prefix
    try:
        with platform(home, prefix=prefix, tell=note, secure=secure) as started:
            started.wait_until_ready(note)
            _show_addresses(started)
            threading.Event().wait()
    except KeyboardInterrupt:
        note("stopped")


def _show_addresses(started: Platform) -> None:
    target = started.target
    served = "".join(f"  {part.name} {part.serves}" for part in started.state.parts if part.serves)
    say(f"Tongtu 通途 runs.  Kafka {target.kafka}  MongoDB {target.mongodb_shown}{served}  logs {started.logs}")
    say("Ctrl-C or `tongtu down` stops it; `tongtu status` shows it; `tongtu demo` shows what it does.")


def start_detached(home: Path, secure: bool = False) -> None:
    """The same in a process of its own; returns once it is ready. Raises typer.Exit(1) if it does not get there."""
    if is_running(home):
        raise CommandError(f"the platform runs already on {home}: `tongtu status` shows it, `tongtu down` stops it")
    logs = home / "logs"
    try:
        logs.mkdir(parents=True, exist_ok=True)
        log = (logs / "platform.log").open("w+", encoding="utf-8")
    except OSError as error:
        raise CommandError(
            f"{home} cannot be written to ({error.strerror}): set TONGTU_HOME to a folder of your own"
        ) from error
    with log:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "tongtu", "up", *(["--secure"] if secure else [])],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _relay_until_ready(home, process, log.name)
        except BaseException:
            process.terminate()
            process.wait()
            raise


def _relay_until_ready(home: Path, process: subprocess.Popen[bytes], log: str) -> None:
    with open(log, encoding="utf-8") as printed:
        while True:
            ended = process.poll() is not None  # asked before reading, so that nothing of the end is missed
            state = read_state(home)
            ready = state is not None and state.pid == process.pid and state.phase == "running"
            _relay(printed)
            if ended:
                raise typer.Exit(1)
            if ready:
                return
            time.sleep(_LOOK_SECONDS)


def _relay(printed: IO[str]) -> None:
    for line in printed:
        note(line.rstrip("\n"))


def stop(home: Path) -> None:
    """Stops the platform that runs on a home, and returns when nothing of it is left."""
    state = read_state(home)
    if state is None:
        servers = embedded_running(home)
        if servers is not None and not is_running(home):
            raise CommandError(f"process {servers.pid} runs Kafka and MongoDB on {home}, not `tongtu up`: end that one")
        note(f"nothing runs on {home}")
        return
    note(f"stopping process {state.pid}")
    try:
        os.kill(state.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError:
        raise CommandError(f"process {state.pid} belongs to another user: ask that user to stop it") from None
    deadline = time.monotonic() + _STOP_SECONDS
    while is_running(home) or embedded_running(home) is not None or _is_alive(state.pid):
        if time.monotonic() > deadline:
            raise CommandError(f"process {state.pid} still runs after {_STOP_SECONDS:.0f} s: kill -9 {state.pid}")
        time.sleep(_LOOK_SECONDS)
    note("stopped")


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
