"""The benchmark of exposure counts what it says it counts."""

from __future__ import annotations

import numpy as np
import pytest

from bench.exposure import FIRST, Market, gini, measured
from services.notify.showing import standing


def test_gini_is_nothing_where_all_are_alike_and_nearly_one_where_one_has_all() -> None:
    assert gini([3, 3, 3]) == gini([]) == gini([0, 0]) == 0
    assert gini([0] * 99 + [5]) == pytest.approx(0.99)
    assert gini([1, 3]) == pytest.approx(0.25)


def test_a_crowded_technology_makes_room_for_those_nearly_as_good() -> None:
    # Forty demands with one list: three that are best by a little, and four others.
    entries = [(id, 0.8 - id / 100) for id in range(7)]
    market = Market([entries] * 40, np.zeros(7, dtype=np.int64), frozenset())
    by_score = measured(market, lambda others, small: 0.0)
    assert (by_score["most_shown"], by_score["never_shown_first"]) == (40, round(4 / 7, 3))
    # All seven are proposed as often, so nothing tells them apart and nothing is moved.
    assert measured(market, standing) == by_score
    # Three more for each that nobody else has: they take the places once the usual three have many demands.
    lists = [[*entries[:FIRST], *((7 + FIRST * demand + place, 0.7) for place in range(FIRST))] for demand in range(40)]
    fresh = Market(lists, np.zeros(7 + 40 * FIRST, dtype=np.int64), frozenset())
    assert measured(fresh, lambda others, small: 0.0)["most_shown"] == 40
    assert measured(fresh, standing)["most_shown"] < 30
    assert (
        measured(fresh, standing)["gini_technologies"] < measured(fresh, lambda others, small: 0.0)["gini_technologies"]
    )
