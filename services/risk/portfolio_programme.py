"""A mixed-integer programme that grows: which projects are worth most under linear constraints, solved by HiGHS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from services.risk.draws import Array

Chosen = NDArray[np.bool_]

GAP = 1e-3
"""Relative: a choice that is proven to be within this of the best one is good enough."""
_LIMIT, _IMPOSSIBLE = 1, 2
"""What scipy's milp calls ending at a limit, and a problem without a solution."""


@dataclass(frozen=True, slots=True)
class Solution:
    """`weights`: how much of each project, None if none was found; `bound` on their worth; nodes searched."""

    weights: Array | None
    bound: float
    nodes: int
    is_impossible: bool = False


class Programme:
    """Chooses among m projects, each in or out, for the highest sum of `worth` under constraints added one by one."""

    def __init__(self, worth: Array) -> None:
        self._worth = worth
        self._rows: list[Array] = []
        self._ends: list[float] = []
        self._first = 0

    def keep_all(self) -> None:
        """What was added so far is never forgotten."""
        self._first = len(self._rows)

    def add(self, row: Array, end: float) -> None:
        """The sum of `row` over what is chosen stays at or below `end`."""
        self._rows.append(row)
        self._ends.append(end)

    def forget_slack(self, weights: Array) -> None:
        """Drops constraints of which `weights` use less than 99 %: they cost time, and are added again where needed."""
        near = [row @ weights >= end - 0.01 for row, end in zip(self._rows, self._ends, strict=True)]
        kept = [index for index, is_near in enumerate(near) if is_near or index < self._first]
        self._rows, self._ends = [self._rows[index] for index in kept], [self._ends[index] for index in kept]

    def exclude(self, chosen: Chosen) -> None:
        """Any other choice than exactly this one."""
        self.add(np.where(chosen, 1.0, -1.0), float(chosen.sum()) - 1.0)

    def solve_in_parts(self) -> tuple[Array, float]:
        """How much of each project where parts can be had, and what it is worth. Raises ArithmeticError."""
        found = self._run(0, self._rows, self._ends, {})
        if found.x is None:
            raise ArithmeticError(f"the solver gave no choice: {found.message}")
        return found.x, -float(found.fun)

    def solve(self, nodes: int, better_than: float) -> Solution:
        """Whole projects that are worth more than `better_than` by `GAP`. Raises ArithmeticError."""
        rows, ends = [*self._rows, -self._worth], [*self._ends, -better_than * (1 + GAP)]
        found = self._run(1, rows, ends, {"mip_rel_gap": GAP, "node_limit": nodes})
        if found.status == _IMPOSSIBLE:
            return Solution(None, np.inf, 0, is_impossible=True)
        if found.x is None and found.status != _LIMIT:
            raise ArithmeticError(f"the solver gave no choice: {found.message}")
        weights = None if found.x is None else np.rint(found.x)
        bound = np.inf if found.mip_dual_bound is None else -float(found.mip_dual_bound)
        return Solution(weights, bound, int(found.mip_node_count or 0))

    def _run(self, whole: int, rows: Sequence[Array], ends: Sequence[float], options: dict[str, float]) -> Any:
        return milp(
            -self._worth,
            integrality=np.full(len(self._worth), whole),
            bounds=Bounds(0, 1),
            constraints=LinearConstraint(np.array(rows), ub=cast(Any, np.array(ends))),
            options=options,
        )
