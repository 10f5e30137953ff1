"""Kafka and MongoDB in containers for the tests, which can kill them and start them again as the embedded ones."""

from __future__ import annotations

import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from docker.errors import APIError, DockerException
from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient, get_docker_host
from testcontainers.core.utils import inside_container

from tongtu.embedded.kafka import server_properties
from tongtu.embedded.mongodb import REPLICA_SET
from tongtu.embedded.ports import HOST, free_port

KAFKA_IMAGE = "apache/kafka:4.1.1"
MONGODB_IMAGE = "mongo:7.0"

_OWNER = "tongtu.tests.owner"  # label: the test process that a container belongs to
_START_SECONDS = 90.0  # measured 3-6 on two cores; the rest is for machines under load
_STOP_SECONDS = 15
_NOT_YET_INITIALIZED = 94  # MongoDB's error code


def problem_with_docker(images: Sequence[str] = (KAFKA_IMAGE, MONGODB_IMAGE)) -> str | None:
    """Why containers of these images cannot be started here without a download, in a few words; None if they can."""
    daemon = get_docker_host()
    if daemon is not None and not daemon.startswith("unix://"):
        return "the Docker daemon is on another machine"
    try:
        client = DockerClient(timeout=5).client
    except (DockerException, OSError):
        return "no Docker daemon answers"
    try:
        # Published ports are of no use where the daemon is outside of a container that these tests run in.
        if inside_container() and client.info()["Name"] != socket.gethostname():
            return "the Docker daemon is outside of this container"
        missing = [image for image in images if not client.images.list(name=image)]
        return f"the Docker daemon does not have {' and '.join(missing)}" if missing else None
    except (DockerException, OSError):  # OSError: what requests raises
        return "the Docker daemon does not answer"
    finally:
        client.close()


