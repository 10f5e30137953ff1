"""Keeps servers and services running: one thread each starts it, waits for its end, and starts it again."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.process import Server
from tongtu.supervision.service_process import ServiceProcess
from tongtu.supervision.state import PartState

_LOOK_SECONDS = 0.2
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_STEADY_SECONDS = 60.0
"""A run of this length ends a series of failures."""
_END_SECONDS = 20.0


@dataclass(slots=True)
class Part:
    """One process that is kept running, and what is told of it."""

    server: Server
    state: PartState

    @classmethod
    def of_service(cls, process: ServiceProcess) -> Part:
        """A service; its address is known once it has started."""
        state = PartState(name=process.name, address=process.address, log=str(process.log), serves=process.serves)
        return cls(process, state)

    @property
    def is_service(self) -> bool:
        """Whether this is one of the platform's services, not Kafka or MongoDB."""
        return isinstance(self.server, ServiceProcess)

    def note(self) -> None:
        """Takes over what may differ from run to run."""
        self.state.pid = self.server.pid
        if isinstance(self.server, ServiceProcess):
            self.state.address = self.server.address

    def last_words(self) -> str:
        """How the latest run ended."""
        return self.server.last_words() if isinstance(self.server, ServiceProcess) else f"see {self.state.log}"


class Supervisor:
    """Within its block every part runs. Services are stopped at the end; Kafka and MongoDB by whoever started them."""

    def __init__(self, parts: Sequence[Part], changed: Callable[[], None], tell: Callable[[str], None]) -> None:
        """`changed` is called whenever a part's state is another, `tell` with a line for the user."""
        self._parts = parts
        self._changed = changed
        self._tell = tell
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._keep, args=(part,), daemon=True) for part in parts]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        services = [part.server for part in self._parts if part.is_service]
        with ThreadPoolExecutor(max(1, len(services))) as pool:
            for stopped in [pool.submit(server.stop) for server in services]:
                stopped.result()
        for thread in self._threads:
            thread.join(_END_SECONDS)

    def _keep(self, part: Part) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                part.server.start()
            except EmbeddedError as error:
                words = str(error)
            else:
                self._note(part)
                while part.server.pid is not None:
                    if self._stopping.wait(_LOOK_SECONDS):
                        return
                words = part.last_words()
            if self._stopping.is_set():
                return
            failures = 0 if time.monotonic() - began > _STEADY_SECONDS else failures + 1
            wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** min(failures, 10)) * random.uniform(0.75, 1.25)
            part.state.restarts += 1
            part.state.last_end = words
            self._note(part)
            self._tell(f"{part.state.name} ended ({words}); starting it again in {wait:.0f} s, log: {part.state.log}")
            self._stopping.wait(wait)

    def _note(self, part: Part) -> None:
        with self._lock:
            part.note()
            self._changed()
