"""docker-compose.yml for real: it comes up, the demo passes against it, all services end in order, nothing is left."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymongo
import pytest

from tests.containers import KAFKA_IMAGE, MONGODB_IMAGE, problem_with_docker
from tongtu.embedded.ports import free_port

pytestmark = pytest.mark.timeout(600)

PROJECT = Path(__file__).parents[2]
SERVICES = ("intake", "matching", "risk", "notify", "gateway")
JOBS = ("topics", "replica-set", "keys")
BUILT = tuple(f"tongtu-{name}" for name in (*SERVICES, "tools"))
GRACE_SECONDS = 15  # stop_grace_period of the services
KNOWN_SECONDS = 60
KILLED = 137  # exit code of a container that had to be killed


class Composed:
    """The compose project under a name and on ports of its own, with a mail server that need not exist."""

    def __init__(self, password: Path) -> None:
        """`password`: the file of the login there. A notify that could not read it would not start."""
        self.name = f"tongtu-test-{os.urandom(4).hex()}"
        kafka_port = free_port()
        mongodb_port = free_port(taken=[kafka_port])
        self.kafka = f"127.0.0.1:{kafka_port}"
        self.mongodb = f"mongodb://127.0.0.1:{mongodb_port}/?directConnection=true"
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("TONGTU_")} | {
            "TONGTU_KAFKA_PORT": str(kafka_port),
            "TONGTU_MONGODB_PORT": str(mongodb_port),
            "TONGTU_GATEWAY_PORT": str(free_port(taken=[kafka_port, mongodb_port])),
            "TONGTU_NOTIFY_SMTP_HOST": "mail.example",
            "TONGTU_NOTIFY_SMTP_FROM": "tongtu@platform.example",
            "TONGTU_NOTIFY_SMTP_USER": "tongtu",
            "TONGTU_NOTIFY_SMTP_PASSWORD_FILE": str(password),
        }

    def __call__(self, *arguments: str) -> str:
        """Runs `docker compose` with these arguments; fails the test with what it said if it fails."""
        command = ["docker", "compose", "--progress", "plain", "--project-name", self.name, *arguments]
        ended = subprocess.run(
            command, cwd=PROJECT, env=self._environment, capture_output=True, text=True, check=False, timeout=500
        )
        assert ended.returncode == 0, f"{' '.join(command)}: {ended.stderr[-3000:]}\n{self._logs()}"
        return ended.stdout

    def containers(self) -> dict[str, dict[str, Any]]:
        """Service -> state of its container, ended ones included."""
        lines = self("ps", "--all", "--format", "json").splitlines()
        return {state["Service"]: state for state in map(json.loads, lines)}

    def start_demo(self, home: Path) -> subprocess.Popen[str]:
        """Starts the demo on this machine; the caller waits for its end."""
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "tongtu", "demo", "--against", self.kafka, self.mongodb],
            cwd=PROJECT,
            env=self._environment | {"TONGTU_HOME": str(home)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _logs(self) -> str:
        command = ["docker", "compose", "--project-name", self.name, "logs", "--tail", "20", *SERVICES, *JOBS]
        return subprocess.run(
            command, cwd=PROJECT, env=self._environment, capture_output=True, text=True, check=False, timeout=60
        ).stdout


def problem_with_compose() -> str | None:
    """Why the project cannot be brought up here; None if it can."""
    problem = problem_with_docker((KAFKA_IMAGE, MONGODB_IMAGE))
    if problem is not None:
        return problem
    if problem_with_docker(BUILT) is not None:
        return "the images of the services were never built here: docker compose build (one to four minutes)"
    answer = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return "docker has no compose plugin" if answer.returncode else None


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    problem = problem_with_compose()
    if problem is not None:
        pytest.skip(problem)
    password = tmp_path_factory.mktemp("smtp") / "password"
    password.write_text("opensesame\n")
    password.chmod(0o644)
    project = Composed(password)
    try:
        project("up", "--build", "--wait")
        yield project
    finally:
        project("down", "--volumes", "--remove-orphans")


def exit_codes(composed: Composed) -> dict[str, int]:
    """Of the services."""
    containers = composed.containers()
    return {name: containers[name]["ExitCode"] for name in SERVICES}


def test_everything_is_up_and_healthy(composed: Composed) -> None:
    containers = composed.containers()
    assert set(containers) == {*SERVICES, *JOBS, "kafka", "mongodb"}
    for name, state in containers.items():
        if name in JOBS:
            assert (state["State"], state["ExitCode"]) == ("exited", 0), name
        else:
            assert (state["State"], state["Health"]) == ("running", "healthy"), name


def test_the_demo_passes_although_all_services_are_stopped_in_its_middle(composed: Composed, tmp_path: Path) -> None:
    with composed.start_demo(tmp_path) as demo:
        assert demo.stdout is not None
        try:
            shown = list(itertools.takewhile(lambda line: "messages in the log" not in line, demo.stdout))
            begun = time.monotonic()
            composed("stop", *SERVICES)
            assert time.monotonic() - begun < GRACE_SECONDS
            assert exit_codes(composed) == dict.fromkeys(SERVICES, 0)
            for name in SERVICES:
                assert "service_stopped" in composed("logs", "--tail", "5", name)
            composed("start", *SERVICES)
            shown += demo.communicate(timeout=240)[0].splitlines(keepends=True)
        finally:
            demo.kill()
    assert demo.returncode == 0, "".join(shown)[-5000:]


def test_a_webhook_is_set_where_the_key_is_and_notify_opens_its_secret(composed: Composed) -> None:
    composed("run", "--rm", "keys", "members", "add", "sample-mail", "--name-en", "Sample")
    url = "https://hooks.example.org/tongtu"
    assert "whsec_" in composed(
        "run", "--rm", "keys", "members", "channels", "set", "sample-mail", "webhook", "--url", url
    )
    assert (held := composed("exec", "-T", "notify", "cat", "/run/secrets/smtp-password")) == "opensesame\n", held
    with pymongo.MongoClient[dict[str, Any]](composed.mongodb) as client:
        channels = client["tongtu-notify"]["channels"]
        deadline = time.monotonic() + KNOWN_SECONDS
        while (found := channels.find_one({"_id": "sample-mail"})) is None and time.monotonic() < deadline:
            time.sleep(0.1)
    assert found is not None
    (sealed,) = found["entry"]["webhook"]["secrets"]
    opens = "import sys; from pathlib import Path; from shared.runtime.sealing import Opener; "
    opens += "print(Opener(Path('/keys/webhooks.key')).open(sys.argv[1], 'webhook of sample-mail')[:6])"
    assert composed("exec", "-T", "notify", "python", "-c", opens, sealed) == "whsec_\n"


def test_what_is_up_already_stays_up(composed: Composed) -> None:
    before = composed.containers()
    composed("up", "--wait")
    after = composed.containers()
    assert {name: state["ID"] for name, state in after.items()} == {name: state["ID"] for name, state in before.items()}
    assert {name: after[name]["ExitCode"] for name in JOBS} == dict.fromkeys(JOBS, 0)


def test_the_whole_project_ends_in_order(composed: Composed) -> None:
    composed("stop")
    stopped = composed.containers()
    assert exit_codes(composed) == dict.fromkeys(SERVICES, 0)
    assert KILLED not in {state["ExitCode"] for state in stopped.values()}
    assert {state["State"] for state in stopped.values()} == {"exited"}
