"""Which records hold a term, and how strongly: inverted lists over the records of one language."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csc_array, csr_array

from services.matching.arrays import Array, Lists

TAIL = 1_024
"""Records that are summed one by one before they are inverted."""
_GROWTH = 4
"""A run of records is inverted anew together with the run before it when that is at most four times as long: each
record is inverted a few times in its life, and a question meets few runs."""

Sums = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class _Run:
    """The records from `start` to `stop`, inverted once and for all."""

    start: int
    stop: int
    terms: int
    """Codes from here on came later."""
    by_term: csc_array
    """[records of the run, terms]"""


class Postings:
    """Runs of inverted records, each longer than the next, and a tail that is not inverted yet."""

    def __init__(self, lists: Lists) -> None:
        self._lists = lists
        self._runs: list[_Run] = []

    def clear(self) -> None:
        """All lists have changed."""
        self._runs = []

    def sums(self, codes: Array, weights: Array, terms: int) -> Sums:
        """For each record, value x weight summed over the terms that it shares with the question.

        Exact while the sums stay below 2^31: impacts are at most 2^10, and the weights of a demand have a sum of at
        most 26,300 x 10 (lexical.query: in standard deviations of a chance overlap, at most a hundred terms).
        `terms`: how many codes there are.
        """
        self._invert()
        sums = np.zeros(len(self._lists), dtype=np.int32)
        for run in self._runs:
            known = codes < run.terms
            sums[run.start : run.stop] = run.by_term[:, codes[known]] @ weights[known]
        inverted = self._runs[-1].stop if self._runs else 0
        ends = self._lists.ends[inverted:]
        if len(ends) > 1:
            weight_of = np.zeros(terms, dtype=np.int32)
            weight_of[codes] = weights
            tail = slice(ends[0], ends[-1])
            products = weight_of[self._lists["codes"][tail]] * self._lists["values"][tail]
            running = np.concatenate([[0], np.cumsum(products, dtype=np.int64)])
            sums[inverted:] = np.diff(running[ends - ends[0]])
        return sums

    def _invert(self) -> None:
        """Inverts the tail, once it is long enough, with the short runs before it."""
        stop = len(self._lists)
        start = self._runs[-1].stop if self._runs else 0
        if stop - start < TAIL:
            return
        while self._runs and (stop - start) * _GROWTH >= self._runs[-1].stop - self._runs[-1].start:
            start = self._runs.pop().start
        ends = self._lists.ends[start : stop + 1]
        part = slice(ends[0], ends[-1])
        codes = self._lists["codes"][part]
        width = int(codes.max()) + 1 if len(codes) else 1
        by_record = csr_array(
            (self._lists["values"][part], codes.astype(np.int32), ends - ends[0]), (stop - start, width)
        )
        self._runs.append(_Run(start, stop, width, by_record.tocsc()))
