"""Figures with units that a text gives, each with the words around it; and what they show about a bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, isinf

from services.matching.analysis import tokens
from services.matching.units import CHINESE, unit

# Neither the comma of a number nor the bracket of a unit ends a clause: 1,200 h; 50 W/(m·K).
_CLAUSE = re.compile(r"[，,](?!\d)|[、。；;！!？?\n（）]|(?<!/)\(|\.(?=\s|$)")
# Not the digits of a name: CO2, Ti-6Al-4V, 10^7. A minus is one where it joins nothing to what stands before.
_NUMBER = r"(?<![\w.^])(?<![A-Za-z]-)\d+(?:,\d{3})*(?:\.\d+)?"
_SIGN = r"(?:(?<![A-Za-z0-9.)])[-−])?"
# A word that is a unit by accident (in, at, as) is none. In brackets only behind a slash: W/(m·K).
_UNIT = (
    rf"(?:{'|'.join(CHINESE)}|[次片册件台套]|[%％‰]|(?!(?:a|an|as|at|in|to|us)\b)"
    r"[A-Za-z℃°µμΩ][\w℃°µμΩ²³⁻·⋅^/*−-]*(?:(?<=/)\([\w·⋅*]+\))?)"
)
_FIGURE = re.compile(
    rf"(?P<low>{_SIGN}{_NUMBER})(?:\s*(?:[~～–—-]|至|到|to)\s*(?P<high>[-−]?\d+(?:\.\d+)?))?"
    rf"\s*(?P<unit>{_UNIT})\s*(?P<after>以上|以下|以内|or more|or less)?"
)
_YEARS = range(1900, 2100)
"""Of the calendar: 2026 年 is no duration."""
_NUMBERS = re.compile(_NUMBER)
_AT_LEAST = re.compile(
    r"(?:[≥>＞]=?|大于|高于|超过|优于|不低于|不小于|不少于|至少|at least|more than|over|above|exceed\w*)\s*$",
    re.IGNORECASE,
)
_AT_MOST = re.compile(
    r"(?:[≤<＜]=?|(?<!不)[小低少]于|不高于|不大于|不超过|below|under|less than|at most|no more than|within)\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, in the unit's own base; an open end is infinite."""

    low: float
    high: float

    def within(self, other: Interval) -> bool:
        """Whether all of it lies in the other."""
        return other.low - _slack(other.low) <= self.low and self.high <= other.high + _slack(other.high)

    def outside(self, other: Interval) -> bool:
        """Whether none of it does."""
        return self.high < other.low - _slack(other.low) or self.low > other.high + _slack(other.high)


def _slack(bound: float) -> float:
    """What converting units may round; nothing of an open end."""
    return 0.0 if isinf(bound) else abs(bound) * 1e-9


@dataclass(frozen=True, slots=True)
class Figure:
    """What a clause says about a quantity."""

    interval: Interval
    kind: str
    """Of its unit."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence with its figures."""

    text: str
    terms: frozenset[str]
    numbers: frozenset[str]
    figures: tuple[Figure, ...]


def terms_of(text: str) -> frozenset[str]:
    """The distinct terms of a text."""
    return frozenset(term for term, _ in tokens(text))


def numbers_of(text: str) -> frozenset[str]:
    """The distinct numbers of a text, as it writes them."""
    return frozenset(_NUMBERS.findall(text))


def clauses(text: str) -> Iterator[Clause]:
    """The clauses of a text that give a figure."""
    for part in _CLAUSE.split(text):
        found = tuple(_figures(part)) if any(character.isdigit() for character in part) else ()
        if found:
            yield Clause(part.strip(), terms_of(part), numbers_of(part), found)


def _figures(text: str) -> Iterator[Figure]:
    for match in _FIGURE.finditer(text):
        low = _value(match["low"])
        high = _value(match["high"]) if match["high"] else low
        if match["unit"] == "年" and low in _YEARS:
            continue
        found = unit(match["unit"])
        low, high = sorted((low * found.scale, high * found.scale))
        before, after = text[: match.start("low")], match["after"] or ""
        if after in ("以上", "or more") or _AT_LEAST.search(before):
            high = inf
        elif after or _AT_MOST.search(before):
            low = -inf
        yield Figure(Interval(low, high), found.kind)


def _value(written: str) -> float:
    return float(written.replace(",", "").replace("−", "-"))
