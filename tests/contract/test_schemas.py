"""The JSON Schemas in the repository are those of the models, are valid, and break no released one."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from shared.contracts import generate
from shared.contracts.events import DRAFTS, EVENTS, INBOX_MESSAGES
from shared.contracts.generate import CONTRACTS, RELEASED, SCHEMAS, differing_files, incompatibilities, schema_of
from shared.runtime.topics import load_topics

FILES = sorted(SCHEMAS.glob("*.json")) + sorted(RELEASED.glob("*.json"))


def test_checked_in_schemas_are_those_of_the_models() -> None:
    assert [file.name for file in differing_files()] == [], "run: python -m shared.contracts.generate"


def test_nothing_breaks_a_released_schema() -> None:
    assert list(incompatibilities()) == []


def test_every_type_is_released() -> None:
    assert {file.name for file in RELEASED.glob("*.json")} == {f"{contract.name}.json" for contract in CONTRACTS}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_schema_is_valid_json_schema_2020_12(file: Path) -> None:
    schema = json.loads(file.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:tongtu:schema:{file.name.removesuffix('.json')}"


def places(schema: Any, pointer: str = "") -> list[tuple[str, dict[str, Any]]]:
    if isinstance(schema, list):
        return [place for index, item in enumerate(schema) for place in places(item, f"{pointer}/{index}")]
    if not isinstance(schema, dict):
        return []
    found = [(pointer, schema)] if "type" in schema and isinstance(schema["type"], str) else []
    return found + [place for name, item in schema.items() for place in places(item, f"{pointer}/{name}")]


# A dead letter holds what others wrote, whatever that is.
LIMITED = [contract for contract in CONTRACTS if contract.name != "tongtu.dead-letter.v1"]


@pytest.mark.parametrize("contract", LIMITED, ids=lambda contract: contract.name)
def test_every_text_and_every_list_has_a_limit(contract: generate.Contract) -> None:
    for pointer, schema in places(schema_of(contract)):
        if schema["type"] == "string":
            bounded = {"maxLength", "pattern", "enum", "const", "format"} & schema.keys()
            assert bounded, pointer
        if schema["type"] == "array":
            assert "maxItems" in schema, pointer


def test_topics_carry_exactly_the_types_of_the_models() -> None:
    models: dict[str, list[str]] = {}
    for model in (*EVENTS, *INBOX_MESSAGES):
        models.setdefault(model.topic, []).append(f"{model.type}.json")
    for model in DRAFTS:
        models.setdefault(model.topic, []).append(f"{model.type}.draft.json")
    models["matching.work"] = []
    models["{service}.replays"] = models["{service}.dead-letters"]
    declared = {topic.name: [carried.schema_file for carried in topic.carries] for topic in load_topics().declared}
    assert {name: sorted(files) for name, files in declared.items()} == {n: sorted(f) for n, f in models.items()}


def test_each_carried_type_has_its_schema_file() -> None:
    for topic in load_topics().declared:
        for carried in topic.carries:
            assert (SCHEMAS / carried.schema_file).is_file()
            assert carried.schema_file.removesuffix(".json").removesuffix(".draft") == carried.type


def test_released_type_that_is_gone_is_a_break(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tongtu.technology.submitted.v0.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr(generate, "RELEASED", tmp_path)
    assert list(incompatibilities()) == [
        "tongtu.technology.submitted.v0: the type was removed; records of it may stand in a log"
    ]


def test_models_that_break_the_released_schema_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RELEASED / "tongtu.demand.posted.v1.draft.json"
    released = json.loads(file.read_text(encoding="utf-8"))
    released["properties"]["urgency"] = {"type": "string"}
    (tmp_path / file.name).write_text(json.dumps(released), encoding="utf-8")
    monkeypatch.setattr(generate, "RELEASED", tmp_path)
    assert list(incompatibilities()) == ["tongtu.demand.posted.v1.draft (reading) /urgency: was removed or renamed"]
