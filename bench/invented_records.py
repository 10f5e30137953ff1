"""Technologies and demands made of sentence frames and invented terms, Chinese and English, as long as real ones.

The frames hold function words alone and the terms come from 800,000 in English and two million in Chinese: so any two
records have as little in common as two real ones of different fields, and those of one subject belong together.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

Kind = Literal["technology", "demand"]
Language = Literal["en", "zh"]

_BEGINNINGS = (
    "ferro hydro poly thermo aero silo fluoro electro nano micro bio photo cryo magneto tribo chromo lith cobalt "
    "nitro oxy phospho sulfo borono carbo chloro stanno titano vanado zirco hafno tanta niobo molybdo wolframo "
    "rhenio yttro cero galo indo bismo"
)
_MIDDLES = (
    "ban cor dex fal gan hem jol kar lam mer nol pag quen ras sil tor ul vax wen xan yel zor bri cla dre flo gri "
    "kle plo sta"
)
_ENDINGS = (
    "ide ate ite ene ane ol ine ase oid ium ogel ofoil omer onics ometer oscope oplast olith ograph olysis otron "
    "ophore osphere ofilm"
)
_PARTS = tuple(tuple(words.split()) for words in (_BEGINNINGS, _MIDDLES, _MIDDLES, _ENDINGS))
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
_TERMS = 6
"""Terms of one subject; a record has all of them, and as many that say nothing about it."""
_LENGTHS: dict[Kind, tuple[int, int]] = {"technology": (8, 24), "demand": (5, 14)}
"""Fewest and most sentences of a text; one has about 65 characters in English and 20 in Chinese."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What a record is about. A technology and a demand of one subject belong together."""

    language: Language
    terms: tuple[str, ...]


def subjects(chance: random.Random) -> Iterator[Subject]:
    """Subjects without end, Chinese and English by turns."""
    languages: tuple[Language, Language] = ("en", "zh")
    for language in cycle(languages):
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
    for _ in range(chance.randint(*_LENGTHS[kind])):
        terms = [next(own), _term(subject.language, chance), _term(subject.language, chance)]
        chance.shuffle(terms)
        frame = chance.choice(_FRAMES[subject.language])
        yield frame.format(a=terms[0], b=terms[1], c=terms[2], n=chance.randint(2, 98), m=chance.randint(100, 900))


def _term(language: Language, chance: random.Random) -> str:
    if language == "en":
        return "".join(map(chance.choice, _PARTS))
    return "".join(chance.sample(_CHARACTERS, 3))
