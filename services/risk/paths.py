"""One way to production together with its draws: what all projects that start at the same readiness share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.risk.distribution import sorted_quantile
from services.risk.draws import Array, Draws, Driver
from services.risk.shared_model import SharedModel
from services.risk.stages import Stage, path_to_production


@dataclass(frozen=True, slots=True)
class Path:
    """The stages ahead (k of them) and what the draws say about them. Months are those of the model.

    A project whose plan names its months runs the same path slower or faster by one factor, `stretch`.
    """

    stages: tuple[Stage, ...]
    p_success: float
    """Of all stages: the product of the prior means."""
    passed: tuple[Array, ...]
    """k + 1 arrays (n,): 1.0 where every stage before the k-th was passed; the first is all ones."""
    months_before: tuple[Array, ...]
    """k + 1 arrays (n,): months from now until the stage begins; the last one: until production begins."""
    months: tuple[Array, ...]
    """k arrays (n,): duration of each stage."""
    months_to_production: Array
    """P10, P50 and P90, whether or not production is reached."""
    columns: Array
    """(n, q): the columns of all drivers, side by side."""
    drivers: tuple[tuple[str, slice], ...]
    """Name of each driver and where its columns are."""


def path_with_draws(model: SharedModel, draws: Draws, trl: int | None) -> Path:
    """The path of projects that start at `trl`."""
    stages = path_to_production(model, trl)
    months = tuple(stage.months * draws.months_factor[stage.position] for stage in stages)
    passed, before = [np.ones(draws.n)], [np.zeros(draws.n)]
    for stage, duration in zip(stages, months, strict=True):
        passed.append(passed[-1] * draws.passed[stage.position][stage.prior_position])
        before.append(before[-1] + duration)
    drivers: list[Driver] = [draws.success_drivers[stage.position][stage.prior_position] for stage in stages]
    drivers += [draws.months_drivers[stage.position] for stage in stages]
    drivers += draws.money_drivers
    ends = np.cumsum([driver.columns.shape[1] for driver in drivers]).tolist()
    return Path(
        stages=stages,
        p_success=float(np.prod([stage.prior.mean for stage in stages])),
        passed=tuple(passed),
        months_before=tuple(before),
        months=months,
        months_to_production=np.array([sorted_quantile(np.sort(before[-1]), q) for q in (0.1, 0.5, 0.9)]),
        columns=np.ascontiguousarray(np.hstack([driver.columns for driver in drivers])),
        drivers=tuple(
            (driver.name, slice(end - driver.columns.shape[1], end)) for driver, end in zip(drivers, ends, strict=True)
        ),
    )
