"""Technologies and demands made of sentence frames and invented terms, Chinese and English, as long as real ones.

The frames hold function words alone. An English term is two of the 15,000 long words that the English embedder knows, a
Chinese one three characters (two million terms): invented words would mean nothing to the embedders, and cost them
three times as many tokens as real text does; few words would make all records share most of them. Those of one subject
belong together.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import cycle
from typing import Any, Literal

from services.matching.weights import english_model

Kind = Literal["technology", "demand"]
Language = Literal["en", "zh"]

_CHARACTERS = (
    "铪锆钽铌钼钨铼钇镧铈钕钐铕钆铽镝钬铒镱镥钪钒铬锰钴镍镓锗铟锑碲铋铯铷锶钡锂铍镁钌硼碳氮氧氟硅磷硫氯膜胶纤晶瓷釉炉阀泵轴"
    "轮舱罩梁桩缆翼桨舵锚钻锤锯铣镗磨焊铆锻铸轧淬渗镀蚀刻印织纺浆粉粒砂泥岩煤焦气油脂蜡醇酸碱酯醚酮烯炔苯桥隧坝港塔窑井巷"
)
_FRAMES: dict[Language, tuple[str, ...]] = {
    "en": (
        "The {a} of the {b} is at {n} %, and that of the {c} is not. ",
        "As for the {a}, it is the {b} with {n} to {m} of {c}. ",
        "There will be no {a} in the {b} if the {c} is at {n}. ",
        "Such a {a}, such a {b}: {n} by {m} for the {c}. ",
        "It was the {a}, not the {b}, that was at {n} in the {c}. ",
    ),
    "zh": (
        "{a}：{b}（{n}%），{c}。",
        "{a}，{b}，{c}：{n}～{m}。",
        "{n} {a}、{m} {b}，{c}。",
        "“{a}”，“{b}”，{n} {c}。",
    ),
}
_TITLES: dict[Language, str] = {"en": "{0} and {1} for the {2}", "zh": "{0}、{1}、{2}"}
_LONG = 6
"""Letters."""
_TERMS = 6
"""Terms of one subject; a record has all of them, and as many that say nothing about it."""
_LENGTHS: dict[tuple[Language, Kind], tuple[int, int]] = {
    ("en", "technology"): (5, 14),
    ("en", "demand"): (3, 8),
    ("zh", "technology"): (8, 24),
    ("zh", "demand"): (5, 14),
}
"""Fewest and most sentences of a text; one has about 100 characters in English and 20 in Chinese."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a record is about. A technology and a demand of one subject belong together."""

    language: Language
    terms: tuple[str, ...]


def subjects(language: Language, chance: random.Random) -> Iterator[Subject]:
    """Subjects without end."""
    while True:
        yield Subject(language, tuple(_term(language, chance) for _ in range(_TERMS)))


def record(kind: Kind, id: str, subject: Subject, chance: random.Random) -> dict[str, Any]:
    """A technology's or a demand's draft of 1 to 3 KB, with the figures that an assessment of risk needs."""
    language = subject.language
    text = "".join(_sentences(kind, subject, chance))
    shared = {
        "id": id,
        "language": language,
        "title": _TITLES[language].format(*subject.terms),
        "keywords": list(subject.terms[:4]),
        "region": chance.choice(("CN-BJ", "CN-SH", "CN-GD", "CN-LN", "CN-HB")),
    }
    if kind == "demand":
        return shared | {
            "problem": text,
            "required_trl": chance.randint(3, 7),
            "deadline": f"{chance.randint(2031, 2036)}-12-31",
            "budget": {"max": str(chance.randint(2, 40) * 1_000_000), "currency": "CNY"},
        }
    revenue = chance.randint(5, 80) * 1_000_000
    return shared | {
        "summary": text[:400],
        "description": text,
        "trl": {"level": chance.randint(3, 8)},
        "price": {"min": str(chance.randint(1, 20) * 100_000), "currency": "CNY"},
        "plan": {
            "capital": str(chance.randint(3, 60) * 1_000_000),
            "annual_revenue": str(revenue),
            "annual_cost": str(revenue * 6 // 10),
            "currency": "CNY",
            "months": chance.randint(12, 48),
            "estimate_class": chance.randint(2, 5),
        },
    }


def _sentences(kind: Kind, subject: Subject, chance: random.Random) -> Iterator[str]:
    own = cycle(chance.sample(subject.terms, len(subject.terms)))
    for _ in range(chance.randint(*_LENGTHS[subject.language, kind])):
        terms = [next(own), _term(subject.language, chance), _term(subject.language, chance)]
        chance.shuffle(terms)
        frame = chance.choice(_FRAMES[subject.language])
        yield frame.format(a=terms[0], b=terms[1], c=terms[2], n=chance.randint(2, 98), m=chance.randint(100, 900))


def _term(language: Language, chance: random.Random) -> str:
    if language == "en":
        return f"{chance.choice(_words())} {chance.choice(_words())}"
    return "".join(chance.sample(_CHARACTERS, 3))


@cache
def _words() -> tuple[str, ...]:
    """In alphabetical order."""
    vocabulary = json.loads((english_model() / "tokenizer.json").read_text("utf-8"))["model"]["vocab"]
    return tuple(sorted(word for word in vocabulary if len(word) >= _LONG and word.isascii() and word.isalpha()))
