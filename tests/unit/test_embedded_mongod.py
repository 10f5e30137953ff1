"""The mongod that works is found; of those that do not, the reason and the way out are told."""

import stat
from pathlib import Path

import pytest

from tongtu.embedded import EmbeddedError
from tongtu.embedded.mongod import Binary, find_mongod, problem_with


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def only_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH of one empty folder on a machine without the wheel."""
    monkeypatch.setattr("tongtu.embedded.mongod.WHEEL", "no-such-distribution")
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def test_missing_library_is_named_with_the_packages_to_install(tmp_path: Path) -> None:
    mongod = program(
        tmp_path / "mongod",
        'echo "mongod: error while loading shared libraries: libcurl.so.4: no such file" >&2\nexit 127',
    )
    problem = problem_with(mongod)
    assert problem is not None
    assert "libcurl.so.4" in problem
    assert "apt-get install libcurl4 libssl3" in problem
    assert "\n" not in problem


def test_old_version_is_refused(tmp_path: Path) -> None:
    problem = problem_with(program(tmp_path / "mongod", 'echo "db version v4.4.29"'))
    assert problem is not None
    assert "4.4" in problem
    assert "install MongoDB 5.0 or later" in problem


def test_program_for_another_machine_is_refused(tmp_path: Path) -> None:
    mongod = tmp_path / "mongod"
    mongod.write_bytes(b"\x7fELF not for here")
    mongod.chmod(0o755)
    problem = problem_with(mongod)
    assert problem is not None
    assert "cannot be run (Exec format error)" in problem


def test_lost_permission_to_execute_is_given_back(tmp_path: Path) -> None:
    mongod = program(tmp_path / "mongod", 'echo "db version v6.0.5"')
    mongod.chmod(0o644)
    assert problem_with(mongod) is None
    assert mongod.stat().st_mode & stat.S_IXUSR


def test_mongod_on_the_path_is_used_without_the_wheel(only_path: Path) -> None:
    program(only_path / "mongod", 'echo "db version v8.0.1"')
    found = find_mongod(print)
    assert isinstance(found, Binary)
    assert found.command(Path("/data"), 27117, [])[0] == str(only_path / "mongod")


def test_machine_without_any_gets_one_line(only_path: Path) -> None:
    with pytest.raises(EmbeddedError, match=r"^no mongod for this platform: install MongoDB[^\n]*TONGTU_MONGODB$"):
        find_mongod(print)


def test_docker_that_does_not_answer_is_told(only_path: Path) -> None:
    program(only_path / "docker", 'echo "Cannot connect to the Docker daemon" >&2; exit 1')
    with pytest.raises(EmbeddedError, match=r"^Docker does not answer \(Cannot connect[^\n]*TONGTU_MONGODB$"):
        find_mongod(print)


def test_image_that_cannot_be_pulled_is_told(only_path: Path) -> None:
    program(only_path / "docker", '[ "$1" = version ] && exit 0; echo "no route to host" >&2; exit 1')
    said: list[str] = []
    with pytest.raises(EmbeddedError, match=r"Docker cannot pull mongo:7.0 \(no route to host\)"):
        find_mongod(said.append)
    assert said == ["MongoDB: pulling the Docker image mongo:7.0 (this first time only)"]
