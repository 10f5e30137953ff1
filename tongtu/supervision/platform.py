"""The whole platform on this machine: Kafka and MongoDB, the topics, and every service as its own process."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from shared.runtime.topics import apply_topics, load_topics
from tongtu.access.webhook_keys import NOTIFY_VARIABLE, WebhookKeys
from tongtu.embedded.infrastructure import Infrastructure, infrastructure
from tongtu.embedded.lock import Addresses
from tongtu.embedded.ports import HOST, choose_port
from tongtu.errors import CommandError
from tongtu.supervision.service_process import GATEWAY, GATEWAY_PORT, SERVICES, ServiceProcess
from tongtu.supervision.state import PartState, PlatformFile, PlatformState
from tongtu.supervision.supervisor import Part, Supervisor
from tongtu.target import Target, login_at

_LOOK_SECONDS = 0.1
_MOST_ENDS = 3
"""A service that ends so often before it was ready once will not come up."""

Services = Callable[[Callable[[str], dict[str, str]], Path], Sequence[ServiceProcess]]
"""Environment of each service, and the folder for logs -> the processes."""


def every_service(environment_of: Callable[[str], dict[str, str]], logs: Path) -> list[ServiceProcess]:
    """All services, and the gateway."""
    port = choose_port("TONGTU_GATEWAY_PORT", GATEWAY_PORT)
    gateway = {**environment_of(GATEWAY), "TONGTU_GATEWAY_PORT": str(port)}
    services = [ServiceProcess.of(service, environment_of(service), logs) for service in SERVICES]
    return [*services, ServiceProcess.of(GATEWAY, gateway, logs, f"http://{HOST}:{port}")]


class Platform:
    """What runs, for whoever started it."""

    def __init__(self, target: Target, file: PlatformFile, parts: Sequence[Part], logs: Path) -> None:
        self.target = target
        self.logs = logs
        self._file = file
        self._parts = parts

    @property
    def state(self) -> PlatformState:
        """What other commands see of it."""
        return self._file.state

    def wait_until_ready(self, tell: Callable[[str], None], seconds: float | None = None) -> None:
        """Returns once every service lets records through.

        Raises CommandError for one that ends again and again before, or when the time is over.
        """
        began = time.monotonic()
        waiting = [part for part in self._parts if part.is_service]
        while waiting:
            for part in list(waiting):
                assert isinstance(part.server, ServiceProcess)
                if part.server.readiness() == "ready":
                    waiting.remove(part)
                    tell(f"{part.state.name}: ready after {time.monotonic() - began:.1f} s")
                elif part.state.restarts >= _MOST_ENDS:
                    raise CommandError(
                        f"{part.state.name} does not start ({part.state.last_end}): see {part.state.log}"
                    )
            if waiting and seconds is not None and time.monotonic() - began > seconds:
                names = ", ".join(part.state.name for part in waiting)
                raise CommandError(f"not ready after {seconds:.0f} s: {names}; see the logs in {self.logs}")
            time.sleep(_LOOK_SECONDS)
        self.state.phase = "running"
        self._file.write()


@contextmanager
def platform(
    home: Path,
    *,
    prefix: str = "",
    tell: Callable[[str], None],
    secure: bool = False,
    services: Services = every_service,
    before_services: Callable[[Target], None] = lambda target: None,
) -> Generator[Platform]:
    """Runs the platform for the duration of the block. Addresses in the environment win over embedded servers.

    On a secured Kafka (`secure`, or the environment's with an administrator's login) each service has its own user.
    `before_services` is called when the topics are there and nothing reads them yet. Raises CommandError,
    EmbeddedError, TopicsError and what the drivers raise.
    """
    logs = home / "logs"
    with (
        PlatformFile(home, prefix) as file,
        infrastructure(home, progress=tell, secure=secure) as servers,
    ):
        logs.mkdir(parents=True, exist_ok=True)
        addresses = servers.addresses
        target = Target(addresses.kafka, addresses.mongodb, prefix, login_at(addresses))
        applied = asyncio.run(apply_topics(target.kafka, load_topics(), prefix, **target.kafka_security))
        tell(f"topics: {len(applied.created)} created, {len(applied.altered)} altered, {len(applied.unchanged)} kept")
        before_services(target)
        environment_of = _environments(target, home, tell)
        parts = [*_server_parts(servers, logs), *map(Part.of_service, services(environment_of, logs))]
        file.state.addresses = addresses
        file.state.parts = [part.state for part in parts]
        with Supervisor(parts, file.write, tell):
            try:
                yield Platform(target, file, parts, logs)
            finally:
                file.state.phase = "stopping"
                file.write()


def _environments(target: Target, home: Path, tell: Callable[[str], None]) -> Callable[[str], dict[str, str]]:
    """What has each service join the platform: on a secured Kafka as its own user; notify with a key for secrets."""
    joins = _joining(target, home, tell)
    if os.environ.get(NOTIFY_VARIABLE):
        return joins
    keys = WebhookKeys.at(home)
    keys.make()
    return lambda service: joins(service) | ({NOTIFY_VARIABLE: str(keys.private)} if service == "notify" else {})


def _joining(target: Target, home: Path, tell: Callable[[str], None]) -> Callable[[str], dict[str, str]]:
    if target.login is None:
        return lambda service: target.environment
    from tongtu.access.services import apply_access  # librdkafka is loaded only where it is needed

    access = asyncio.run(apply_access(target, home / "kafka" / "passwords"))
    tell(f"access: {len(access.logins)} users, {len(access.allowed)} rules added, {len(access.forbidden)} taken away")
    return lambda service: target.logged_in_as(access.logins[service]).environment


def _server_parts(servers: Infrastructure, logs: Path) -> list[Part]:
    addresses: Addresses = servers.addresses
    parts: list[Part] = []
    if servers.kafka is not None:
        parts.append(Part(servers.kafka, PartState(name="kafka", address=addresses.kafka, log=str(logs / "kafka.log"))))
    if servers.mongodb is not None:
        address = addresses.mongodb
        parts.append(Part(servers.mongodb, PartState(name="mongodb", address=address, log=str(logs / "mongod.log"))))
    return parts
