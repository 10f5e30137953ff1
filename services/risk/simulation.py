"""Monte Carlo over stage success, durations and costs for a batch of projects: the figures of an assessment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from statistics import NormalDist

import numpy as np

from services.risk.cash_flow import MoneyColumns, net_present_value
from services.risk.distribution import TOGETHER, describe, variance_shares
from services.risk.draws import Array, draw
from services.risk.drivers import Drivers
from services.risk.paths import Path, path_with_draws
from services.risk.project import Case
from services.risk.shared_model import SharedModel
from services.risk.stages import priors_ahead, stretch

DIGITS = 9
SMALLEST_SHARE = 0.002
"""A driver that explains less than this is left out."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """10th, 50th and 90th percentile."""

    p10: float
    p50: float
    p90: float


@dataclass(frozen=True, slots=True)
class StageFigures:
    """A stage still ahead: `p_success` given that it is reached, its months."""

    name: str
    p_success: float
    months: Quantiles


@dataclass(frozen=True, slots=True)
class Figures:
    """What the model says about one project; money in units of the project's currency, rounded to 9 digits."""

    stages: tuple[StageFigures, ...]
    p_success: float
    npv: Quantiles
    npv_mean: float
    p_loss: float
    var95: float
    cvar95: float
    option_value: float
    committed: float
    """Expected net present value without the freedom to stop."""
    months_to_production: Quantiles
    drivers: tuple[tuple[str, float], ...]
    prior_weight: float
    outcomes: int
    """Reported outcomes behind the chances of success."""


class Simulation:
    """The model's draws, ready to be applied to any number of projects. Safe to use from several threads."""

    def __init__(self, model: SharedModel) -> None:
        self.model = model
        self.draws = draw(model)
        self._path = cache(partial(path_with_draws, model, self.draws, Drivers(self.draws)))
        spread = math.exp(model.months_log_sd.value * NormalDist().inv_cdf(0.9))
        self._around_median = np.array([1 / spread, 1.0, spread])

    def run(self, cases: Sequence[Case]) -> list[Figures]:
        """Figures of every case, in the same order; those of one case do not depend on the others."""
        by_path: dict[tuple[int | None, tuple[int, ...]], list[int]] = {}
        for position, case in enumerate(cases):
            priors = priors_ahead(self.model, case.trl, case.field)
            by_path.setdefault((case.trl, priors), []).append(position)
        figures: dict[int, Figures] = {}
        for (trl, priors), positions in by_path.items():
            for first in range(0, len(positions), TOGETHER):
                together = positions[first : first + TOGETHER]
                results = self._run_together(self._path(trl, priors), [cases[position] for position in together])
                figures.update(zip(together, results, strict=True))
        return [figures[position] for position in range(len(cases))]

    def _run_together(self, path: Path, cases: list[Case]) -> list[Figures]:
        stretches = np.array([[stretch(self.model, case.trl, case.planned_months)] for case in cases])
        monies = MoneyColumns.of([case.money for case in cases])
        value = net_present_value(self.model, self.draws, path, monies, stretches)
        npv = describe(value.by_draw)
        scale = np.array([case.money.largest for case in cases])
        amounts = scale * np.stack(
            [npv.p10, npv.p50, npv.p90, npv.mean, npv.var95, npv.cvar95, value.option_value, value.committed]
        )
        shares = variance_shares(value.by_draw, path.columns)
        drivers = np.stack([shares[:, columns].sum(axis=1) for _, columns in path.drivers], axis=1)
        # What a record does not give, or gives as one number, drives nothing; only noise would say otherwise.
        drivers[:, -monies.uncertain.shape[1] :] *= monies.uncertain
        months = np.array([[stage.months] for stage in path.stages]) * self._around_median
        rows = zip(
            significant(amounts.T).tolist(),
            significant(drivers).tolist(),
            significant(stretches * path.months_to_production).tolist(),
            significant(stretches[:, :, None] * months).tolist(),
            npv.p_loss.tolist(),
            strict=True,
        )
        return [_figures(path, *row) for row in rows]


def _figures(
    path: Path,
    amounts: list[float],
    drivers: list[float],
    months_to_production: list[float],
    months: list[list[float]],
    p_loss: float,
) -> Figures:
    p10, p50, p90, mean, var95, cvar95, option_value, committed = amounts
    named = [(name, min(share, 1.0)) for (name, _), share in zip(path.drivers, drivers, strict=True)]
    return Figures(
        stages=tuple(
            StageFigures(stage.gate.name, stage.prior.mean, Quantiles(*each))
            for stage, each in zip(path.stages, months, strict=True)
        ),
        p_success=path.p_success,
        npv=Quantiles(p10, p50, p90),
        npv_mean=mean,
        p_loss=p_loss,
        var95=var95,
        cvar95=cvar95,
        option_value=option_value,
        committed=committed,
        months_to_production=Quantiles(*months_to_production),
        drivers=tuple(sorted((each for each in named if each[1] >= SMALLEST_SHARE), key=lambda each: -each[1])),
        prior_weight=sum(stage.prior.prior_weight for stage in path.stages),
        outcomes=sum(stage.prior.outcomes for stage in path.stages),
    )


def significant(values: Array) -> Array:
    """Rounded to 9 significant digits, to which figures are the same on every machine."""
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
    exponent = np.where(np.isfinite(exponent), exponent, 0.0)
    # Powers of ten up to 22 are exact, so that each figure is the double nearest to its 9 digits.
    digits = np.clip(DIGITS - 1 - exponent, -22, 22)
    return np.where(
        digits >= 0,
        np.rint(values * 10.0 ** np.maximum(digits, 0)) / 10.0 ** np.maximum(digits, 0),
        np.rint(values / 10.0 ** np.maximum(-digits, 0)) * 10.0 ** np.maximum(-digits, 0),
    )
