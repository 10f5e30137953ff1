"""What `tongtu up` tells other commands: a file in the home, with a lock that lasts as long as its process."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from pydantic import BaseModel, ValidationError

from tongtu.embedded.lock import Addresses
from tongtu.errors import CommandError

_GLANCE_SECONDS = 0.5
"""Another command that just looks holds the lock for a moment, too."""

Phase = Literal["starting", "running", "stopping"]


class PartState(BaseModel):
    """One server or service: what runs, and what became of earlier runs."""

    name: str
    pid: int | None = None
    address: str
    """Where clients connect, or where health is served."""
    serves: str | None = None
    """Where it serves members, if it does."""
    log: str
    restarts: int = 0
    last_end: str | None = None
    """How it ended last without being told to: exit code and last words."""


class PlatformState(BaseModel):
    """The platform that runs on a home."""

    pid: int
    started: datetime
    phase: Phase
    addresses: Addresses | None = None
    """None while Kafka and MongoDB start."""
    prefix: str = ""
    parts: list[PartState] = []


@dataclass(frozen=True, slots=True)
class _Files:
    lock: Path
    state: Path

    @classmethod
    def of(cls, home: Path) -> _Files:
        return cls(home / "platform.lock", home / "platform.json")


class PlatformFile:
    """The state of a platform that this process runs. Raises CommandError if another process runs one on the home."""

    def __init__(self, home: Path, prefix: str) -> None:
        self._files = _Files.of(home)
        self._descriptor = -1
        self._writing = threading.Lock()
        self.state = PlatformState(pid=os.getpid(), started=datetime.now(UTC), phase="starting", prefix=prefix)

    def __enter__(self) -> Self:
        home = self._files.lock.parent
        try:
            home.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(self._files.lock, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise CommandError(
                f"{home} cannot be written to ({error.strerror}): set TONGTU_HOME to a folder of your own"
            ) from error
        deadline = time.monotonic() + _GLANCE_SECONDS
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(self._descriptor)
                    raise CommandError(
                        f"the platform runs already on {home}: `tongtu status` shows it, `tongtu down` stops it"
                    ) from None
            time.sleep(0.02)
        self.write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.state.unlink(missing_ok=True)
        os.close(self._descriptor)

    def write(self) -> None:
        """Lets other commands see the state as it is now; never half of it."""
        with self._writing:
            new = self._files.state.with_suffix(".new")
            # For this user alone: an address may hold a password.
            with open(new, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
                file.write(self.state.model_dump_json(indent=1))
            new.replace(self._files.state)


def read_state(home: Path) -> PlatformState | None:
    """The platform that runs on a home; None if none does."""
    files = _Files.of(home)
    if not _is_locked(files.lock):
        return None
    with suppress(OSError, ValidationError):
        return PlatformState.model_validate_json(files.state.read_bytes())
    return None


def is_running(home: Path) -> bool:
    """Whether a process runs a platform on that home, or is about to end."""
    return _is_locked(_Files.of(home).lock)


def _is_locked(lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
