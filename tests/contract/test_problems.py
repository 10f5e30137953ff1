"""Whatever a member sends, it is told what is wrong with it: every field at once, in English or Chinese."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from shared.contracts.events import DRAFTS, Draft, TechnologyDraft
from shared.contracts.example import load_examples
from shared.contracts.generate import CONTRACTS
from shared.contracts.problems import Language, field_problems, unknown_field_warnings

MODELS = {contract.name: contract.model for contract in CONTRACTS}
WRONG_DRAFTS = [each for each in load_examples() if each.contract.endswith(".draft") and not each.valid]
HAN = re.compile(r"[\u4e00-\u9fff]")


def problems_of(model: type[BaseModel], value: Any, language: Language = "en") -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(json.dumps(value))
    return {problem.pointer: problem.message for problem in field_problems(caught.value, language)}


@pytest.mark.parametrize("example", WRONG_DRAFTS, ids=str)
def test_every_message_exists_in_both_languages(example: Any) -> None:
    english = problems_of(MODELS[example.contract], example.value)
    chinese = problems_of(MODELS[example.contract], example.value, "zh")
    assert set(english) == set(chinese) == set(example.problems)
    assert all(HAN.search(message) for message in chinese.values())
    assert not any(HAN.search(message) for message in english.values())
    assert "is not valid" not in english.values()  # the wording of last resort


def test_message_says_what_to_do() -> None:
    wrong = {"id": "t", "title": "T", "summary": "S", "plan": {"capital": 5, "currency": "CNY"}, "visibility": "secret"}
    assert problems_of(TechnologyDraft, wrong) == {
        "/visibility": "must be 'public', 'members' or 'named'",
        "/plan/capital": 'must be a decimal number in quotes, such as "1200000.00"',
    }
    assert problems_of(TechnologyDraft, wrong, "zh") == {
        "/visibility": "必须是 'public'、'members'、'named' 之一",
        "/plan/capital": '必须是带引号的十进制数，例如 "1200000.00"',
    }


def test_at_most_fifty_problems_and_warnings_are_told() -> None:
    many = {"id": "t", "title": "T", "summary": "S", **{f"field{number}": 1 for number in range(80)}}
    assert len(unknown_field_warnings(TechnologyDraft.model_validate(many))) == 50
    patents = {"status": "granted", "patents": [""] * 50}
    wrong = {"ipr": patents, "trl": {"level": 0}, "mrl": 0}
    with pytest.raises(ValidationError) as caught:
        TechnologyDraft.model_validate(wrong)
    assert len(field_problems(caught.value)) == 50


def test_pointer_escapes_the_names_that_members_choose() -> None:
    draft = TechnologyDraft.model_validate({"id": "t", "title": "T", "summary": "S", "a/b~c": 1})
    assert [warning.pointer for warning in unknown_field_warnings(draft)] == ["/a~1b~0c"]


def test_longest_name_of_an_unknown_field_fits_a_warning() -> None:
    draft = TechnologyDraft.model_validate({"id": "t", "title": "T", "summary": "S", "/~" * 64: 1})
    assert len(unknown_field_warnings(draft)[0].pointer) == 1 + 4 * 64


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def records_of(model: type[Draft]) -> st.SearchStrategy[Any]:
    """Objects that have some of the model's fields, with anything in them."""
    return st.dictionaries(st.sampled_from(sorted(model.model_fields)) | st.text(max_size=8), anything, max_size=8)


@pytest.mark.parametrize("model", DRAFTS, ids=lambda model: model.__name__)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_whatever_is_sent_is_read_or_explained(model: type[Draft], data: st.DataObject) -> None:
    sent = data.draw(records_of(model) | anything)
    try:
        unknown_field_warnings(model.model_validate(sent))
    except ValidationError as refused:
        told = field_problems(refused), field_problems(refused, "zh")
    else:
        return
    assert all(told)


@settings(deadline=None)
@given(sent=st.binary(max_size=200))
def test_whatever_bytes_are_sent_are_explained(sent: bytes) -> None:
    with pytest.raises(ValidationError) as caught:
        TechnologyDraft.model_validate_json(sent)
    assert field_problems(caught.value)
