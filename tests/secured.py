"""A secured platform of a test's own: its broker, its users, and foreign clients that log in as one of them."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
import uuid
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaConnectionError, SaslAuthenticationFailed
from aiokafka.protocol.fetch import FetchRequest
from confluent_kafka import Consumer, KafkaError, Message, Producer

from shared.runtime.login import Login
from tests.command_line import CommandLine
from tests.platform import Platform
from tongtu.embedded import infrastructure
from tongtu.target import login_at

LIMIT_SECONDS = 60.0
REAUTHENTICATION_SECONDS = 5.0
"""Much shorter than anybody would have it, so that the tests see it pass."""
READ_SECONDS = 15.0
"""In which a broker has long answered a fetch."""
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SecuredBroker:
    """Addresses, and the administrator's login."""

    kafka: str
    mongodb: str
    login: Login


@contextmanager
def secured_broker(home: Path) -> Generator[SecuredBroker]:
    """A broker of its own with a MongoDB beside it, whatever the environment says."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [name for name in os.environ if name.startswith("TONGTU_")]:
            environment.delenv(name)
        options: dict[str, Any] = {"secure": True, "reauthentication_seconds": REAUTHENTICATION_SECONDS}
        with infrastructure(home, fresh=True, **options) as started:
            login = login_at(started.addresses)
            assert login is not None
            yield SecuredBroker(started.addresses.kafka, started.addresses.mongodb, login)


class SecuredPlatform(Platform):
    """Topics applied, services let in, members added by the command line."""

    def __init__(self, broker: SecuredBroker, folder: Path) -> None:
        super().__init__(broker.kafka, broker.mongodb)
        self.login = broker.login
        self.folder = folder
        self.passwords = folder / "passwords"
        self.tongtu = CommandLine(self.environment)

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the administrator."""
        return super().environment | self.login.environment

    @property
    def administrator(self) -> Settings:
        """librdkafka settings of the administrator."""
        return {"bootstrap.servers": self.kafka, **self.login.for_librdkafka()}

    def apply(self) -> None:
        """Topics, and what the services may do."""
        self.tongtu.run("topics", "apply")
        self.tongtu.run("access", "apply", "--passwords", str(self.passwords))

    def service(self, name: str) -> Settings:
        """librdkafka settings of a service."""
        user = self.prefix + name
        login = replace(self.login, user=user, password_file=self.passwords / user)
        return {"bootstrap.servers": self.kafka, **login.for_librdkafka()}

    def add(self, member: str) -> Settings:
        """Registers a member; the settings that it is told."""
        return self.told("add", member, "--name-en", f"Sample {member}")

    def told(self, *command: str) -> Settings:
        """The librdkafka settings that `tongtu members COMMAND` tells."""
        file = self.folder / f"{uuid.uuid4().hex}.conf"
        self.tongtu.run("members", *command, "--credentials-file", str(file))
        assert file.stat().st_mode & 0o777 == 0o600
        return librdkafka_settings(file.read_text())


def librdkafka_settings(text: str) -> dict[str, str]:
    """What a member copies out of what it was told, for librdkafka."""
    block = text.split("# Kafka, clients on librdkafka", 1)[1].splitlines()[1:]
    lines = [line for line in block[: block.index("")] if line] if "" in block else [line for line in block if line]
    return dict(line.replace(r"\n", "\n").split("=", 1) for line in lines)


def without_group(settings: Settings) -> dict[str, Any]:
    """Settings for a producer or an administration client."""
    return {name: value for name, value in settings.items() if name not in ("group.id", "isolation.level")}


@dataclass(slots=True)
class Foreign:
    """A librdkafka client in the hand of somebody who tries things."""

    settings: Settings
    said: list[str] = field(default_factory=list[str])
    """What the client was told of failures to connect or to log in."""

    def producer(self, **more: Any) -> Producer:
        """A producer that gives up on a message in reasonable time."""
        options = {"log_level": 0, "message.timeout.ms": LIMIT_SECONDS * 1000, "error_cb": self._note}
        return Producer({**without_group(self.settings), **options, **more})

    def consumer(self, **more: Any) -> Consumer:
        """A consumer that commits nothing by itself."""
        options = {"log_level": 0, "enable.auto.commit": False, "error_cb": self._note}
        return Consumer({**self.settings, "auto.offset.reset": "earliest", **options, **more})

    def _note(self, error: KafkaError) -> None:
        self.said.append(f"{error.name()} {error.str()}")

    @property
    def is_refused(self) -> bool:
        """Whether the broker did not believe the login."""
        return any(said.startswith("_AUTHENTICATION") for said in self.said)

    def writes(self, topics: Iterable[str], **more: Any) -> dict[str, str | None]:
        """Topic -> None where a record was taken, else the name of the error."""
        outcome: dict[str, str | None] = {}

        def note(error: KafkaError | None, message: Message) -> None:
            outcome[str(message.topic())] = None if error is None else error.name()

        producer = self.producer(**more)
        names = list(topics)
        for name in names:
            producer.produce(name, b"{}", key=b"intruder", partition=0, on_delivery=note)
        deadline = time.monotonic() + LIMIT_SECONDS
        while producer.flush(0.2) and not self.is_refused and time.monotonic() < deadline:
            continue
        producer.purge()  # what waits for a login that was refused would wait for its own end
        producer.flush(LIMIT_SECONDS)
        assert outcome.keys() == set(names)
        return outcome

    def reads(self, topics: Iterable[str]) -> dict[str, str | None]:
        """Topic -> None where the broker answers a fetch of its first partition, else the name of the error.

        Asked in Kafka's protocol itself, because a client library does not even ask for what it cannot see.
        """
        with ThreadPoolExecutor(1) as thread:  # a test may be in a loop
            return thread.submit(asyncio.run, _fetched(self.settings, list(topics))).result(LIMIT_SECONDS)


async def _fetched(settings: Settings, topics: Sequence[str]) -> dict[str, str | None]:
    client = AIOKafkaClient(
        bootstrap_servers=settings["bootstrap.servers"],
        security_protocol=settings["security.protocol"],
        ssl_context=ssl.create_default_context(
            cafile=settings.get("ssl.ca.location"), cadata=settings.get("ssl.ca.pem")
        ),
        sasl_mechanism=settings["sasl.mechanism"],
        sasl_plain_username=settings["sasl.username"],
        sasl_plain_password=settings["sasl.password"],
    )
    try:
        await client.bootstrap()
        (broker,) = client.cluster.brokers()
        request = FetchRequest(0, 0, 1 << 20, 0, [(name, [(0, 0, 1 << 20)]) for name in topics])
        response: Any = await client.send(broker.nodeId, request)
    except (KafkaConnectionError, SaslAuthenticationFailed):
        return dict.fromkeys(topics, "not let in")
    finally:
        await client.close()
    codes = {name: partitions[0][1] for name, partitions in response.topics}
    # Librdkafka's names, which Foreign.writes gives too. 1 says that the log begins later or ends before: it was read.
    return {name: None if code in (0, 1) else KafkaError(code).name() for name, code in codes.items()}