class ContainerServer(ABC):
    """A server in a container on a port of this machine, the same inside and outside: so one address is right for both.

    The container is made at the first start and keeps its data and its port over stops and kills until `remove`.
    """

    def __init__(self, name: str, image: str, port: int) -> None:
        self.port = port
        testcontainers_config.ryuk_disabled = True  # one more image to have, for what remove_leftovers does
        self._name = name
        self._container = DockerContainer(image).with_kwargs(labels={_OWNER: _owner(os.getpid())})
        # Not with_bind_ports, which opens the port to the whole network.
        self._container.ports[f"{port}/tcp"] = (HOST, port)  # type: ignore[assignment]
        self._made = False

    @property
    def name(self) -> str:
        """The container's name."""
        return str(self._container.get_wrapped_container().name)

    @property
    def pid(self) -> int | None:
        """Process id of the server as the Docker host counts; None while it does not run."""
        if not self._made:
            return None
        container = self._container.get_wrapped_container()
        container.reload()
        return container.attrs["State"]["Pid"] or None

    def start(self) -> None:
        """Start it and wait until clients can work with it; nothing happens if it runs already."""
        if self.pid is not None:
            return
        if self._made:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._made = True
        deadline = time.monotonic() + _START_SECONDS
        while not self._is_ready():
            if self.pid is None or time.monotonic() > deadline:
                log = self._container.get_wrapped_container().logs(tail=30).decode(errors="replace")
                raise RuntimeError(f"{self._name} did not start in its container:\n{log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to stop, and wait; kill it after 15 s."""
        if self._made:
            self._container.get_wrapped_container().stop(timeout=_STOP_SECONDS)

    def kill(self) -> None:
        """End it by SIGKILL and wait until it is gone."""
        if self.pid is not None:
            container = self._container.get_wrapped_container()
            container.kill()
            container.wait()

    def remove(self) -> None:
        """End it and forget its data."""
        self._container.stop()

    @abstractmethod
    def _is_ready(self) -> bool: ...


class KafkaContainer(ContainerServer):
    """A Kafka node, configured as the embedded one.

    Not testcontainers' own class: that one knows only the layout of another image, and no fixed port.
    """

    def __init__(self) -> None:
        port = free_port()
        super().__init__("Kafka", KAFKA_IMAGE, port)
        controller_port = free_port(taken=[port])
        properties = server_properties(port, controller_port, Path("/var/lib/kafka/data"))
        properties["listeners"] = f"PLAINTEXT://:{port},CONTROLLER://{HOST}:{controller_port}"
        self._container.with_envs(**environment_of(properties))
        # Ready sooner, as the embedded one; slower under load.
        self._container.with_envs(
            KAFKA_HEAP_OPTS="-Xmx512m", KAFKA_JVM_PERFORMANCE_OPTS="-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
        )

    @property
    def address(self) -> str:
        """Bootstrap servers."""
        return f"{HOST}:{self.port}"

    def _is_ready(self) -> bool:
        # It listens shortly before the controller lets it take part: ask for the brokers as a client would.
        try:
            return bool(AdminClient({"bootstrap.servers": self.address, "log_level": 0}).list_topics(timeout=1).brokers)
        except KafkaException:
            return False


class MongoDBContainer(ContainerServer):
    """A replica set of one mongod that obeys test commands such as failCommand."""

    def __init__(self) -> None:
        port = free_port()
        super().__init__("MongoDB", MONGODB_IMAGE, port)
        self._container.with_command(
            f"mongod --replSet {REPLICA_SET} --bind_ip_all --port {port} --wiredTigerCacheSizeGB 1 --quiet"
            " --setParameter transactionLifetimeLimitSeconds=10 --setParameter enableTestCommands=1"
        )

    @property
    def address(self) -> str:
        """Connection string."""
        return f"mongodb://{HOST}:{self.port}/?replicaSet={REPLICA_SET}"

    def _is_ready(self) -> bool:
        # A direct connection: as a replica set, a set that is not set up yet has no server to offer.
        options: dict[str, Any] = {"directConnection": True, "serverSelectionTimeoutMS": 1000}
        with MongoClient[dict[str, Any]](HOST, self.port, **options) as client:
            try:
                if client.admin.command("hello")["isWritablePrimary"]:
                    return True
                client.admin.command("replSetGetStatus")
            except OperationFailure as error:
                if error.code == _NOT_YET_INITIALIZED:
                    members = [{"_id": 0, "host": f"{HOST}:{self.port}"}]
                    client.admin.command("replSetInitiate", {"_id": REPLICA_SET, "members": members})
            except PyMongoError:
                return False  # not listening yet
        return False


@contextmanager
def containers() -> Generator[tuple[KafkaContainer, MongoDBContainer]]:
    """Both, started; gone at the end of the block."""
    remove_leftovers()
    servers = KafkaContainer(), MongoDBContainer()
    with ExitStack() as stack, ThreadPoolExecutor(len(servers)) as pool:
        for server in servers:
            stack.callback(server.remove)
        for started in [pool.submit(server.start) for server in servers]:
            started.result()
        yield servers


def environment_of(properties: Mapping[str, str]) -> dict[str, str]:
    """Kafka's properties as the image takes them: variables KAFKA_..., dots as underscores."""
    return {f"KAFKA_{name.upper().replace('.', '_')}": value for name, value in properties.items()}


def remove_leftovers() -> None:
    """Removes containers of test processes that were killed before they could do it themselves."""
    client = DockerClient().client
    try:
        for container in client.containers.list(all=True, filters={"label": _OWNER}, ignore_removed=True):
            owner = container.labels[_OWNER]
            if _owner(int(owner.partition("@")[0])) != owner:
                with suppress(APIError):  # another session that starts now may be at it
                    container.remove(force=True, v=True)
    finally:
        client.close()


def _owner(pid: int) -> str:
    """A process id with its start, because numbers come again; no start if the process is gone."""
    try:
        return f"{pid}@{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return f"{pid}@"
