"""A service is kept running: started again when it dies, with what it said last; ended with the platform."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tongtu.supervision.service_process import ServiceProcess, readiness
from tongtu.supervision.supervisor import Part, Supervisor

SERVE = """
import os, http.server
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        ready = not os.path.exists(os.environ["NOT_READY"])
        self.send_response(200 if ready else 503)
        self.end_headers()
    def log_message(self, *_): pass
address = os.environ["TONGTU_HEALTH_HOST"], int(os.environ["TONGTU_HEALTH_PORT"])
http.server.HTTPServer(address, Health).serve_forever()
"""
FAIL = "print('starting', flush=True)\nraise ValueError('no luck')"
LIMIT = 30.0


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {LIMIT} s"
        time.sleep(0.02)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], tuple[ServiceProcess, Part, list[str]]]]:
    running: list[Supervisor] = []

    def start(code: str) -> tuple[ServiceProcess, Part, list[str]]:
        environment = {"NOT_READY": str(tmp_path / "not-ready")}
        process = ServiceProcess("sample", [sys.executable, "-c", code], environment, tmp_path)
        part, told = Part.of_service(process), list[str]()
        supervisor = Supervisor([part], lambda: None, told.append)
        supervisor.__enter__()
        running.append(supervisor)
        return process, part, told

    yield start
    for supervisor in running:
        supervisor.__exit__(None, None, None)


def test_readiness_is_what_the_service_says(
    start: Callable[..., tuple[ServiceProcess, Part, list[str]]], tmp_path: Path
) -> None:
    process, part, _ = start(SERVE)
    eventually(lambda: process.readiness() == "ready", "ready")
    (tmp_path / "not-ready").touch()
    assert process.readiness() == "not ready"
    assert part.state.address == process.address
    assert readiness(process.address) == "not ready"


def test_a_service_that_is_killed_runs_again(start: Callable[..., tuple[ServiceProcess, Part, list[str]]]) -> None:
    process, part, told = start(SERVE)
    eventually(lambda: process.readiness() == "ready", "ready")
    first = process.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    eventually(lambda: process.pid not in (None, first) and process.readiness() == "ready", "ready again")
    assert part.state.restarts == 1
    assert part.state.last_end == "killed by signal 9"
    assert "sample ended (killed by signal 9); starting it again" in told[0]


def test_what_a_service_said_last_is_told(start: Callable[..., tuple[ServiceProcess, Part, list[str]]]) -> None:
    process, part, _ = start(FAIL)
    eventually(lambda: part.state.restarts >= 2, "two ends")
    assert part.state.last_end == "exit code 1: ValueError: no luck"
    assert process.log.read_text().count("starting") >= 2


def test_the_reason_in_a_json_line_is_told(start: Callable[..., tuple[ServiceProcess, Part, list[str]]]) -> None:
    code = """print('{"event": "service_stops_itself", "reason": "6 of 60 records fail"}'); raise SystemExit(3)"""
    _, part, _ = start(code)
    eventually(lambda: part.state.restarts >= 1, "an end")
    assert part.state.last_end == "exit code 3: service_stops_itself 6 of 60 records fail"


def test_services_end_with_the_platform_that_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, threading\nfrom pathlib import Path\n"
        "from tongtu.supervision.service_process import ServiceProcess\n"
        f"command = [sys.executable, '-c', {SERVE!r}]\n"
        f"process = ServiceProcess('sample', command, {{'NOT_READY': 'x'}}, Path({str(tmp_path)!r}))\n"
        "process.start()\nprint(process.pid, flush=True)\nthreading.Event().wait()"
    )
    with psutil.Popen([sys.executable, "-c", program], stdout=-1, text=True) as platform:
        assert platform.stdout is not None
        service = psutil.Process(int(platform.stdout.readline()))
        platform.kill()
    eventually(lambda: not service.is_running() or service.status() == psutil.STATUS_ZOMBIE, "the service's end")


def test_an_address_with_a_password_is_no_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGTU_MONGODB", "mongodb://user:secret@db/")
    environment = {"TONGTU_MONGODB": "mongodb://user:secret@db/", "TONGTU_KAFKA": "127.0.0.1:1"}
    process = ServiceProcess("sample", [sys.executable, "-c", "pass"], environment, tmp_path)
    arguments = " ".join(process._command())
    assert "secret" not in arguments
    assert "TONGTU_KAFKA=127.0.0.1:1" in arguments
