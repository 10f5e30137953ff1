"""Other commands see what `tongtu up` runs, as long as it runs and no longer."""

import os
from pathlib import Path

import pytest

from tongtu.embedded import Addresses
from tongtu.errors import CommandError
from tongtu.supervision.state import PartState, PlatformFile, is_running, read_state
from tongtu.target import Target, target


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("TONGTU_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TONGTU_HOME", str(tmp_path))
    return tmp_path


def test_the_state_is_there_while_the_platform_runs(home: Path) -> None:
    assert read_state(home) is None
    with PlatformFile(home, "p.") as file:
        file.state.parts.append(PartState(name="intake", pid=7, address="http://127.0.0.1:1", log="l"))
        file.state.phase = "running"
        file.write()
        assert read_state(home) == file.state
        assert is_running(home)
    assert read_state(home) is None
    assert not is_running(home)


def test_a_state_left_by_a_killed_process_is_not_believed(home: Path) -> None:
    with PlatformFile(home, "") as file:
        left = (home / "platform.json").read_bytes()
        assert file.state.pid == os.getpid()
    (home / "platform.json").write_bytes(left)
    assert read_state(home) is None


def test_one_platform_a_home(home: Path) -> None:
    with PlatformFile(home, ""), pytest.raises(CommandError, match="runs already"), PlatformFile(home, ""):
        pass


def test_the_state_is_for_its_user_alone(home: Path) -> None:
    with PlatformFile(home, ""):
        assert (home / "platform.json").stat().st_mode & 0o077 == 0


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="set TONGTU_HOME"), PlatformFile(tmp_path / "file", ""):
        pass


def test_commands_work_on_what_runs_here(home: Path) -> None:
    with PlatformFile(home, "p.") as file:
        file.state.addresses = Addresses("127.0.0.1:5", "mongodb://127.0.0.1:6/")
        file.write()
        assert target() == Target("127.0.0.1:5", "mongodb://127.0.0.1:6/", "p.")


def test_the_environment_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with PlatformFile(home, "p.") as file:
        file.state.addresses = Addresses("127.0.0.1:5", "mongodb://127.0.0.1:6/")
        file.write()
        monkeypatch.setenv("TONGTU_KAFKA", "broker:9092")
        assert target() == Target("broker:9092", "mongodb://127.0.0.1:6/", "p.")
    monkeypatch.setenv("TONGTU_MONGODB", "mongodb://user:secret@db/")
    monkeypatch.setenv("TONGTU_PREFIX", "q.")
    assert target() == Target("broker:9092", "mongodb://user:secret@db/", "q.")
    assert target().mongodb_shown == "mongodb://db/"


def test_nothing_runs_and_nothing_is_given(home: Path) -> None:
    with pytest.raises(CommandError, match="start it with `tongtu up"):
        target()
