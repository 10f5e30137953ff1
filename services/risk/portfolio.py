"""Which of many projects to choose: expected value under a budget and a limit on the mean loss of the worst 5 %."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.risk.draws import Array
from services.risk.portfolio_programme import GAP, Chosen, Programme
from services.risk.portfolio_tail import Tail, cvar95

MOST_WORK = 16_000
"""Of the search, in projects times nodes of its tree, at least twenty nodes for each run of the solver; then the best
choice found stands, with the gap that is left."""
_MOST_ROUNDS_IN_PARTS = 60
_PARTS = (0.9, 0.5, 0.1)
"""More than so much of a project in the solution in parts makes it one to begin with."""
_TRIED = 10
"""Moves looked at on all draws."""
_TOLERANCE = 1e-6
"""Of the solver, for each constraint scaled to about one."""
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Candidates:
    """m projects over n draws that they share, in units of one currency; row i belongs to project i."""

    value: Array
    """Net present value (m, n)."""
    outlay: Array
    """(m,): what the budget has to hold if it is chosen; >= 0."""
    groups: tuple[tuple[int, ...], ...] = ()
    """Of each group at most one can be chosen."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen; `bound` is what no permitted choice can exceed in expected value."""

    chosen: Chosen
    expected: float
    bound: float
    rounds: int


def choose(candidates: Candidates, budget: float, cvar_limit: float) -> Choice:
    """The choice of the highest expected value whose outlay is within the budget and whose CVaR 95 within the limit.

    Rockafellar and Uryasev (2000) write the limit as linear constraints with one variable for each draw. Their dual
    form (Kuenzi-Bay and Mayer 2006) says the same without those variables: the mean loss over *every* 5 % of the draws
    stays within the limit. Of these constraints only those are added that a solution so far violates, first to the
    problem without whole numbers, then to the whole one. So the limit holds on all draws, and none is left out. What
    the solver finds is improved by exchanges, and it is asked only for what is better. `budget` and `cvar_limit` are at
    least 0, so that choosing nothing is always permitted. No clock decides: the same input gives the same choice.
    Raises ArithmeticError if the solver fails.
    """
    if not len(candidates.value):
        return Choice(np.zeros(0, dtype=bool), 0.0, 0.0, 0)
    rules = _Rules(candidates, budget, cvar_limit)
    value, means = candidates.value, rules.means
    unit = cvar_limit or rules.scale
    programme = Programme(means / rules.scale)
    programme.add(candidates.outlay / (budget or rules.scale), budget / (budget or rules.scale))
    for group in candidates.groups:
        programme.add(np.isin(np.arange(len(means)), group).astype(float), 1.0)
    programme.keep_all()

    weights, bound = _in_parts(programme, candidates.value, cvar_limit, unit)
    # The solution in parts ranks the projects: what it wants most comes first.
    order = np.lexsort((-means, -np.round(weights, 6)))
    beginnings = [*(weights > part for part in _PARTS), *rules.many_small()]
    best = max((rules.made_of(beginning, order) for beginning in beginnings), key=rules.worth)
    bound, rounds = bound * rules.scale, 0
    nodes_left = MOST_WORK // max(len(means), 1)
    while nodes_left > 0:
        rounds += 1
        expected = rules.worth(best)
        found = programme.solve(nodes_left, expected / rules.scale)
        nodes_left -= max(found.nodes, 20)
        if found.is_impossible:
            return Choice(best, expected, min(bound, expected * (1 + GAP)), rounds)
        # The solver was asked for better choices alone, so the one at hand is a bound as well.
        bound = min(bound, max(found.bound * rules.scale, expected * (1 + GAP)))
        if found.weights is None:
            break
        chosen = found.weights > 0.5
        tail = Tail(found.weights @ value)
        if float(tail.loss(found.weights @ value)) - cvar_limit > _TOLERANCE * unit:
            programme.add(tail.loss(value) / unit, cvar_limit / unit)
        else:
            programme.exclude(chosen)
        best = max(best, rules.made_of(chosen, order), key=rules.worth)
    return Choice(best, rules.worth(best), bound, rounds)


def _in_parts(programme: Programme, value: Array, cvar_limit: float, unit: float) -> tuple[Array, float]:
    """How much of each project the best choice has where projects can be had in part, and the bound that it gives."""
    weights, bound = programme.solve_in_parts()
    for _ in range(_MOST_ROUNDS_IN_PARTS):
        together = weights @ value
        tail = Tail(together)
        if float(tail.loss(together)) - cvar_limit <= _TOLERANCE * unit:
            break
        programme.add(tail.loss(value) / unit, cvar_limit / unit)
        weights, bound = programme.solve_in_parts()
    programme.forget_slack(weights)
    return weights, bound


