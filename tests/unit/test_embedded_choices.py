"""Ports, folders and configuration of the embedded runtime are chosen well; what cannot work is said in one line."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.user_folders import cache_folder
from tongtu.embedded import Addresses, EmbeddedError, default_home, infrastructure, running
from tongtu.embedded.kafka import render, server_properties
from tongtu.embedded.ports import HOST, choose_port, free_port


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("TONGTU_", "XDG_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as server:
        server.bind((HOST, free_port()))
        server.listen()
        yield server.getsockname()[1]


def test_default_port_is_used_when_it_is_free() -> None:
    port = free_port()
    assert choose_port("TONGTU_KAFKA_PORT", port) == port


def test_another_port_is_chosen_when_the_default_is_taken(taken_port: int) -> None:
    assert choose_port("TONGTU_KAFKA_PORT", taken_port) != taken_port


def test_chosen_ports_lie_below_those_of_outgoing_connections() -> None:
    assert all(20000 <= free_port() < 30000 for _ in range(20))


def test_port_asked_for_and_in_use_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch, taken_port: int) -> None:
    monkeypatch.setenv("TONGTU_KAFKA_PORT", str(taken_port))
    with pytest.raises(EmbeddedError, match=rf"^port {taken_port} \(TONGTU_KAFKA_PORT\) is in use: [^\n]+$"):
        choose_port("TONGTU_KAFKA_PORT", None)


@pytest.mark.parametrize("value", ["kafka", "0", "65536", "-1", "９０９２"])
def test_what_is_not_a_port_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("TONGTU_KAFKA_PORT", value)
    with pytest.raises(EmbeddedError, match="is not a TCP port"):
        choose_port("TONGTU_KAFKA_PORT", None)


def test_one_port_is_not_given_to_both_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setenv("TONGTU_MONGODB_PORT", str(port))
    with pytest.raises(EmbeddedError, match="is in use"):
        choose_port("TONGTU_MONGODB_PORT", None, taken=[port])


def test_home_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert default_home() == tmp_path / "state" / "tongtu"
    monkeypatch.setenv("TONGTU_HOME", str(tmp_path / "home"))
    assert default_home() == tmp_path / "home"


def test_home_and_downloads_are_below_the_users_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_home().is_relative_to(tmp_path)
    assert cache_folder().is_relative_to(tmp_path)
    assert default_home() != cache_folder()


def test_addresses_in_the_environment_start_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TONGTU_KAFKA", "broker.example:9092")
    monkeypatch.setenv("TONGTU_MONGODB", "mongodb://database.example/?replicaSet=main")
    with infrastructure(tmp_path / "home") as given:
        assert given.addresses == Addresses("broker.example:9092", "mongodb://database.example/?replicaSet=main")
        assert given.kafka is None
        assert given.mongodb is None
    assert not (tmp_path / "home").exists()


def test_nothing_runs_on_a_home_that_does_not_exist(tmp_path: Path) -> None:
    assert running(tmp_path / "home") is None


def test_home_that_is_no_folder_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(EmbeddedError, match=r"cannot be written to \([^\n]+\): set TONGTU_HOME"):
        infrastructure(tmp_path / "home").__enter__()


def test_kafka_listens_on_the_loopback_address_only(tmp_path: Path) -> None:
    properties = server_properties(19092, 19093, tmp_path)
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert properties["auto.create.topics.enable"] == "false"


def test_backslashes_survive_in_a_properties_file() -> None:
    assert render({"log.dirs": "C:\\data"}) == "log.dirs=C:\\\\data\n"
