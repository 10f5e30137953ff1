"""Scores of bench/paraphrases by the production code: every pair of a demand and a technology, by pair of languages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.fit.corpus import Mask, Matrix, read
from services.matching.encoding import Analyser, words
from services.matching.evaluation import profile, record
from services.matching.index import ProfileIndex
from services.matching.profile import Profile
from services.matching.statistics import Model
from shared.contracts.events import Side

FOLDER = Path(__file__).parents[1] / "paraphrases"


@dataclass(frozen=True)
class Scored:
    """All pairs of demands in one language and technologies in another, or in the same."""

    logits: Matrix
    grades: Matrix
    """0 where no grade is given."""
    is_hard_negative: Mask
    """Written to look like an answer, and none."""


def scored(model: Model, analyser: Analyser) -> dict[str, Scored]:
    """By pair of languages, as in "zh on en": Chinese demands, English technologies."""
    offered, asked = (_profiles(side, model, analyser) for side in (Side.TECHNOLOGY, Side.DEMAND))
    index = ProfileIndex(Side.TECHNOLOGY, model)
    for each in offered:
        index.put(each)
    logits = np.stack(list(index.columns(asked)))
    rows = {each.id: number for number, each in enumerate(asked)}
    columns = {each.id: number for number, each in enumerate(offered)}
    grades, hard = np.zeros_like(logits), np.zeros(logits.shape, dtype=np.bool_)
    for demand, technology, grade in _lines("pairs.tsv"):
        grades[rows[demand], columns[technology]] = float(grade)
    for demand, technology in _lines("negatives.tsv"):
        hard[rows[demand], columns[technology]] = True
    return {
        f"{asking} on {offering}": Scored(logits[part], grades[part], hard[part])
        for asking, here in _by_language(asked).items()
        for offering, there in _by_language(offered).items()
        if (part := np.ix_(here, there))
    }


def _profiles(side: Side, model: Model, analyser: Analyser) -> list[Profile]:
    name = "technologies.jsonl" if side is Side.TECHNOLOGY else "demands.jsonl"
    found = [record(row, side) for row in read(FOLDER / name)]
    return [profile(each, *words(each), *analyser.vectors(each), model) for each in found]


def _by_language(profiles: list[Profile]) -> Mapping[str, list[int]]:
    languages = [each.language for each in profiles]
    return {name: [row for row, each in enumerate(languages) if each == name] for name in sorted(set(languages))}


def _lines(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (FOLDER / name).read_text("utf-8").splitlines()[1:]]
