"""Which of many projects to choose: expected value under a budget and a limit on the mean loss of the worst 5 %."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.risk.distribution import TAIL
from services.risk.draws import Array
from services.risk.portfolio_programme import GAP, Chosen, Programme

MOST_WORK = 8_000
"""Of the search, in projects times nodes of its tree, at least ten nodes for each run of the solver; then the best
choice found stands, with the gap that is left."""
_MOST_ROUNDS_IN_PARTS = 60
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


class Tail:
    """The worst 5 % of n draws with their weights, which add up to 1; where that is no whole number, one in part."""

    def __init__(self, value: Array) -> None:
        share = TAIL * len(value)
        count = max(1, int(np.ceil(share - _ROUNDING)))
        worst = np.argpartition(value, count - 1)[:count]
        self.draws: NDArray[np.intp] = worst[np.argsort(value[worst], kind="stable")]
        self.weights: Array = np.full(count, 1 / share)
        self.weights[-1] = 1 - (count - 1) / share

    def loss(self, value: Array) -> Array:
        """Mean loss of rows (..., n) over these draws; positive is a loss."""
        return -(value[..., self.draws] @ self.weights)


def cvar95(value: Array) -> float:
    """The mean loss of the worst 5 % of the draws (n,), as in an assessment; positive is a loss."""
    return float(Tail(value).loss(value))


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
    best = rules.improved(rules.filled(rules.within_limit(weights > 0.5), order))
    bound, rounds = bound * rules.scale, 0
    nodes_left = MOST_WORK // max(len(means), 1)
    while nodes_left > 0:
        rounds += 1
        expected = float(means[best].sum())
        found = programme.solve(nodes_left, expected / rules.scale)
        nodes_left -= max(found.nodes, 10)
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
        improved = rules.improved(rules.filled(rules.within_limit(chosen), order))
        best = max(best, improved, key=lambda choice: float(means[choice].sum()))
    return Choice(best, float(means[best].sum()), bound, rounds)


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
            and not (self._groups.size and (self._groups @ chosen > 1).any())
            and cvar95(self._candidates.value[chosen].sum(axis=0)) <= self._limit
        )

    def within_limit(self, chosen: Chosen) -> Chosen:
        """Without those that bring least for what they add to the worst draws, until everything holds."""
        kept = chosen.copy()
        while kept.any() and not self.permits(kept):
            losses = Tail(self._candidates.value[kept].sum(axis=0)).loss(self._candidates.value)
            worth = self.means / np.maximum(losses / self.scale, _ROUNDING)
            kept[int(np.argmin(np.where(kept, worth, np.inf)))] = False
        return kept

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


def marginal(value: Array, chosen: Chosen) -> Array:
    """(m,): what CVaR 95 would change by if each project were put in, or taken out where it is in."""
    together = value[chosen].sum(axis=0)
    now = cvar95(together)
    others = np.where(chosen[:, None], together - value, together + value)
    return np.array([cvar95(other) - now for other in others])
