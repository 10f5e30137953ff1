"""The command line starts fast, and says what is wrong in one line with the right exit code."""

import os
import subprocess
import sys

import pytest

from shared.runtime.settings import SettingsError
from shared.runtime.topic_administration import TopicsError
from tongtu.__main__ import run
from tongtu.embedded import EmbeddedError
from tongtu.errors import CommandError, explained

HEAVY = ("aiokafka", "pymongo", "motor", "pydantic", "rich", "faststream", "orjson", "tongtu.embedded")


def command(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TONGTU_")}
    return subprocess.run(
        [sys.executable, "-m", "tongtu", *arguments],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tongtu.__main__ import run\ncode = run(['--help'])\n"
        f"heavy = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print(heavy, file=sys.stderr)\nsys.exit(code or len(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("up", "import", "members", "matches", "risk", "watch", "dead-letters", "demo"):
        assert f"\n  {name} " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("nonsense",), "No such command 'nonsense'"),
        (("matches",), "give --demand ID or --technology ID"),
        (("matches", "--demand", "a/b", "--technology", "c/d"), "give --demand ID or --technology ID"),
        (("members", "add", "x"), "give --name-zh, --name-en, or both"),
        (("members", "add", "steel", "--name-en", "Steel", "--kind", "school"), "--kind must be one of enterprise"),
        (("members", "add", "S", "--name-en", "x", "--region", "China"), "id must be a member id"),
        (("members", "add", "steel", "--name-en", "x", "--uscc", "911100006000373410"), "check character"),
        (("import", __file__, "--as", "demand", "--member", "x", "--map", "titel=a"), "did you mean title?"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(arguments: tuple[str, ...], told: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("tongtu: ")
    assert told in done.stderr


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        (("lag",), {"TONGTU_HOME": "/nonexistent"}, "nothing runs on /nonexistent: start it with `tongtu up --detach`"),
        (("lag",), {"TONGTU_LOG": "loud"}, "TONGTU_LOG"),
        (
            ("members", "list"),
            {"TONGTU_KAFKA": "127.0.0.1:1", "TONGTU_MONGODB": "mongodb://127.0.0.1:1/"},
            "Kafka does not answer (127.0.0.1:1)",
        ),
        (("import", "/nonexistent", "--as", "demand", "--member", "x"), {}, "/nonexistent cannot be read"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    arguments: tuple[str, ...], environment: dict[str, str], told: str
) -> None:
    done = command(*arguments, **environment)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert told in done.stderr


def test_debug_shows_the_traceback_wherever_it_stands() -> None:
    done = command("import", "/nonexistent", "--as", "demand", "--member", "x", "--debug")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize(
    "error", [CommandError("do this"), EmbeddedError("do this"), SettingsError("do this"), TopicsError("do this")]
)
def test_errors_with_a_way_out_are_told_as_they_are(error: Exception) -> None:
    assert explained(error) == "do this"


def test_a_bug_is_not_explained_away() -> None:
    assert explained(KeyError("x")) is None


def test_the_letters_that_a_code_may_begin_with_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    # GB 32100-2015 allows letters in the first two places; with a wrong check character it is refused for that alone.
    assert run(["members", "add", "ab", "--name-en", "x", "--uscc", "N2440000EXAMPL0801"]) == 2
    assert "check character" in capsys.readouterr().err
