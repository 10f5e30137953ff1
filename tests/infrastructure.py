"""Where the tests' Kafka and MongoDB come from, as TONGTU_TEST_INFRA says.

testcontainers  containers of apache/kafka and mongo
embedded        the processes that `tongtu up` starts (downloads them the first time)
addresses       TONGTU_KAFKA and TONGTU_MONGODB; the tests that kill servers are skipped
auto            (default) addresses if both are set; else containers if a Docker daemon has the images; else embedded
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Protocol

import pytest

from tests.containers import KAFKA_IMAGE, MONGODB_IMAGE, containers, problem_with_docker
from tongtu.embedded import Infrastructure, infrastructure

_KINDS = ("auto", "testcontainers", "embedded", "addresses")


class Server(Protocol):
    """A Kafka node or a mongod in the test's hand; its port and its data survive stops and kills."""

    @property
    def pid(self) -> int | None:
        """Process id; None while it does not run."""
        ...

    def start(self) -> None:
        """Start it and wait until clients can work with it; nothing happens if it runs already."""
        ...

    def stop(self) -> None:
        """Ask it to stop, and wait."""
        ...

    def kill(self) -> None:
        """End it by SIGKILL and wait until it is gone."""
        ...


@dataclass(frozen=True, slots=True)
class Servers:
    """Both servers, to kill and to start again."""

    kafka: Server
    mongodb: Server


@dataclass(frozen=True, slots=True)
class TestInfrastructure:
    """Addresses, and handles for tests that need more than a client."""

    __test__ = False

    kafka: str
    mongodb: str
    embedded: Infrastructure | None = None
    """Set only where the servers are the embedded ones."""
    _servers: Servers | None = None

    @property
    def servers(self) -> Servers:
        """Both servers, whichever way they run; skips the test where only their addresses are known."""
        if self._servers is None:
            pytest.skip("only the addresses of Kafka and MongoDB are known, so the test cannot kill them")
        return self._servers


@dataclass(frozen=True, slots=True)
class Choice:
    """What is taken, and why."""

    kind: str
    reason: str

    def __str__(self) -> str:
        return f"Kafka and MongoDB: {self.kind} ({self.reason})"


@cache
def choice() -> Choice:
    """What TONGTU_TEST_INFRA comes to on this machine. Raises pytest.UsageError if it cannot be had."""
    return choose(os.environ.get("TONGTU_TEST_INFRA") or "auto")


def choose(asked: str) -> Choice:
    """The same for a value of the variable."""
    addresses = os.environ.get("TONGTU_KAFKA"), os.environ.get("TONGTU_MONGODB")
    if asked not in _KINDS:
        raise pytest.UsageError(f"TONGTU_TEST_INFRA={asked}: give one of {', '.join(_KINDS)}")
    if asked == "addresses" or (asked == "auto" and all(addresses)):
        if not all(addresses):
            raise pytest.UsageError("TONGTU_TEST_INFRA=addresses needs TONGTU_KAFKA and TONGTU_MONGODB")
        return Choice("addresses", f"{addresses[0]} and {addresses[1]}")
    if asked == "embedded":
        return Choice("embedded", "as TONGTU_TEST_INFRA says")
    problem = problem_with_docker()
    if problem is None:
        return Choice("testcontainers", f"the Docker daemon has {KAFKA_IMAGE} and {MONGODB_IMAGE}")
    if asked == "testcontainers":
        raise pytest.UsageError(f"TONGTU_TEST_INFRA=testcontainers: {problem}; build or pull it, or take embedded")
    return Choice("embedded", problem)


@contextmanager
def start_infrastructure(chosen: Choice | None = None) -> Generator[TestInfrastructure]:
    """Starts what was chosen, for the duration of the block."""
    kind = (chosen or choice()).kind
    if kind == "addresses":
        yield TestInfrastructure(os.environ["TONGTU_KAFKA"], os.environ["TONGTU_MONGODB"])
    elif kind == "testcontainers":
        with containers() as (kafka, mongodb):
            yield TestInfrastructure(kafka.address, mongodb.address, None, Servers(kafka, mongodb))
    else:
        with infrastructure(fresh=True, test_commands=True) as started:
            servers = Servers(started.kafka, started.mongodb) if started.kafka and started.mongodb else None
            yield TestInfrastructure(started.addresses.kafka, started.addresses.mongodb, started, servers)
