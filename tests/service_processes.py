"""The four services as they run in production: a process each, behind the prefix of one test's platform."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

import catalogue
from shared.contracts.events import OrganisationKind, OrganisationRegistered
from shared.runtime.topics import apply_topics, load_topics
from tests.platform import Platform, event_headers
from tongtu.supervision.service_process import SERVICES, ServiceProcess

READY_SECONDS = 120.0
"""For a start; measured 4 s on two quiet cores, the rest is for machines under load."""
SESSION_SECONDS = "3"
"""How long the partitions of a killed service wait for the next one; the tests' brokers accept 1 and more."""
TAIL_LINES = 25
SECRET = "the same key gives a pair of records the same match id in every run of a test"


class ServiceProcesses:
    """`python -m services.NAME` for each of the four; `folder` keeps their logs."""

    def __init__(self, platform: Platform, folder: Path, **environment: str) -> None:
        """`environment` is added to what has a service join the platform."""
        self.platform = platform
        variables = platform.environment | {"TONGTU_MATCHING_SECRET": SECRET} | environment
        self._folder = folder
        self._processes = {
            name: ServiceProcess(name, [sys.executable, "-m", f"services.{name}"], variables, folder)
            for name in SERVICES
        }

    def start(self) -> None:
        """Starts all of them and waits until each lets records through."""
        for process in self._processes.values():
            process.start()
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Returns once /ready of each answers 200."""
        deadline = time.monotonic() + READY_SECONDS
        for name in self._processes:
            while not self.is_ready(name):
                if time.monotonic() > deadline:
                    pytest.fail(f"{name} is not ready after {READY_SECONDS:.0f} s:\n{self.tail(name)}")
                time.sleep(0.05)

    def is_ready(self, name: str) -> bool:
        """Whether one of them lets records through; fails the test with its log where it has ended."""
        state = self._processes[name].readiness()
        if state == "down":
            pytest.fail(f"{name} has ended:\n{self.tail(name)}")
        return state == "ready"

    def kill(self, name: str) -> None:
        """SIGKILL for one of them."""
        self._processes[name].kill()

    def start_again(self, name: str) -> None:
        """Starts one that was killed; returns at once."""
        self._processes[name].start()

    def stop(self) -> None:
        """SIGTERM for all at once, SIGKILL for what does not end."""
        with ThreadPoolExecutor(len(self._processes)) as pool:
            list(pool.map(ServiceProcess.stop, self._processes.values()))

    def tail(self, name: str) -> str:
        """The last lines of a service's log."""
        log = self._folder / f"{name}.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(line[:2000] for line in lines[-TAIL_LINES:])

    def tails(self) -> str:
        """The last lines of every log."""
        return "\n".join(f"--- {name}\n{self.tail(name)}" for name in self._processes)


@contextmanager
def running_services(
    platform: Platform, members: Iterable[str], folder: Path, **environment: str
) -> Generator[ServiceProcesses]:
    """All topics, those of the members too, the members in the registry, and the four services, for the block."""
    asyncio.run(register(platform, list(members)))
    processes = ServiceProcesses(platform, folder, **environment)
    try:
        processes.start()
        yield processes
    finally:
        processes.stop()


async def register(platform: Platform, members: Sequence[str]) -> None:
    """Creates the platform's topics and those of the members, and announces the members as the registry does."""
    topics = load_topics()
    wanted = [*topics, *(topic for member in members for topic in topics.for_member(member))]
    await apply_topics(platform.kafka, wanted, platform.prefix)
    producer = AIOKafkaProducer(bootstrap_servers=platform.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for organisation in map(organisation_called, members):
            headers = event_headers(f"registered-{organisation.id}", organisation.type, "/registry")
            value = organisation.model_dump_json(exclude_none=True).encode()
            topic = platform.prefix + OrganisationRegistered.topic
            await producer.send_and_wait(topic, value, key=organisation.id.encode(), headers=headers)
    finally:
        await producer.stop()


def organisation_called(member: str) -> OrganisationRegistered:
    """The catalogue's organisation of that id, or a sample of that id."""
    for organisation in catalogue.organisations():
        if organisation.id == member:
            return organisation
    names = {"zh": f"样例 {member}", "en": f"Sample {member}"}
    return OrganisationRegistered(
        id=member, version=1, names=names, kind=OrganisationKind.OTHER, languages=("zh", "en")
    )
