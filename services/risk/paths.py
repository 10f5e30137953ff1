"""One way to production together with its draws: what all projects on it share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.risk.distribution import sorted_quantile
from services.risk.draws import Array, Draws
from services.risk.drivers import Drivers
from services.risk.shared_model import SharedModel
from services.risk.stages import Stage, stages_with


@dataclass(frozen=True, slots=True)
class Path:
    """The stages ahead (k of them) and what the draws say about them. Months are those of the model.

    A project whose plan names its months runs the same path slower or faster by one factor, `stretch`.
    """

    stages: tuple[Stage, ...]
    p_success: float
    """Of all stages: the product of the prior means."""
    prior_weight: float
    """Of all stages: outcomes that the priors weigh as much as."""
    outcomes: int
    """Of all stages: reported outcomes behind the chances."""
    passed: tuple[Array, ...]
    """k + 1 arrays (n,): 1.0 where every stage before the k-th was passed; the first is all ones."""
    reach: tuple[Array, ...]
    """k + 1 arrays (n,): the probability of that, given the chances drawn."""
    cost_passed: tuple[Array, ...]
    """k arrays (n,): the share of the capital that each stage takes, zero where it is not reached."""
    cost_reached: tuple[Array, ...]
    """k arrays (n,): that share times the probability of reaching the stage."""
    months: tuple[Array, ...]
    """k arrays (n,): duration of each stage."""
    months_to_production: Array
    """P10, P50 and P90, whether or not production is reached."""
    columns: Array
    """(n, q): the columns of all drivers, side by side."""
    drivers: tuple[tuple[str, slice], ...]
    """Name of each driver and where its columns are."""


def path_with_draws(
    model: SharedModel, draws: Draws, drivers: Drivers | None, trl: int | None, priors: tuple[int, ...]
) -> Path:
    """The path of projects that start at `trl` and for which these priors hold; without drivers it has no columns."""
    stages = stages_with(model, trl, priors)
    months = tuple(stage.months * draws.months_factor[stage.position] for stage in stages)
    chances = chances_of_those_that_arrive(draws, stages, bool(model.correlations))
    gate_passed = [
        (draws.luck[stage.position] < chance).astype(np.float64) for stage, chance in zip(stages, chances, strict=True)
    ]
    passed, reach = [np.ones(draws.n)], [np.ones(draws.n)]
    for this_passed, chance in zip(gate_passed, chances, strict=True):
        passed.append(passed[-1] * this_passed)
        reach.append(reach[-1] * chance)
    in_order = np.sort(sum(months, np.zeros(draws.n)))
    on_path = drivers.of_path(stages, gate_passed) if drivers else []
    ends = np.cumsum([driver.columns.shape[1] for driver in on_path]).tolist()
    return Path(
        stages=stages,
        p_success=float(np.prod([stage.prior.mean for stage in stages])),
        prior_weight=sum(stage.prior.prior_weight for stage in stages),
        outcomes=sum(stage.prior.outcomes for stage in stages),
        passed=tuple(passed),
        reach=tuple(reach),
        cost_passed=tuple(stage.cost_share * row for stage, row in zip(stages, passed[:-1], strict=True)),
        cost_reached=tuple(stage.cost_share * row for stage, row in zip(stages, reach[:-1], strict=True)),
        months=months,
        months_to_production=np.array([sorted_quantile(in_order, q) for q in (0.1, 0.5, 0.9)]),
        columns=np.hstack([driver.columns for driver in on_path] or [np.empty((draws.n, 0))]),
        drivers=tuple(
            (driver.name, slice(end - driver.columns.shape[1], end)) for driver, end in zip(on_path, ends, strict=True)
        ),
    )


def chances_of_those_that_arrive(draws: Draws, stages: tuple[Stage, ...], dependent: bool) -> list[Array]:
    """The chance of passing each gate, draw by draw, such that a prior's mean holds among those that reach its gate.

    That is what priors and outcomes are about: nobody sees whether a project would have passed a gate that it did not
    reach. Where chances of different gates go together, those that arrive are better than those that set out, so
    that the drawn chances are lowered by the factor that makes up for it.
    """
    chances: list[Array] = []
    reach = np.ones(draws.n)
    for stage in stages:
        chance = draws.chance[stage.position][stage.prior_position]
        if dependent:
            chance = chance * (stage.prior.mean * reach.mean() / (reach * chance).mean())
        chances.append(chance)
        reach = reach * chance
    return chances
