"""The programs in examples/, installed and run as their READMEs say, by tools that may be missing on a machine."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shared.maven import kept
from shared.user_folders import cache_folder
from tests.command_line import PROJECT

EXAMPLES = PROJECT / "examples"
EVENTS = EXAMPLES / "events"
LEAST_LIBRDKAFKA = (2, 6, 1)
"""Earlier ones are refused by Kafka 4: their SCRAM repeats the client's nonce (librdkafka, pull request 4895)."""
_INSTALL_SECONDS = 300.0
_RUN_SECONDS = 150.0


@dataclass(frozen=True, slots=True)
class Ready:
    """How a program is started."""

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Program:
    """One of the examples: the tools that it needs, and what installs the rest."""

    name: str
    tools: Sequence[str]
    install: Callable[[Path], Ready]
    """Is given an empty folder for this run."""

    def missing(self) -> list[str]:
        """Tools that this machine does not have."""
        return [tool for tool in self.tools if _tool(tool) is None]

    def skip_without_tools(self) -> None:
        """Skips the test where one is missing; on CI that is a failure."""
        missing = self.missing()
        if missing:
            reason = f"examples/{self.name} needs {', '.join(missing)}, which this machine does not have"
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)


@dataclass(frozen=True, slots=True)
class Run:
    """What a program printed and how it ended."""

    code: int
    printed: str
    told: str

    @property
    def lines(self) -> list[str]:
        """What it printed, line by line."""
        return self.printed.splitlines()

    def __str__(self) -> str:
        return f"exit code {self.code}\n{self.printed}\n{self.told}"


def run(ready: Ready, arguments: Sequence[str | Path], folder: Path, **environment: str) -> Run:
    """Runs a program to its end, in that folder."""
    folder.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [*ready.command, *map(str, arguments)],
        cwd=folder,
        env={"LANG": "C.UTF-8", **_plain(os.environ), **ready.environment, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=_RUN_SECONDS,
    )
    return Run(ended.returncode, ended.stdout, ended.stderr)


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    """A member's environment: nothing of Tongtu's, and Python finds nothing that lies here."""
    return {name: value for name, value in environment.items() if not name.startswith(("TONGTU_", "PYTHON"))}


def _tool(name: str) -> str | None:
    """The path of a tool; uv may be the one that `make` has installed."""
    own = PROJECT / ".uv" / "bin" / name
    return shutil.which(name) or (str(own) if own.exists() else None)


def _do(*command: str | Path, cwd: Path) -> None:
    tool = _tool(str(command[0]))
    assert tool is not None
    done = subprocess.run(
        [tool, *map(str, command[1:])],
        cwd=cwd,
        env=_plain(os.environ),
        capture_output=True,
        text=True,
        check=False,
        timeout=_INSTALL_SECONDS,
    )
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"


def _installed(name: str, files: Sequence[str], fill: Callable[[Path], None]) -> Path:
    """A folder in this user's cache that `fill` fills once for each content of these files of the example."""
    digest = hashlib.sha256(sys.version.encode())
    for file in files:
        digest.update((EXAMPLES / name / file).read_bytes())
    return kept(cache_folder() / "examples" / f"{name}-{digest.hexdigest()[:16]}", fill)


def _copy(name: str, files: Sequence[str], folder: Path) -> None:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(EXAMPLES / name / file, folder / file)


def _python_environment() -> Path:
    requirements = EXAMPLES / "python" / "requirements.txt"

    def fill(folder: Path) -> None:
        _do("uv", "venv", "--relocatable", "--python", sys.executable, folder / "environment", cwd=folder)
        python = folder / "environment" / "bin" / "python"
        _do("uv", "pip", "install", "--python", python, "--require-hashes", "-r", requirements, cwd=folder)

    return _installed("python", ["requirements.txt"], fill) / "environment"


def _install_python(_: Path) -> Ready:
    return Ready([str(_python_environment() / "bin" / "python"), str(EXAMPLES / "python" / "member.py")])


def _install_node(folder: Path) -> Ready:
    files = ("package.json", "package-lock.json", ".npmrc")

    def fill(folder: Path) -> None:
        _copy("node", files, folder)
        _do("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)

    # Node looks for modules beside the program, and the repository is no place for them.
    _copy("node", ("member.js", "package.json"), folder)
    (folder / "node_modules").symlink_to(_installed("node", files, fill) / "node_modules")
    return Ready(["node", str(folder / "member.js")])


def _install_java(_: Path) -> Ready:
    files = ("pom.xml", "src/main/java/Member.java")

    def fill(folder: Path) -> None:
        _copy("java", files, folder)
        _do("mvn", "--quiet", "--batch-mode", "package", cwd=folder)

    return Ready(["java", "-jar", str(_installed("java", files, fill) / "target" / "member.jar")])


def _install_shell(folder: Path) -> Ready:
    command = [str(EXAMPLES / "shell" / "member.sh")]
    version = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"librdkafka (\d+)\.(\d+)\.(\d+)", version)
    assert found, version
    if tuple(map(int, found.groups())) >= LEAST_LIBRDKAFKA:
        return Ready(command)
    # As the README says for systems whose kcat comes with an earlier library.
    (library,) = _python_environment().glob("lib/python*/site-packages/confluent_kafka.libs/librdkafka-*.so.1")
    (folder / "librdkafka.so.1").symlink_to(library)
    return Ready(command, {"LD_LIBRARY_PATH": str(folder)})


def _install_http(_: Path) -> Ready:
    return Ready([str(EXAMPLES / "http" / "member.sh")])


PROGRAMS = {
    program.name: program
    for program in (
        Program("python", ("uv",), _install_python),
        Program("node", ("node", "npm"), _install_node),
        Program("java", ("java", "javac", "mvn"), _install_java),
        Program("shell", ("kcat", "jq", "uv"), _install_shell),
        Program("http", ("curl", "jq"), _install_http),
    )
}
