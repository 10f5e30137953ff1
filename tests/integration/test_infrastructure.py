"""The tests' own Kafka and MongoDB: alike wherever they come from, back with their data after a kill."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import docker
import psutil
import pytest
from confluent_kafka.admin import AdminClient
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from tests.containers import MongoDBContainer, problem_with_docker, remove_leftovers
from tests.embedded import LIMIT, create_topic, insert_in_transaction, read, stored, write_in_transaction
from tests.infrastructure import Choice, Server, Servers, TestInfrastructure, choose

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def name() -> str:
    return f"t{os.urandom(4).hex()}"


def restart_after(end: str, server: Server) -> None:
    before = server.pid
    assert before is not None
    server.kill() if end == "kill" else server.stop()
    assert server.pid is None
    server.start()
    assert server.pid not in (None, before)


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_servers_come_back_at_their_address_with_their_data(infra: TestInfrastructure, name: str, end: str) -> None:
    create_topic(infra.kafka, name)
    write_in_transaction(infra.kafka, name, "before")
    insert_in_transaction(infra.mongodb, f"before-{name}")
    restart_after(end, infra.servers.kafka)
    restart_after(end, infra.servers.mongodb)
    write_in_transaction(infra.kafka, name, "after")
    insert_in_transaction(infra.mongodb, f"after-{name}")
    assert read(infra.kafka, name, 2) == ["before", "after"]
    assert stored(infra.mongodb, f"before-{name}")
    assert stored(infra.mongodb, f"after-{name}")


def test_server_that_runs_is_not_started_twice(infra: TestInfrastructure) -> None:
    for server in (infra.servers.kafka, infra.servers.mongodb):
        before = server.pid
        server.start()
        assert server.pid == before


def test_mongodb_obeys_test_commands_and_ends_abandoned_transactions_soon(infra: TestInfrastructure) -> None:
    with MongoClient[dict[str, Any]](infra.mongodb) as client:
        failure = {"failCommands": ["ping"], "errorCode": 2}
        client.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=failure)
        with pytest.raises(OperationFailure):
            client.admin.command("ping")
        lifetime = client.admin.command("getParameter", transactionLifetimeLimitSeconds=1)
        assert lifetime["transactionLifetimeLimitSeconds"] == 10


def test_topics_are_not_created_by_accident(infra: TestInfrastructure, name: str) -> None:
    admin = AdminClient({"bootstrap.servers": infra.kafka})
    admin.list_topics(name, LIMIT)
    assert name not in admin.list_topics(timeout=LIMIT).topics


def test_containers_of_a_killed_test_process_are_removed_by_the_next() -> None:
    if problem := problem_with_docker():
        pytest.skip(problem)
    client = docker.from_env()
    program = "from tests.containers import MongoDBContainer as M; m = M(); m.start(); print(m.name); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    container = process.stdout.readline().strip()
    remove_leftovers()
    assert client.containers.list(filters={"name": container}), "its owner lives"
    process.kill()
    process.communicate()
    remove_leftovers()
    assert not client.containers.list(all=True, filters={"name": container})
    client.close()


def test_nothing_is_left_of_a_container_that_is_removed() -> None:
    if problem := problem_with_docker():
        pytest.skip(problem)
    server = MongoDBContainer()
    server.start()
    assert server.pid is not None
    process, name = psutil.Process(server.pid), server.name
    server.remove()
    client = docker.from_env()
    assert not client.containers.list(all=True, filters={"name": name})
    assert not process.is_running()
    client.close()


class TestChoice:
    """TONGTU_TEST_INFRA."""

    @pytest.fixture(autouse=True)
    def no_addresses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("TONGTU_KAFKA", raising=False)
        monkeypatch.delenv("TONGTU_MONGODB", raising=False)

    def test_unknown_value_is_refused(self) -> None:
        with pytest.raises(pytest.UsageError, match="TONGTU_TEST_INFRA=docker: give one of auto, testcontainers"):
            choose("docker")

    def test_addresses_must_be_given(self) -> None:
        with pytest.raises(pytest.UsageError, match="needs TONGTU_KAFKA and TONGTU_MONGODB"):
            choose("addresses")

    def test_addresses_that_are_given_win(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TONGTU_KAFKA", "broker.example:9092")
        monkeypatch.setenv("TONGTU_MONGODB", "mongodb://mongod.example")
        assert choose("auto").kind == "addresses"
        assert choose("embedded").kind == "embedded"

    def test_without_a_daemon_the_embedded_ones_are_taken(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        assert choose("auto") == Choice("embedded", "no Docker daemon answers")
        with pytest.raises(pytest.UsageError, match="no Docker daemon answers"):
            choose("testcontainers")

    def test_daemon_on_another_machine_is_not_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DOCKER_HOST", "tcp://docker.example:2375")
        assert choose("auto") == Choice("embedded", "the Docker daemon is on another machine")

    def test_missing_image_is_named(self) -> None:
        problem = problem_with_docker()
        if problem is not None and "does not have" not in problem:
            pytest.skip(problem)
        assert (
            problem_with_docker(["tongtu/no-such-image:0"]) == "the Docker daemon does not have tongtu/no-such-image:0"
        )

    def test_servers_known_by_address_alone_cannot_be_killed(self) -> None:
        with pytest.raises(pytest.skip.Exception, match="only the addresses"):
            _: Servers = TestInfrastructure("broker.example:9092", "mongodb://mongod.example").servers
