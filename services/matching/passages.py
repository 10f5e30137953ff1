"""Where two texts meet: the sentence of each side that shares most with one sentence of the other's.

Lexical, so within one language. Across languages nothing is quoted: which sentences mean the same is not known, and a
guess would read as a reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.matching.figures import terms_of
from shared.contracts.events import Passage

MOST = 2
_LONGEST = 500
_SENTENCE = re.compile(r"[^。！？；!?;\n]+?(?:[。！？；!?;\n]|\.(?=\s)|$)")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence with its distinct terms."""

    text: str
    terms: frozenset[str]


def sentences(text: str) -> list[Sentence]:
    """The sentences of a text that hold any term."""
    found = (match.group().strip()[:_LONGEST] for match in _SENTENCE.finditer(text))
    return [Sentence(each, terms) for each in found if (terms := terms_of(each))]


def passages(
    technology: Sequence[Sentence], demand: Sequence[Sentence], contributions: Mapping[str, int]
) -> tuple[Passage, ...]:
    """At most two, best first; `contributions`: what each shared term adds to the overlap of the two records.

    A pair of sentences counts what their common terms add. The second quotes other sentences and adds another term.
    """
    shared = contributions.keys()
    offered = [(sentence, terms) for sentence in technology if (terms := sentence.terms & shared)]
    asked = [(sentence, terms) for sentence in demand if (terms := sentence.terms & shared)]
    # Stable: of equal pairs the first in the texts.
    ranked = sorted(
        ((one, two, common) for one, left in offered for two, right in asked if (common := left & right)),
        key=lambda pair: -sum(contributions[term] for term in pair[2]),
    )
    chosen: list[tuple[Sentence, Sentence]] = []
    told: set[str] = set()
    for one, two, common in ranked:
        if len(chosen) == MOST:
            break
        if common <= told or any(one is first or two is second for first, second in chosen):
            continue
        chosen.append((one, two))
        told |= common
    return tuple(Passage(technology=one.text, demand=two.text) for one, two in chosen)
