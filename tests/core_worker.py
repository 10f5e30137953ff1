"""The test service in a process of its own, to be killed: by a signal, by a record, or between two steps of the core.

The processes are forked from one that has everything imported, so that a start takes no second of a processor.
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import forkserver
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import uvloop

from shared.streaming import Event, Message, Timer, UnitOfWork
from shared.streaming.options import Options
from tests import ledger
from tests.ledger import Entry, Ledger
from tests.platform import Platform
from tongtu.embedded.guard import PR_SET_PDEATHSIG

_fork = multiprocessing.get_context("forkserver")
_fork.set_forkserver_preload(["tests.core_worker"])

SESSION_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Kill:
    """Where the process ends itself: before or after the first call of a method, `module:Class.method`.

    A call with an empty first argument has nothing to do and does not count. With SIGSTOP it does not end there, but
    waits for a SIGCONT.
    """

    method: str
    when: str
    signal: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        return f"{self.when} {self.method.rpartition(':')[2]}"

    def arm(self) -> None:
        """Wraps the method in this process."""
        module, _, path = self.method.partition(":")
        owner: Any = importlib.import_module(module)
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        original: Callable[..., Awaitable[Any]] = getattr(owner, name)
        called = False

        async def wrapped(*arguments: Any, **named: Any) -> Any:
            nonlocal called
            if called or (len(arguments) > 1 and not arguments[1]):
                return await original(*arguments, **named)
            called = True
            if self.when == "before":
                os.kill(os.getpid(), self.signal)
            result = await original(*arguments, **named)
            if self.when == "after":
                os.kill(os.getpid(), self.signal)
            return result

        setattr(owner, name, wrapped)


class Obedient(Ledger):
    """Does what the events order: `kill` ends the process, `hang` never ends."""

    async def take(self, events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
        for event in events:
            if event.data is not None and event.data.order == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if event.data is not None and event.data.order == "hang":
                await asyncio.Event().wait()
        return await super().take(events, work)


class Waker(Ledger):
    """Passes nothing on itself: each event sets a timer that is due at once, and the timer does."""

    async def take(self, events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
        ledger.write(events, work)
        for event in events:
            if event.data is not None:
                data = {"number": event.data.number, "key": event.key}
                work.set_timer(event, "alarm", str(event.data.number), datetime.now(UTC), data)
        return []

    async def fire(self, timers: Sequence[Timer], work: UnitOfWork) -> list[Message]:
        """Passes on what the timer was set for."""
        return [
            Message("out", timer.data["key"], Entry.type, Entry(number=timer.data["number"]), timer) for timer in timers
        ]


class Weigher:
    """A raw handler that notes only how large each record is."""

    async def weigh(self, events: Sequence[Event[bytes]], work: UnitOfWork) -> list[Message]:
        ledger.write_sizes(events, work)
        return []


@dataclass(frozen=True, slots=True)
class Worker:
    """One instance of the ledger on a platform of the test's."""

    kafka: str
    mongodb: str
    prefix: str
    log: Path
    partitions: int = 1
    kill: Kill | None = None
    raw: bool = False
    timers: bool = False
    session_seconds: float = SESSION_SECONDS
    max_records: int = 2000
    options: Options | None = None

    def start(self) -> BaseProcess:
        """Forks the process; the caller ends it."""
        process = _fork.Process(target=_run, args=(self,), daemon=True)
        process.start()
        return process

    async def serve(self) -> None:
        """Serves until SIGTERM."""
        if self.kill is not None:
            self.kill.arm()
        platform = Platform(self.kafka, self.mongodb)
        platform.prefix = self.prefix
        settings = {"session_timeout": self.session_seconds, "max_records": self.max_records}
        async with ledger.ledger(platform, self.partitions, self.options, **settings) as service:
            if self.raw:
                service.on_raw(r"^in$", Weigher().weigh)
            elif self.timers:
                service.on_topic("in", Entry, Waker().take)
                service.on_timer("alarm", Waker().fire)
            else:
                service.on_topic("in", Entry, Obedient().take)
            await service.run()


def _run(worker: Worker) -> None:
    if sys.platform.startswith("linux"):
        # However the tests end, the server that forks ends with them, and this process with that, also while stopped.
        # What is closed here would keep the server: it is for children that have children.
        server: Any = forkserver
        os.close(server._forkserver._forkserver_alive_fd)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
    descriptor = os.open(worker.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.stdout = os.fdopen(1, "w", buffering=1)
    sys.stderr = sys.stdout
    uvloop.run(worker.serve())
