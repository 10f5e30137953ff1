"""Who uses a home: a lock that lasts as long as the servers, with the addresses for other programs to read."""

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.home import default_home

_LEFTOVER_LIMIT = 10.0  # seconds in which the servers of a killed program are gone; measured below 0.1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where clients connect: Kafka's bootstrap servers and MongoDB's connection string.

    Where Kafka is secured, also its administrator's name, the file with the password, and that of the authority that
    certified Kafka.
    """

    kafka: str
    mongodb: str
    kafka_user: str | None = None
    kafka_password_file: str | None = None
    kafka_ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Running:
    """An embedded infrastructure: the process that owns it, and its addresses (None while it still starts)."""

    pid: int
    addresses: Addresses | None


class HomeLock:
    """Exclusive use of a home from entry to exit, held on by every server that was given `descriptor`.

    The kernel drops the lock when the last holder ends, so there is no stale lock after a kill. Raises EmbeddedError
    if another program uses the home, or if it cannot be written to.
    """

    def __init__(self, home: Path):
        self._home = home
        self.descriptor = -1

    def __enter__(self) -> Self:
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            self.descriptor = os.open(self._home / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EmbeddedError(
                f"{self._home} cannot be written to ({error.strerror}): set TONGTU_HOME to a folder of your own"
            ) from error
        deadline = time.monotonic() + _LEFTOVER_LIMIT
        while not _try_lock(self.descriptor, fcntl.LOCK_EX):
            owner = _read(self._home)
            # An owner that is gone leaves servers that are just being ended.
            if (owner is not None and _is_alive(owner.pid)) or time.monotonic() > deadline:
                os.close(self.descriptor)
                raise EmbeddedError(
                    f"{self._home} is in use{f' by process {owner.pid}' if owner else ''}: stop that one, "
                    "or set TONGTU_HOME to another folder"
                )
            time.sleep(0.02)
        self._write(Running(os.getpid(), None))
        return self

    def publish(self, addresses: Addresses) -> None:
        """Let other programs find the addresses (see `running`)."""
        self._write(Running(os.getpid(), addresses))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.ftruncate(self.descriptor, 0)
        fcntl.flock(self.descriptor, fcntl.LOCK_UN)  # a process forked from this one may still have it open
        os.close(self.descriptor)

    def _write(self, entry: Running) -> None:
        content = json.dumps(asdict(entry)).encode()
        os.ftruncate(self.descriptor, 0)
        os.pwrite(self.descriptor, content, 0)


def running(home: Path | None = None) -> Running | None:
    """What runs on a home (default: TONGTU_HOME); None if nothing does."""
    home = home or default_home()
    return _read(home) if is_in_use(home) else None


def is_in_use(home: Path) -> bool:
    """True if a program, or a server that it left, holds the home's lock."""
    try:
        descriptor = os.open(home / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try_lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(home: Path) -> Running | None:
    try:
        content = json.loads((home / "lock").read_bytes())
        addresses = content["addresses"]
        return Running(content["pid"], Addresses(**addresses) if addresses else None)
    except (OSError, ValueError):
        return None


def _is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
