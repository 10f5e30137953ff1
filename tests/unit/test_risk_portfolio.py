"""The choice among projects is the best one that budget and limit permit, on all draws, and says how sure that is."""

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from services.risk.distribution import describe
from services.risk.portfolio import Candidates, choose
from services.risk.portfolio_tail import Tail, cvar95, marginal

Array = NDArray[np.float64]


def candidates(count: int, draws: int, seed: int, groups: tuple[tuple[int, ...], ...] = ()) -> Candidates:
    """Projects that fail more often than not and pay for it where they do not."""
    random = np.random.default_rng(seed)
    size = random.lognormal(0, 0.7, (count, 1)) * 1e7
    wins = random.random((count, draws)) < random.uniform(0.2, 0.45, (count, 1))
    value = np.where(wins, size * random.uniform(2, 5, (count, 1)), -size * random.uniform(0.3, 1, (count, draws)))
    return Candidates(value, size[:, 0] * 1.2, groups)


def best_of_all(given: Candidates, budget: float, limit: float) -> float:
    """By trying every choice there is."""
    best = 0.0
    for size in range(1, len(given.value) + 1):
        for chosen in combinations(range(len(given.value)), size):
            together = given.value[list(chosen)].sum(axis=0)
            if given.outlay[list(chosen)].sum() > budget or cvar95(together) > limit:
                continue
            if any(len(set(group) & set(chosen)) > 1 for group in given.groups):
                continue
            best = max(best, float(together.mean()))
    return best


def rockafellar_uryasev(given: Candidates, budget: float, limit: float) -> float:
    """The textbook programme: a threshold, and for each draw what it loses beyond that."""
    count, draws = given.value.shape
    scale = 1e7
    costs = np.concatenate([-given.value.mean(axis=1) / scale, np.zeros(1 + draws)])
    beyond = np.hstack([-given.value.T / scale, -np.ones((draws, 1)), -np.eye(draws)])
    tail = np.concatenate([np.zeros(count), [1.0], np.full(draws, 1 / (0.05 * draws))])
    outlay = np.concatenate([given.outlay / scale, np.zeros(1 + draws)])
    found = milp(
        costs,
        integrality=np.concatenate([np.ones(count), np.zeros(1 + draws)]),
        bounds=Bounds(
            np.concatenate([np.zeros(count), [-np.inf], np.zeros(draws)]),  # pyright: ignore[reportArgumentType]
            np.concatenate([np.ones(count), np.full(1 + draws, np.inf)]),  # pyright: ignore[reportArgumentType]
        ),
        constraints=[
            LinearConstraint(beyond, ub=np.zeros(draws)),  # pyright: ignore[reportArgumentType]
            LinearConstraint(np.vstack([tail, outlay]), ub=np.array([limit / scale, budget / scale])),  # pyright: ignore[reportArgumentType]
        ],
    )
    return -float(found.fun) * scale


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("tightness", [0.05, 0.15, 0.4])
def test_no_permitted_choice_is_better(seed: int, tightness: float) -> None:
    given = candidates(9, 512, seed, groups=((0, 1, 2), (2, 3)))
    budget, limit = 0.5 * given.outlay.sum(), tightness * given.outlay.sum()
    found = choose(given, budget, limit)
    best = best_of_all(given, budget, limit)
    assert found.expected == pytest.approx(best, rel=1.5e-3)
    assert found.bound >= best * (1 - 1e-9)
    together = given.value[found.chosen].sum(axis=0)
    assert cvar95(together) <= limit * (1 + 1e-9)
    assert given.outlay[found.chosen].sum() <= budget * (1 + 1e-9)
    assert found.chosen[[0, 1, 2]].sum() <= 1
    assert found.chosen[[2, 3]].sum() <= 1


@pytest.mark.parametrize("seed", range(2))
def test_it_is_the_choice_of_the_textbook_programme(seed: int) -> None:
    given = candidates(10, 100, seed)
    budget, limit = 0.4 * given.outlay.sum(), 0.1 * given.outlay.sum()
    assert choose(given, budget, limit).expected == pytest.approx(rockafellar_uryasev(given, budget, limit), rel=2e-3)


def test_two_hundred_candidates_are_chosen_from_with_a_small_proven_gap() -> None:
    given = candidates(200, 4096, 1)
    budget, limit = 0.2 * given.outlay.sum(), 0.02 * given.outlay.sum()
    found = choose(given, budget, limit)
    assert found.chosen.sum() > 10
    assert cvar95(given.value[found.chosen].sum(axis=0)) <= limit * (1 + 1e-9)
    assert (found.bound - found.expected) / found.bound < 0.02


def test_an_exact_fit_into_the_budget_is_permitted() -> None:
    value = np.array([[5.0], [5.0], [1.0]]) * np.ones(64)
    found = choose(Candidates(value, np.array([30.0, 20.0, 1.0])), 50.0, 100.0)
    assert found.chosen.tolist() == [True, True, False]


def test_what_pays_where_the_others_lose_makes_room_for_them() -> None:
    bad = np.zeros(100)
    bad[:10] = 1.0
    loses = 10.0 - 60.0 * bad
    insures = 1.0 + 40.0 * bad
    given = Candidates(np.array([loses, insures]), np.array([1.0, 1.0]))
    assert choose(given, 1.0, 12.0).chosen.tolist() == [False, True]
    assert choose(given, 2.0, 12.0).chosen.tolist() == [True, True]


@pytest.mark.parametrize(("budget", "limit"), [(0.0, 1e9), (1e9, 0.0)])
def test_without_room_nothing_is_chosen(budget: float, limit: float) -> None:
    given = candidates(6, 256, 4)
    found = choose(given, budget, limit)
    assert not found.chosen.any()
    assert found.expected == 0.0


def test_there_may_be_no_candidates() -> None:
    assert choose(Candidates(np.zeros((0, 64)), np.zeros(0)), 1.0, 1.0).expected == 0.0


def test_the_same_input_gives_the_same_choice() -> None:
    given = candidates(10, 512, 2)
    first, second = (choose(given, 6e7, 2e7) for _ in range(2))
    assert first.chosen.tolist() == second.chosen.tolist()
    assert first.bound == second.bound


def test_the_tail_is_the_one_of_an_assessment() -> None:
    value = np.random.default_rng(5).standard_normal(4096) * 1e6
    assert cvar95(value) == pytest.approx(float(describe(value[np.newaxis, :]).cvar95[0]), rel=1e-12)
    assert Tail(value).weights.sum() == pytest.approx(1.0)


def test_what_each_adds_is_the_difference_with_and_without_it() -> None:
    given = candidates(5, 512, 7)
    chosen = np.array([True, False, True, False, False])
    changes = marginal(given.value, chosen)
    now = cvar95(given.value[[0, 2]].sum(axis=0))
    assert changes[0] == pytest.approx(cvar95(given.value[2]) - now)
    assert changes[1] == pytest.approx(cvar95(given.value[[0, 1, 2]].sum(axis=0)) - now)
