"""`tongtu risk` without a platform: a project, a portfolio, model versions; and what it refuses."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from catalogue import FOLDER
from services.risk.settings import RiskSettings
from shared.contracts.risk import Assessment
from tongtu.__main__ import run
from tongtu.shared_risk_model import newest

PROJECTS = FOLDER / "projects"
ZH, EN, MANY = (str(PROJECTS / name) for name in ("sample-zh.json", "sample-en.json", "portfolio.json"))


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert run([*arguments, "--json"]) == 0
    return orjson.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    assert run(arguments) == code
    return capsys.readouterr().err


def written(folder: Path, content: Any) -> str:
    path = folder / "project.json"
    path.write_bytes(orjson.dumps(content))
    return str(path)


@pytest.mark.parametrize("file", [ZH, EN])
def test_a_sample_project_is_assessed(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "risk", "assess", "--file", file)
    risk = Assessment.model_validate_json(orjson.dumps(found["assessment"]))
    assert risk.model_version == newest()
    assert risk.stages
    assert risk.assumptions
    assert found["warnings"] == []


def test_the_terminal_shows_figures_timeline_drivers_and_what_would_narrow(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["risk", "assess", "--file", ZH]) == 0
    out = capsys.readouterr().out
    for heading in ("net present value (CNY)", "stages to pass", "what drives the spread", "what would narrow it"):
        assert heading in out


def test_a_plan_alone_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = {"capital": "1000000", "annual_revenue": "900000", "annual_cost": "400000", "currency": "CNY"}
    found = told(capsys, "risk", "assess", "--file", written(tmp_path, {"plan": plan}))
    assert found["assessment"]["status"] == "assessed"


def test_too_little_is_told_with_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "risk", "assess", "--file", written(tmp_path, {"technology": {"trl": {"level": 4}}}))
    assert found["assessment"]["status"] == "not_assessed"
    assert "/technology/plan" in found["assessment"]["missing"]


def test_every_wrong_field_is_named_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {
        "technology": {
            "trl": {"level": 12},
            "plan": {"capital": "-1", "currency": "XXQ", "months": 0, "estimate_class": 7},
        },
        "demand": {
            "budget": {"min": "9", "max": "3", "currency": "CNY"},
            "starts_on": "2027-02-01",
            "deadline": "2026-01-01",
        },
    }
    told = refused(capsys, "risk", "assess", "--file", written(tmp_path, wrong))
    for pointer in (
        "/technology/trl/level",
        "/technology/plan/capital",
        "/technology/plan/currency",
        "/technology/plan/estimate_class",
        "/demand/budget/max",
        "/demand/deadline",
    ):
        assert re.search(rf"^  {pointer} must|^  {pointer} ", told, re.MULTILINE), pointer
    assert told.splitlines()[-1].endswith("fields are wrong: correct the file, then try again")


def test_wrong_fields_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = written(tmp_path, [{"plan": {"capital": 5, "currency": "CNY"}}, 3])
    assert run(["risk", "portfolio", "--file", file, "--budget", "1", "--cvar-limit", "1", "--json"]) == 1
    errors = orjson.loads(capsys.readouterr().out)["errors"]
    assert [each["pointer"] for each in errors] == ["/0/plan/capital", "/1"]


def test_a_field_that_nothing_reads_is_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project = {"plan": {"capital": "1", "captial": "2", "currency": "CNY"}, "nmae": "x"}
    found = told(capsys, "risk", "assess", "--file", written(tmp_path, project))
    assert [each["pointer"] for each in found["warnings"]] == ["/nmae", "/plan/captial"]


@pytest.mark.parametrize(
    ("content", "said"), [(b"{", "is not JSON"), (b"[]", "holds no project"), (b'{"name": "x"}', "wrong")]
)
def test_files_that_hold_no_project(
    content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "p.json"
    path.write_bytes(content)
    assert said in refused(capsys, "risk", "assess", "--file", str(path))


def test_one_project_at_a_time_is_assessed(capsys: pytest.CaptureFixture[str]) -> None:
    assert "takes many" in refused(capsys, "risk", "assess", "--file", MANY)


def test_a_portfolio_is_chosen_and_explained(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "risk", "portfolio", "--file", MANY, "--budget", "100000000", "--cvar-limit", "70,000,000")
    chosen = [each for each in found["matches"] if each["chosen"]]
    assert found["model_version"] == newest()
    assert sum(each["outlay"] for each in chosen) == pytest.approx(found["whole"]["outlay"])
    assert found["whole"]["cvar95"] <= 70e6
    assert found["bound"] >= found["whole"]["expected"]
    assert all(each["why"] for each in found["matches"])
    assert run(["risk", "portfolio", "--file", MANY, "--budget", "100000000", "--cvar-limit", "70000000"]) == 0
    out = capsys.readouterr().out
    assert "not chosen (would add)" in out
    assert "loses on average" in out


def test_several_currencies_are_one_clear_error(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("risk", "portfolio", "--file", ZH, "--file", EN, "--budget", "1", "--cvar-limit", "1")
    assert "amounts in CNY, EUR" in refused(capsys, *arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--budget", "1", "--cvar-limit", "1"),
        ("--file", MANY, "--budget", "much", "--cvar-limit", "1"),
        ("--file", MANY, "--budget", "1", "--cvar-limit", "-1"),
        ("--file", MANY, "--budget", "nan", "--cvar-limit", "1"),
    ],
)
def test_limits_that_make_no_sense(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, "risk", "portfolio", *arguments, code=2)


def test_a_model_is_shown_with_its_sources(capsys: pytest.CaptureFixture[str]) -> None:
    model = told(capsys, "risk", "model", "show", "--version", "1")
    assert model["version"] == "1"
    assert all(each["source"] for each in model["parameters"])
    assert run(["risk", "model", "show"]) == 0
    assert f"risk model {newest()}" in capsys.readouterr().out


def test_the_difference_of_two_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "risk", "model", "diff", "1", "1") == []
    found = told(capsys, "risk", "model", "diff", "1", "2")
    assert found
    assert all(each["before"] != each["after"] for each in found)
    assert run(["risk", "model", "diff", "1", "2"]) == 0
    assert found[0]["name"] in capsys.readouterr().out


def test_an_unknown_version_names_those_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert "known versions are" in refused(capsys, "risk", "model", "show", "--version", "77")


def test_what_is_assessed_without_a_platform_is_what_the_service_assesses_with() -> None:
    assert RiskSettings.model_fields["model"].default == newest()


def test_a_match_id_is_still_the_first_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def read(match_id: str, with_model: bool) -> None:
        asked.append(match_id)
        raise ConnectionError

    monkeypatch.setattr("tongtu.commands.risk._read", read)
    for arguments in (["risk", "abc"], ["risk", "abc", "--json"], ["risk", "--json", "abc"]):
        run(arguments)
    assert asked == ["abc", "abc", "abc"]


def test_help_names_the_argument_and_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["risk", "--help"]) == 0
    out = capsys.readouterr().out
    assert "MATCH_ID" in out
    for command in ("assess", "portfolio", "model"):
        assert re.search(rf"^  {command} ", out, re.MULTILINE)


def test_language_and_format_are_checked_before_anything_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert "zh or en" in refused(capsys, "risk", "assess", "--file", "nowhere", "--language", "fr", code=2)
    assert ".pdf" in refused(capsys, "risk", "assess", "--file", "nowhere", "--report", "x.docx", code=2)
