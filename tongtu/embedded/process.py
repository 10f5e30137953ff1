"""A server as a child process that ends with its parent, and that can be stopped, killed and started again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tongtu.embedded.errors import EmbeddedError

_GUARD = Path(__file__).with_name("guard.py")
_LOG_LIMIT = 10_000_000  # bytes; a longer log is set aside at the next start
_START_LIMIT = 90.0  # seconds; measured 2-4 on two cores, the rest is for machines under load
_STOP_LIMIT = 15.0  # seconds until a server that was asked to stop is killed


class Child:
    """One run of a command under a watcher (guard.py) that ends it when this process ends, also by SIGKILL.

    `output` takes what the command prints. `held` are file descriptors that stay open until the command has ended.
    `cleanup` is run by the watcher afterwards. Raises EmbeddedError if the command cannot be executed.
    """

    def __init__(self, command: Sequence[str], output: Path, held: Sequence[int] = (), cleanup: Sequence[str] = ()):
        self._closing = threading.Lock()
        lifeline, self._lifeline = os.pipe()
        reported, report = os.pipe()
        order = {
            "command": [*command],
            "lifeline": lifeline,
            "report": report,
            "held": [*held],
            "cleanup": [*cleanup],
        }
        try:
            with output.open("ab") as log:
                self._guard = subprocess.Popen(  # noqa: S603 - the command lines are made in this package
                    [sys.executable, "-I", "-S", str(_GUARD), json.dumps(order)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[lifeline, report, *held],
                    start_new_session=True,  # Ctrl-C is for this program, which then stops its servers in order
                )
        except OSError:
            os.close(self._lifeline)
            os.close(reported)
            raise
        finally:
            os.close(lifeline)
            os.close(report)
        with os.fdopen(reported, "rb") as answer:
            started = json.loads(answer.read() or b"{}")
        if "pid" not in started:
            self.close()
            raise EmbeddedError(f"{command[0]} cannot be run: {started.get('error', f'see {output}')}")
        self.pid: int = started["pid"]

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 128 + the signal's number if a signal ended it."""
        return self._guard.poll()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command, if it still runs."""
        if self._guard.poll() is None:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the end; False if it still runs after `seconds`."""
        try:
            self._guard.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        """End it at once, if it runs, and wait until it and its watcher are gone."""
        with self._closing:
            if self._lifeline >= 0:
                os.close(self._lifeline)
                self._lifeline = -1
        self._guard.wait()


class Server(ABC):
    """A server on a fixed port and data folder: start it, stop it, kill it, start it again (for chaos tests).

    `held` are file descriptors that stay open as long as the server runs (the home's lock).
    """

    def __init__(self, name: str, output: Path, held: Sequence[int] = ()):
        self._name = name
        self._output = output
        self._held = held
        self._child: Child | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the server itself; None while it does not run."""
        return self._child.pid if self._child and self._child.exit_code is None else None

    def start(self) -> None:
        """Start it and wait until clients can work with it; nothing happens if it runs already.

        Raises EmbeddedError if it ends before that, or is not ready after 90 s.
        """
        if self.pid is not None:
            return
        self._release()
        _set_aside(self._output)
        printed = self._output.stat().st_size if self._output.exists() else 0
        deadline = time.monotonic() + _START_LIMIT
        self._prepare()
        child = Child(self._command(), self._output, self._held, self._cleanup())
        self._child = child
        try:
            while not self._is_ready():
                if child.exit_code is not None:
                    raise EmbeddedError(self._failure(self._printed_since(printed)))
                if time.monotonic() > deadline:
                    raise EmbeddedError(f"{self._name} was not ready after {_START_LIMIT:.0f} s: see {self._output}")
                time.sleep(0.05)
        except BaseException:
            self._release()
            raise

    def stop(self) -> None:
        """Ask it to stop, and wait; kill it after 15 s."""
        if self._child:
            self._child.signal(signal.SIGTERM)
            self._child.signal(signal.SIGCONT)  # a chaos test may have left it stopped
            self._child.wait(_STOP_LIMIT)
        self._release()

    def kill(self) -> None:
        """End it by SIGKILL and wait until it is gone."""
        if self._child:
            self._child.signal(signal.SIGKILL)
        self._release()

    def _run_to_end(self, command: Sequence[str]) -> int | None:
        """Run a command that prepares the data, with the server's protection; its exit code."""
        self._child = child = Child(command, self._output, self._held)
        child.wait()
        self._release()
        return child.exit_code

    def _release(self) -> None:
        if self._child:
            self._child.close()
            self._child = None

    def _printed_since(self, start: int) -> str:
        with self._output.open("rb") as output:
            output.seek(start)
            return output.read(1_000_000).decode(errors="replace")

    def _prepare(self) -> None:
        """Make what must exist before the command runs; by default nothing."""
        return

    def _cleanup(self) -> Sequence[str]:
        """Command for the watcher to run after the server's end."""
        return ()

    @abstractmethod
    def _command(self) -> Sequence[str]: ...

    @abstractmethod
    def _is_ready(self) -> bool: ...

    @abstractmethod
    def _failure(self, printed: str) -> str:
        """One line for a server that ended while starting; `printed` is its output."""


def _set_aside(log: Path) -> None:
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_name(log.name + ".1"))
