"""The words that made two records meet, weightiest first, as people would write them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from services.matching.analysis import han_runs, is_han

MOST = 12
_LONGEST = 12
"""Characters of one Chinese term: longer runs are sentences that were copied."""


def shared_terms(contributions: Mapping[str, int], surfaces: Mapping[str, str], text: str) -> tuple[str, ...]:
    """At most twelve terms.

    `contributions`: what each shared term adds to the overlap; `surfaces`: how the demand wrote it; `text`: the
    demand's own words, in which neighbouring bigrams are joined to the terms that they are parts of.
    """
    weights = {surfaces[term]: float(weight) for term, weight in contributions.items() if not is_han(term)}
    bigrams = {term: weight for term, weight in contributions.items() if is_han(term)}
    found: set[str] = set()
    for run in _joined(text, bigrams.keys()):
        parts = [run[start : start + 2] for start in range(len(run) - 1)] or [run]
        weights[run] = sum(bigrams[part] for part in parts)
        found.update(parts)
    # Bigrams outside the text at hand (it is the beginning of the record) stand for themselves.
    weights |= {term: weight for term, weight in bigrams.items() if term not in found}
    ordered = sorted(weights, key=lambda term: (-weights[term], term))
    return tuple(_without_parts(ordered))[:MOST]


def _joined(text: str, bigrams: Iterable[str]) -> Iterator[str]:
    """The longest runs of characters all of whose bigrams are shared."""
    shared = set(bigrams)
    for run in han_runs(text):
        if len(run) == 1 and run in shared:
            yield run
        start = 0
        while start < len(run) - 1:
            end = start
            while end < len(run) - 1 and end - start < _LONGEST - 1 and run[end : end + 2] in shared:
                end += 1
            if end > start:
                yield run[start : end + 1]
            start = max(end, start + 1)


def _without_parts(terms: Sequence[str]) -> Iterator[str]:
    """Terms that are not part of a weightier one."""
    kept: list[str] = []
    for term in terms:
        if not (is_han(term) and any(term in other for other in kept)):
            kept.append(term)
            yield term
