"""Many projects in draws that they share: independent of each other, but for what their field has in common."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import cache, partial

import numpy as np
from scipy.special import ndtr, ndtri

from services.risk.by_draw import ByDraw, by_draw
from services.risk.draws import Array, columns, draws_from, sobol
from services.risk.project import Case
from services.risk.shared_model import SharedModel
from services.risk.stages import gates_ahead

_SMALLEST = 2.0**-53


def projects_by_draw(model: SharedModel, projects: Sequence[tuple[str, Case]]) -> Iterator[ByDraw]:
    """Each project, named by an id that nothing else has, in the same `model.draws` draws.

    The normal variate behind every uncertain quantity of a project is sqrt(r) times one that all projects of its field
    share, plus sqrt(1 - r) times its own, with r the model's `field_correlation`. The quantities of one project stay
    independent of each other, so that it fares as in its assessment. Every variate is the model's own Sobol sequence
    in an order that follows from model, id and quantity alone: whatever else is in the portfolio changes nothing.
    A project without a field shares nothing.
    """
    points = ndtri(sobol(model))
    names = columns(model)
    shared = model.field_correlation.value
    narrow = cache(partial(_narrowed, model))
    fields: dict[str, Array] = {}
    for id, case in projects:
        normal = _reordered(points, model, f"project {id}")
        if case.field is not None and shared > 0:
            if case.field not in fields:
                fields[case.field] = _reordered(points, model, f"field {case.field}")
            normal = np.sqrt(shared) * fields[case.field] + np.sqrt(1 - shared) * normal
        narrowed = narrow(case.trl, case.field)
        taken = [names.index(name) for name in columns(narrowed)]
        uniforms = np.clip(ndtr(normal[:, taken]), _SMALLEST, 1 - _SMALLEST)
        yield by_draw(narrowed, draws_from(narrowed, uniforms), case)


def _reordered(points: Array, model: SharedModel, name: str) -> Array:
    """`points` (n, d) with the draws in another order."""
    seed = hashlib.sha256(f"{model.version} {model.seed} {name}".encode()).digest()
    generator = np.random.Generator(np.random.PCG64(int.from_bytes(seed[:16], "big")))
    return points[generator.permutation(len(points))]


def _narrowed(model: SharedModel, trl: int | None, field: str | None) -> SharedModel:
    """With only the gates ahead and the priors that hold, because each prior costs milliseconds to draw from."""
    gates = [model.gates[position] for position in gates_ahead(model, trl)]
    held = [(gate, gate.success[gate.prior(trl, field)]) for gate in gates]
    return model.model_copy(
        update={"gates": tuple(gate.model_copy(update={"success": (prior,)}) for gate, prior in held)}
    )
