"""Turns text into the terms that lexical matching counts: stemmed words, and bigrams of Chinese characters."""

import re
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
import tantivy

# A run of Han characters, or a word of any other script. Numbers alone are no words: "600" in two texts is more
# often a coincidence than a shared subject.
_RUN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+|[^\W_\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LONGEST_WORD = 40
_STEMMER = (
    tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    .filter(tantivy.Filter.lowercase())
    .filter(tantivy.Filter.stopword("english"))
    .filter(tantivy.Filter.stemmer("english"))
    .build()
)


@dataclass(frozen=True, slots=True)
class Term:
    """One distinct term of a record, with how often each field holds it."""

    term: str
    surface: str
    title: int
    body: int


def is_han(text: str) -> bool:
    """Whether the text holds a Chinese character."""
    return _HAN.search(text) is not None


@lru_cache(maxsize=200_000)
def _stem(word: str) -> str | None:
    """The stem of a word, or None for a stop word."""
    stems = _STEMMER.analyze(word)
    return stems[0] if stems else None


def tokens(text: str) -> Iterable[tuple[str, str]]:
    """Every (term, surface form) of a text in order, repeated as often as it occurs."""
    for match in _RUN.finditer(unicodedata.normalize("NFKC", text)):
        run = match.group()
        if _HAN.match(run):
            if len(run) == 1:
                yield run, run
            for start in range(len(run) - 1):
                bigram = run[start : start + 2]
                yield bigram, bigram
        elif 2 <= len(run) <= _LONGEST_WORD and not run.isdigit():
            stem = _stem(run)
            if stem is not None:
                yield stem, run


def terms(title: str, body: str) -> list[Term]:
    """The distinct terms of a record in the order of their first occurrence, title first."""
    return ordered_terms(title, body)[0]


def ordered_terms(title: str, body: str) -> tuple[list[Term], bytes]:
    """The same, and every occurrence in order: positions in that list, 16 bits each, the lowest byte first."""
    counts: dict[str, list[int]] = {}
    surfaces: dict[str, str] = {}
    positions: dict[str, int] = {}
    order = array("H")
    for field, text in enumerate((title, body)):
        for term, surface in tokens(text):
            if term not in counts:
                counts[term] = [0, 0]
                surfaces[term] = surface
                positions[term] = len(positions)
            counts[term][field] += 1
            order.append(positions[term])
    found = [Term(term, surfaces[term], title_count, body_count) for term, (title_count, body_count) in counts.items()]
    return found, np.array(order, dtype="<u2").tobytes()


def phrases(terms: Sequence[Term], order: bytes) -> list[tuple[str, int, int]]:
    """Every two neighbouring terms as a phrase, with how often title and body hold it; `order` as above."""
    sequence = np.frombuffer(order, dtype="<u2").tolist()
    in_title = sum(term.title for term in terms)
    counts: dict[tuple[int, int], list[int]] = {}
    for place, pair in enumerate(pairwise(sequence), 1):
        # The last word of the title and the first of the body are no neighbours.
        if place != in_title:
            counts.setdefault(pair, [0, 0])[place > in_title] += 1
    return [(f"{terms[one].term} {terms[two].term}", title, body) for (one, two), (title, body) in counts.items()]


def han_runs(text: str) -> list[str]:
    """Every unbroken run of Chinese characters, in order."""
    return [run for run in _RUN.findall(unicodedata.normalize("NFKC", text)) if _HAN.match(run)]
