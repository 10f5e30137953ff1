"""How the model's uncertain quantities move together: a Gaussian copula with one correlation for each two kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from services.risk.shared_model import Correlation, SharedModel

Array = NDArray[np.float64]

PER_GATE = frozenset({"months", "chance"})
"""Kinds of quantities that every gate has one of; the others are one for the project."""


def correlation_matrix(names: Sequence[str], correlations: Sequence[Correlation]) -> Array:
    """Correlations of the normal variates behind the quantities `names`, such as `months.pilot` or `capital`.

    One number holds for every two different quantities of the two kinds that it names, whichever gates they belong to.
    """
    between = {frozenset({each.of, each.with_}): each.value for each in correlations}
    kinds = [name.partition(".")[0] for name in names]
    matrix = np.array([[between.get(frozenset({one, other}), 0.0) for other in kinds] for one in kinds])
    np.fill_diagonal(matrix, 1.0)
    return matrix


def correlated_names(gates: Sequence[str], correlations: Sequence[Correlation]) -> list[str]:
    """The quantities that some correlation names, those of the whole project first."""
    named = {kind for each in correlations for kind in (each.of, each.with_)}
    kinds = sorted(named, key=lambda kind: (kind in PER_GATE, kind))
    return [name for kind in kinds for name in ([f"{kind}.{gate}" for gate in gates] if kind in PER_GATE else [kind])]


def dependent(model: SharedModel, normal: Mapping[str, Array]) -> dict[str, Array]:
    """Independent normal variates (n,) made dependent; quantities without a correlation are not among the result.

    Each is a sum over those before it in a fixed order (Cholesky), so that the first keep their own draws.
    """
    names = correlated_names([gate.name for gate in model.gates], model.correlations)
    if not names:
        return {}
    factor = np.linalg.cholesky(correlation_matrix(names, model.correlations))
    rows: dict[str, Array] = {}
    for position, name in enumerate(names):
        row = factor[position, position] * normal[name]
        for before in range(position):
            row = row + factor[position, before] * normal[names[before]]
        rows[name] = row
    return rows
