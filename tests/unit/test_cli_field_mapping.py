"""Fields of a file become fields of a record: by name, by --map, and from text to what the contract wants."""

from typing import Any

import pytest

from shared.contracts.demand import DemandDraft
from shared.contracts.technology import TechnologyDraft
from tongtu.importing.field_mapping import FieldMapping, MappingError
from tongtu.importing.submission import message_id


def record(fields: dict[str, Any], *assignments: str, from_text: bool = False) -> dict[str, Any]:
    return FieldMapping(TechnologyDraft, assignments, from_text).record(fields)


def test_known_fields_go_as_they_are_and_others_are_named() -> None:
    mapping = FieldMapping(TechnologyDraft, [], from_text=False)
    fields = {"id": "a", "title": "t", "trl": {"level": 6}, "agency": "x", "price": None}
    assert mapping.record(fields) == {"id": "a", "title": "t", "trl": {"level": 6}, "price": None}
    assert mapping.record({"id": "b", "agency": "y"}) == {"id": "b"}
    assert mapping.left_out == {"agency": 2}


def test_map_takes_over_and_wins() -> None:
    fields = {"number": "a", "title": "t", "text": "long", "description": "short"}
    assert record(fields, "id=number", "description=text") == {"id": "a", "title": "t", "description": "long"}


def test_map_reaches_into_objects_on_both_sides() -> None:
    fields = {"id": "a", "status": {"maturity": 5}, "a.b": 7}
    assert record(fields, "trl.level=status.maturity", "mrl=a.b") == {"id": "a", "trl": {"level": 5}, "mrl": 7}


def test_map_gives_every_record_the_same_text() -> None:
    made = record({"id": "a", "highest": "100"}, "price.max=highest", "price.currency==CNY", "trl.level==4")
    assert made == {"id": "a", "price": {"max": "100", "currency": "CNY"}, "trl": {"level": 4}}


def test_text_becomes_what_the_field_wants() -> None:
    fields = {
        "id": "7",
        "keywords": "固态电池；硫化物; storage",
        "trl.level": " 6 ",
        "price.max": "2500000",
        "ipr": '{"status": "granted"}',
        "expires_on": "2030-01-31",
    }
    assert record(fields, from_text=True) == {
        "id": "7",
        "keywords": ["固态电池", "硫化物", "storage"],
        "trl": {"level": 6},
        "price": {"max": "2500000"},
        "ipr": {"status": "granted"},
        "expires_on": "2030-01-31",
    }


def test_text_that_does_not_fit_is_left_to_intake() -> None:
    made = record({"id": "a", "trl.level": "six", "ipr": "{broken"}, from_text=True)
    assert made == {"id": "a", "trl": {"level": "six"}, "ipr": "{broken"}


def test_a_target_value_stays_as_it_is_written() -> None:
    mapping = FieldMapping(DemandDraft, [], from_text=True)
    targets = '[{"name": "efficiency", "comparator": "at_least", "value": 24.5, "unit": "%"}]'
    assert mapping.record({"id": "a", "targets": targets, "required_trl": "7"}) == {
        "id": "a",
        "targets": [{"name": "efficiency", "comparator": "at_least", "value": 24.5, "unit": "%"}],
        "required_trl": 7,
    }


@pytest.mark.parametrize("fields", [{}, {"title": "t"}, {"id": None}, {"id": ""}])
def test_a_record_needs_an_id(fields: dict[str, Any]) -> None:
    with pytest.raises(MappingError, match="has no id"):
        record(fields)


@pytest.mark.parametrize(
    ("assignment", "told"),
    [
        ("description", "is not TO=FROM"),
        ("=text", "is not TO=FROM"),
        ("description=", "is not TO=FROM"),
        ("descripton=text", "did you mean description?"),
        ("zzz=text", "there are"),
        ("trl.levle=text", "a record has no field trl.levle"),
        ("title.x=text", "a record has no field title.x"),
    ],
)
def test_a_map_that_cannot_be(assignment: str, told: str) -> None:
    with pytest.raises(MappingError) as raised:
        FieldMapping(TechnologyDraft, [assignment], from_text=False)
    assert told in str(raised.value)


def test_sources_that_no_line_had_are_named() -> None:
    mapping = FieldMapping(TechnologyDraft, ["description=txt", "title=name", "summary==always"], from_text=False)
    mapping.record({"id": "a", "name": "t"})
    assert mapping.missing == ["txt"]


def test_a_message_id_follows_from_the_record_and_its_content() -> None:
    same = message_id("t", "a", b"{}")
    assert same == message_id("t", "a", b"{}")
    assert len({same, message_id("t", "b", b"{}"), message_id("t", "a", b"{ }"), message_id("u", "a", b"{}")}) == 4
