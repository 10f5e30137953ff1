"""The shared risk model's file: complete, sourced, read by readiness level."""

import json
from pathlib import Path

import pytest

from services.risk.shared_model import MODEL_FOLDER, SharedModel
from services.risk.stages import gates_ahead, path_to_production, stretch

GATES = ["laboratory_proof", "prototype", "pilot", "demonstration", "first_production"]


@pytest.fixture(scope="module")
def model() -> SharedModel:
    return SharedModel.load("1")


def test_every_model_file_is_valid_and_named_after_its_version() -> None:
    files = sorted(MODEL_FOLDER.glob("*.json"))
    assert files
    for file in files:
        assert SharedModel.load(file.stem).version == file.stem


def test_every_number_has_a_source_and_says_how_well_it_is_known() -> None:
    def numbers(part: object, path: str = "") -> list[str]:
        if isinstance(part, dict):
            plain = {"value", "mean", "low", "high"} & part.keys()
            bare = [path] if plain and not (part.get("source") and part.get("tag") in ("V", "S", "U")) else []
            return bare + [found for name, each in part.items() for found in numbers(each, f"{path}/{name}")]
        if isinstance(part, list):
            return [found for position, each in enumerate(part) for found in numbers(each, f"{path}/{position}")]
        return []

    for file in MODEL_FOLDER.glob("*.json"):
        assert numbers(json.loads(file.read_text("utf-8"))) == []


def test_unverified_numbers_are_labelled_as_assumption(model: SharedModel) -> None:
    assert {model.discount_rate.tag, model.months_log_sd.tag, model.schedule_slip[0].tag} == {"U"}
    # Chances of success come from published figures, but for the one that nobody has published.
    assert [prior.tag for gate in model.gates for prior in gate.success] == ["S", "S", "V", "V", "V", "V", "U"]


def test_priors_weigh_little(model: SharedModel) -> None:
    assert all(10 <= prior.effective_sample_size <= 20 for gate in model.gates for prior in gate.success)


def test_chain_from_laboratory_to_use_is_that_of_the_published_outcomes(model: SharedModel) -> None:
    product = 1.0
    for stage in path_to_production(model, 4):
        product *= stage.prior.mean
    # 23 of the 94 finished projects were in use.
    assert product == pytest.approx(23 / 94, rel=0.002)


@pytest.mark.parametrize(
    ("trl", "first"),
    [(None, 0), (1, 0), (3, 0), (4, 1), (5, 1), (6, 2), (7, 3), (8, 4), (9, 4)],
)
def test_path_begins_at_the_first_gate_not_passed(model: SharedModel, trl: int | None, first: int) -> None:
    assert [stage.gate.name for stage in path_to_production(model, trl)] == GATES[first:]


def test_prior_depends_on_where_the_project_starts(model: SharedModel) -> None:
    def first_prior(trl: int | None) -> float:
        return path_to_production(model, trl)[0].prior.mean

    assert first_prior(1) == first_prior(2) < first_prior(3)
    assert first_prior(None) == first_prior(1)  # not known is the strictest
    assert path_to_production(model, 8)[-1].prior.mean < path_to_production(model, 9)[-1].prior.mean


def test_cost_shares_of_every_path_add_up_to_one(model: SharedModel) -> None:
    for trl in (None, *range(1, 10)):
        assert sum(stage.cost_share for stage in path_to_production(model, trl)) == pytest.approx(1)


def test_planned_months_are_shared_out_and_lengthened_by_the_published_slip(model: SharedModel) -> None:
    months = sum(model.gates[position].months.value for position in gates_ahead(model, 5))
    assert months * stretch(model, 5, 36.0) == pytest.approx(36 * 1.50)
    assert stretch(model, 5, None) == 1


def test_slip_is_looked_up_and_never_extrapolated(model: SharedModel) -> None:
    assert [model.slip(trl).value for trl in (None, 1, 4, 6, 8, 9)] == [0.88, 0.88, 0.88, 0.29, 0.09, 0.09]


def test_unknown_version_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no risk model version 'none'.*known versions are 1"):
        SharedModel.load("none")


def test_file_must_hold_the_version_it_is_named_after(tmp_path: Path) -> None:
    (tmp_path / "2.json").write_bytes((MODEL_FOLDER / "1.json").read_bytes())
    with pytest.raises(ValueError, match="says version '1'"):
        SharedModel.load("2", tmp_path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"draws": 4000}, "power of two"),
        ({"gates": "reversed"}, "order of their readiness"),
        ({"estimate_classes": "short"}, "classes 1 to 5"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_wrong_model_file_is_refused_with_the_reason(change: dict[str, object], complaint: str) -> None:
    content = json.loads((MODEL_FOLDER / "1.json").read_text("utf-8"))
    for name, value in change.items():
        if value == "reversed":
            content[name] = content[name][::-1]
        elif value == "short":
            content[name] = content[name][1:]
        else:
            content[name] = value
    with pytest.raises(ValueError, match=complaint):
        SharedModel.model_validate(content)
