"""Every example message reads as it says, by the models and by the JSON Schemas."""

import json
import re

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from shared.contracts.events import DRAFTS, EVENTS
from shared.contracts.example import Example, load_examples
from shared.contracts.generate import CONTRACTS, SCHEMAS
from shared.contracts.problems import field_problems, unknown_field_warnings

MODELS = {contract.name: contract.model for contract in CONTRACTS}
EVERY_EXAMPLE = load_examples()
WITH_DATA = [example for example in EVERY_EXAMPLE if example.value is not None]
HAN = re.compile(r"[\u4e00-\u9fff]")


def by_name(example: Example) -> str:
    return str(example)


@pytest.mark.parametrize("contract", MODELS)
def test_each_type_has_valid_and_invalid_examples_in_both_languages(contract: str) -> None:
    names = {example.name for example in load_examples(contract)}
    assert {"valid-zh", "valid-en", "invalid-zh", "invalid-en"} <= names


def test_examples_belong_to_a_type() -> None:
    assert {example.contract for example in EVERY_EXAMPLE} == set(MODELS)


@pytest.mark.parametrize("example", WITH_DATA, ids=by_name)
def test_model_finds_exactly_the_problems_that_the_example_names(example: Example) -> None:
    model = MODELS[example.contract]
    try:
        read = model.model_validate_json(example.value_bytes or b"")
    except ValidationError as error:
        found = [problem.pointer for problem in field_problems(error)]
    else:
        found = []
        warned = [warning.pointer for warning in unknown_field_warnings(read)]
        assert sorted(warned) == sorted(example.warnings)
        assert model.model_validate_json(read.model_dump_json()) == read
    assert sorted(found) == sorted(example.problems)
    assert example.name.startswith("valid" if example.valid else "invalid")


@pytest.mark.parametrize("example", WITH_DATA, ids=by_name)
def test_schema_agrees_with_the_model(example: Example) -> None:
    schema = json.loads((SCHEMAS / f"{example.contract}.json").read_text(encoding="utf-8"))
    accepted = Draft202012Validator(schema).is_valid(example.value)
    assert accepted == (example.valid or example.rule_beyond_schema)


@pytest.mark.parametrize("example", [each for each in WITH_DATA if each.valid], ids=by_name)
def test_what_is_written_keeps_to_the_schema(example: Example) -> None:
    schema = json.loads((SCHEMAS / f"{example.contract}.json").read_text(encoding="utf-8"))
    written = MODELS[example.contract].model_validate_json(example.value_bytes or b"").model_dump_json()
    Draft202012Validator(schema).validate(json.loads(written))


@pytest.mark.parametrize("example", EVERY_EXAMPLE, ids=by_name)
def test_headers_are_cloudevents_in_kafka_binary_mode(example: Example) -> None:
    message = KafkaMessage(
        headers={name: value.encode() for name, value in example.headers.items()},
        key=example.key.encode() if example.key else None,
        value=example.value_bytes or b"",
    )
    event = from_binary_event(message, JSONFormat())
    assert event.get_type() == example.contract.removesuffix(".draft")
    assert example.headers["ce_dataschema"] == f"urn:tongtu:schema:{example.contract}"
    assert ("content-type" in example.headers) == (example.value is not None)


@pytest.mark.parametrize("example", [each for each in EVERY_EXAMPLE if each.valid], ids=by_name)
def test_platform_examples_carry_the_key_that_the_model_names(example: Example) -> None:
    if example.contract.endswith(".draft"):
        assert "ce_partitionkey" not in example.headers  # a member's key is free
        return
    assert example.key == example.headers["ce_partitionkey"] == example.headers["ce_subject"]
    if example.value is not None:
        read = MODELS[example.contract].model_validate(example.value)
        assert getattr(read, "key") == example.key  # noqa: B009 - each model here has one; their common base has not


@pytest.mark.parametrize("contract", ["tongtu.technology.submitted.v1", "tongtu.demand.posted.v1"])
def test_withdrawn_and_closed_records_keep_their_version_in_a_header(contract: str) -> None:
    tombstones = [example for example in load_examples(contract) if example.value is None]
    assert tombstones
    assert all(int(tombstone.headers["ce_recordversion"]) >= 1 for tombstone in tombstones)
    assert any(example.value is None for example in load_examples(f"{contract}.draft"))


@pytest.mark.parametrize("contract", MODELS)
def test_examples_are_really_chinese_and_english(contract: str) -> None:
    values = {example.name: json.dumps(example.value, ensure_ascii=False) for example in load_examples(contract)}
    if contract not in ("tongtu.proposal-withdrawn.v1", "tongtu.answer-reminder.v1"):  # which hold no text
        assert HAN.search(values["valid-zh"])
    assert not HAN.search(values["valid-en"])


def test_every_event_and_draft_is_covered() -> None:
    wanted = {model.type for model in EVENTS} | {f"{model.type}.draft" for model in DRAFTS}
    assert wanted <= {example.contract for example in EVERY_EXAMPLE}