class _Rules:
    """What is permitted, and how to make of one choice a better one by putting in and exchanging projects."""

    def __init__(self, candidates: Candidates, budget: float, cvar_limit: float) -> None:
        self._candidates, self._budget, self._limit = candidates, budget * (1 + _ROUNDING), cvar_limit
        self.means: Array = candidates.value.mean(axis=1)
        self.scale = float(np.abs(candidates.value).max(initial=0.0)) or 1.0
        everyone = np.arange(len(self.means))
        self._groups = np.array([np.isin(everyone, group) for group in candidates.groups], dtype=np.intp)

    def permits(self, chosen: Chosen) -> bool:
        """Whether budget, groups and limit hold."""
        return bool(
            self._candidates.outlay[chosen].sum() <= self._budget
            and not self._crowded(chosen).any()
            and cvar95(self._total(chosen)) <= self._limit
        )

    def worth(self, chosen: Chosen) -> float:
        """Expected value of a choice."""
        return float(self.means[chosen].sum())

    def made_of(self, chosen: Chosen, order: NDArray[np.intp]) -> Chosen:
        """A permitted choice that begins with `chosen`, as good as leaving out, filling up and exchanging make it."""
        return self.improved(self.filled(self._reduced(chosen), order))

    def many_small(self) -> Iterator[Chosen]:
        """The budget spent without a look at the limit: on the smallest, and on the least tail for what they bring.

        Many small ones lose little together where each of them alone would lose more than the limit.
        """
        gains = self.means > 0
        own = np.array([cvar95(row) for row in self._candidates.value])
        for order in (self._candidates.outlay, own / np.maximum(self.means, _ROUNDING)):
            ranked = np.argsort(np.where(gains, order, np.inf), kind="stable")
            fits = np.cumsum(np.where(gains, self._candidates.outlay, np.inf)[ranked]) <= self._budget
            chosen = np.zeros_like(gains)
            chosen[ranked[fits]] = True
            yield chosen

    def _reduced(self, chosen: Chosen) -> Chosen:
        """Without those that bring least for what they take, until budget and groups hold, then the limit."""
        kept = chosen.copy()
        outlay = self._candidates.outlay
        while (crowded := self._crowded(kept)).any():
            kept[int(np.argmin(np.where(crowded, self.means, np.inf)))] = False
        while outlay[kept].sum() > self._budget:
            kept[int(np.argmin(np.where(kept, self.means / np.maximum(outlay, _ROUNDING), np.inf)))] = False
        while kept.any() and not self.permits(kept):
            eased = self._eased(kept)
            if cvar95(self._total(eased)) >= cvar95(self._total(kept)):
                losses = Tail(self._total(kept)).loss(self._candidates.value)
                worth = self.means / np.maximum(losses / self.scale, _ROUNDING)
                eased = kept.copy()
                eased[int(np.argmin(np.where(kept, worth, np.inf)))] = False
            kept = eased
        return kept

    def _eased(self, kept: Chosen) -> Chosen:
        """After the best entry, exit or exchange of those that promise most for the draws that are the worst now."""
        total, value, outlay = self._total(kept), self._candidates.value, self._candidates.outlay
        losses = Tail(total).loss(value)
        enters, leaves = np.flatnonzero(~kept & ~self._crowded_with(kept)), np.flatnonzero(kept)
        # The last row stands for no entry, the last column for no exit.
        change = np.append(losses[enters], 0.0)[:, None] - np.append(losses[leaves], 0.0)
        more = np.append(outlay[enters], 0.0)[:, None] - np.append(outlay[leaves], 0.0)
        change[more > self._budget - outlay[kept].sum()] = np.inf
        best, best_loss = kept, np.inf
        for position in np.argsort(change, axis=None, kind="stable")[:_TRIED].tolist():
            enter, leave = divmod(position, change.shape[1])
            entering, leaving = enters[enter : enter + 1], leaves[leave : leave + 1]
            loss = cvar95(total + value[entering].sum(axis=0) - value[leaving].sum(axis=0))
            if loss < best_loss:
                best, best_loss = kept.copy(), loss
                best[entering], best[leaving] = True, False
        return best

    def _total(self, chosen: Chosen) -> Array:
        return self._candidates.value[chosen].sum(axis=0)

    def _crowded(self, chosen: Chosen) -> Chosen:
        """Those that share a group with another that is chosen."""
        if not self._groups.size:
            return np.zeros_like(chosen)
        return np.logical_and(chosen, self._groups[self._groups @ chosen > 1].any(axis=0))

    def _crowded_with(self, chosen: Chosen) -> Chosen:
        """Those of whose group one is chosen."""
        if not self._groups.size:
            return np.zeros_like(chosen)
        return np.asarray(self._groups[self._groups @ chosen > 0].any(axis=0), dtype=np.bool_)

    def filled(self, chosen: Chosen, order: Sequence[int] | NDArray[np.intp]) -> Chosen:
        """With every project of `order` that gains on average and is still permitted when its turn comes."""
        for project in order:
            if self.means[project] > 0 and not chosen[project]:
                more = chosen.copy()
                more[project] = True
                chosen = more if self.permits(more) else chosen
        return chosen

    def improved(self, chosen: Chosen) -> Chosen:
        """After all exchanges of one project for a better one, each followed by filling up, until none helps."""
        by_mean = np.argsort(-self.means, kind="stable")
        while True:
            better = next(self._exchanges(chosen, by_mean), None)
            if better is None:
                return chosen
            chosen = self.filled(better, by_mean)

    def _exchanges(self, chosen: Chosen, by_mean: NDArray[np.intp]) -> Iterator[Chosen]:
        for enters in by_mean[~chosen[by_mean]]:
            for leaves in by_mean[chosen[by_mean]]:
                if self.means[enters] > self.means[leaves] * (1 + _ROUNDING) and self.means[enters] > 0:
                    other = chosen.copy()
                    other[enters], other[leaves] = True, False
                    if self.permits(other):
                        yield other
