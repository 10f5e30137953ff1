"""One service as a process of its own: its command, its environment, its log, its health."""

from __future__ import annotations

import json
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tongtu.embedded.ports import HOST, choose_port
from tongtu.embedded.process import Server

SERVICES = ("intake", "matching", "risk", "notify")
"""Those that process events."""
GATEWAY = "gateway"
GATEWAY_PORT = 8480
_FIRST_HEALTH_PORT = 19201
_ANSWER_SECONDS = 2.0
_TAIL_BYTES = 16_384
_SIGNALLED = 128
"""Exit codes above this say which signal ended a process."""
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(:|$)")


class ServiceProcess(Server):
    """A service that ends with this process. `start` returns at once: `readiness` tells when it lets records through.

    A start takes as long as the service's state is large, so there is no limit to it here.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        logs: Path,
        port: int = 0,
        serves: str | None = None,
    ):
        """`environment` is added to this process's own; `port` for health is taken if it is free, else another.

        `serves` is the address at which it is there for members.
        """
        self.log = logs / f"{name}.log"
        super().__init__(name, self.log)
        self.name = name
        self.serves = serves
        self._program = [*command]
        self._environment = dict(environment)
        self._wanted_port = port
        self._port = port
        self._log_start = 0

    @classmethod
    def of(cls, service: str, environment: Mapping[str, str], logs: Path, serves: str | None = None) -> ServiceProcess:
        """The process of one of the platform's services."""
        port = _FIRST_HEALTH_PORT + (*SERVICES, GATEWAY).index(service)
        return cls(service, [sys.executable, "-m", f"services.{service}"], environment, logs, port, serves)

    @property
    def address(self) -> str:
        """Where it serves /live, /ready and /metrics."""
        return f"http://{HOST}:{self._port}"

    def readiness(self) -> str:
        """What it says at its health address (see `readiness` below), or "down"."""
        return "down" if self.pid is None else readiness(self.address)

    def last_words(self) -> str:
        """Exit code and what it logged last in its latest run."""
        code = self._child.exit_code if self._child else None
        if code is not None and code > _SIGNALLED:
            return f"killed by signal {code - _SIGNALLED}"
        words = _last_line(self.log, self._log_start)
        return f"exit code {code}: {words}" if words else f"exit code {code}"

    def _prepare(self) -> None:
        variable = f"TONGTU_{self.name.upper().replace('-', '_')}_HEALTH_PORT"
        self._port = choose_port(variable, self._wanted_port or None)
        self._log_start = self.log.stat().st_size if self.log.exists() else 0

    def _command(self) -> Sequence[str]:
        variables = {**self._environment, "TONGTU_HEALTH_HOST": HOST, "TONGTU_HEALTH_PORT": str(self._port)}
        # What the environment has already is not repeated: an address may hold a password, arguments are public.
        added = [f"{name}={value}" for name, value in variables.items() if os.environ.get(name) != value]
        return ["env", *added, *self._program]

    def _is_ready(self) -> bool:
        return True

    def _failure(self, printed: str) -> str:
        return f"{self.name} did not start: see {self.log}"


def readiness(address: str) -> str:
    """ "ready"; "not ready" while a service runs and lets no records through; "no answer"."""
    try:
        with urllib.request.urlopen(f"{address}/ready", timeout=_ANSWER_SECONDS):  # noqa: S310 - ours, http
            return "ready"
    except urllib.error.HTTPError:
        return "not ready"
    except (OSError, ValueError):
        return "no answer"


def _last_line(log: Path, start: int) -> str:
    """The last line that says something: of a traceback its exception, of a JSON line its event with the reason."""
    try:
        with log.open("rb") as file:
            file.seek(max(start, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    if not said:
        return ""
    if _TRACEBACK in lines:
        after = lines[len(lines) - lines[::-1].index(_TRACEBACK) :]
        exceptions = [line for line in after if _EXCEPTION.match(line)]
        return (exceptions or said)[-1][:200]
    try:
        entry = json.loads(said[-1])
        return f"{entry['event']} {entry.get('reason') or entry.get('error') or ''}".strip()[:200]
    except (ValueError, TypeError, KeyError):
        return said[-1][:200]
