"""The paraphrase set is well formed: records are distinct and in their language, pairs and negatives name records."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

import catalogue

FOLDER = Path(__file__).parents[2] / "bench" / "paraphrases"
HAN = re.compile(r"[\u3400-\u9fff]")


class Text(BaseModel):
    """A demand or a technology of the set."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str
    language: Literal["zh", "en"]
    title: str
    text: str
    keywords: list[str] = []


def records(name: str) -> list[Text]:
    lines = (FOLDER / name).read_text(encoding="utf-8").splitlines()
    return [Text.model_validate_json(line) for line in lines]


def table(name: str, *columns: str) -> list[list[str]]:
    header, *rows = ((FOLDER / name).read_text(encoding="utf-8")).splitlines()
    assert tuple(header.split("\t")) == columns
    return [row.split("\t") for row in rows]


DEMANDS = records("demands.jsonl")
TECHNOLOGIES = records("technologies.jsonl")
LANGUAGE = {record.id: record.language for record in (*DEMANDS, *TECHNOLOGIES)}
PAIRS = [
    (demand, technology, int(grade))
    for demand, technology, grade in table("pairs.tsv", "demand", "technology", "grade")
]
NEGATIVES = [(demand, technology) for demand, technology in table("negatives.tsv", "demand", "technology")]


def repeated(values: list[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def ids(texts: list[Text]) -> set[str]:
    return {text.id for text in texts}


def test_the_set_is_as_large_as_it_must_be() -> None:
    assert len(DEMANDS) >= 64
    assert len(TECHNOLOGIES) >= 190
    chinese = sum(demand.language == "zh" for demand in DEMANDS)
    assert 0.55 <= chinese / len(DEMANDS) <= 0.65
    assert {technology.language for technology in TECHNOLOGIES} == {"zh", "en"}


def test_ids_titles_and_texts_are_distinct() -> None:
    both = [*DEMANDS, *TECHNOLOGIES]
    assert repeated([record.id for record in both]) == []
    assert repeated([record.title for record in both]) == []
    assert repeated([record.text for record in both]) == []


def test_nothing_is_taken_from_the_catalogue() -> None:
    titles = {record.title for record in (*catalogue.demands(), *catalogue.technologies())}
    assert titles.isdisjoint(record.title for record in (*DEMANDS, *TECHNOLOGIES))


@pytest.mark.parametrize("record", [*DEMANDS, *TECHNOLOGIES], ids=lambda record: record.id)
def test_a_record_is_in_its_language_and_of_realistic_length(record: Text) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", record.id)
    parts = [record.title, record.text, *record.keywords]
    assert all(part == part.strip() != "" for part in parts)
    if record.language == "zh":
        assert HAN.search(record.title)
        assert len(HAN.findall(record.text)) > len(record.text) / 2
        assert 10 <= len(record.title) <= 30
        assert 120 <= len(record.text) <= 400
    else:
        assert not any(HAN.search(part) for part in parts)
        assert 8 <= len(record.title.split()) <= 25
        assert 60 <= len(record.text.split()) <= 200


def test_pairs_name_records_once_with_a_grade() -> None:
    assert repeated([(demand, technology) for demand, technology, _ in PAIRS]) == []
    assert {demand for demand, _, _ in PAIRS} == ids(DEMANDS)
    assert {technology for _, technology, _ in PAIRS} <= ids(TECHNOLOGIES)
    assert {grade for _, _, grade in PAIRS} == {1, 2, 3}


def test_every_demand_has_an_answer_and_a_partial_one() -> None:
    grades = defaultdict[str, list[int]](list)
    for demand, _, grade in PAIRS:
        grades[demand].append(grade)
    assert [demand for demand, given in grades.items() if not 1 <= given.count(3) <= 2 or min(given) == 3] == []


def test_answers_cross_the_languages_both_ways() -> None:
    kinds = Counter((LANGUAGE[demand], LANGUAGE[technology]) for demand, technology, grade in PAIRS if grade == 3)
    assert kinds["zh", "en"] + kinds["en", "zh"] >= 45
    assert min(kinds[demand, technology] for demand in ("zh", "en") for technology in ("zh", "en")) >= 10


def test_hard_negatives_are_relevant_to_no_demand() -> None:
    assert repeated(NEGATIVES) == []
    assert {demand for demand, _ in NEGATIVES} <= ids(DEMANDS)
    wrong = {technology for _, technology in NEGATIVES}
    assert len(wrong) >= 60
    assert wrong == ids(TECHNOLOGIES) - {technology for _, technology, _ in PAIRS}
