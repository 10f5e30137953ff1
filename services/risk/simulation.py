"""Monte Carlo over stage success, durations and costs for a batch of projects: the figures of an assessment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, partial
from statistics import NormalDist

import numpy as np

from services.risk.cash_flow import NetPresentValue, net_present_value
from services.risk.distribution import TOGETHER, describe, spread, variance_shares
from services.risk.draws import Array, draw
from services.risk.drivers import Drivers
from services.risk.figures import Figures, Quantiles, StageFigures, significant
from services.risk.missing_information import MONTHS, Variant, variants
from services.risk.money_rows import MoneyColumns, MoneyRow
from services.risk.paths import Path, path_with_draws
from services.risk.project import Case
from services.risk.shared_model import SharedModel
from services.risk.stages import priors_ahead, stretch
from services.risk.timeline import timeline
from shared.contracts.events import Precision

Key = tuple[int | None, tuple[int, ...]]
"""Of a path: the start, and which prior holds at each gate ahead."""

SMALLEST_SHARE = 0.002
"""A driver that explains less than this is left out."""
SMALLEST_NARROWING = 0.005
"""Information that narrows less than this, which is less than a percent to people, is left out."""
_QUARTER = 4
"""What is missing is told from the first quarter of the draws: a ratio of two spreads over the same draws."""
_LAST_DIGIT = 1e-13
"""Of the project's largest amount; below it a figure is what rounding has left of a difference."""


class Simulation:
    """The model's draws, ready to be applied to any number of projects. Safe to use from several threads."""

    def __init__(self, model: SharedModel) -> None:
        self.model = model
        self.draws = draw(model)
        drivers = Drivers(self.draws)
        quarter = self.draws.first(self.draws.n // _QUARTER)
        known = quarter.with_months_known()
        self._quarter = quarter
        self._path = cache(partial(path_with_draws, model, self.draws, drivers))
        self._quarter_path = cache(partial(path_with_draws, model, quarter, None))
        self._path_with_months_known = cache(partial(path_with_draws, model, known, None))
        wide = math.exp(model.months_log_sd.value * NormalDist().inv_cdf(0.9))
        self._around_median = np.array([1 / wide, 1.0, wide])

    def run(self, cases: Sequence[Case]) -> list[Figures]:
        """Figures of every case, in the same order; those of one case do not depend on the others."""
        by_path: dict[Key, list[int]] = {}
        for position, case in enumerate(cases):
            key = case.trl, priors_ahead(self.model, case.trl, case.field)
            by_path.setdefault(key, []).append(position)
        figures: dict[int, Figures] = {}
        for key, positions in by_path.items():
            for first in range(0, len(positions), TOGETHER):
                together = positions[first : first + TOGETHER]
                results = self._run_together(key, [cases[position] for position in together])
                figures.update(zip(together, results, strict=True))
        return [figures[position] for position in range(len(cases))]

    def _run_together(self, key: Key, cases: list[Case]) -> list[Figures]:
        path = self._path(*key)
        stretches = np.array([[stretch(self.model, case.trl, case.planned_months)] for case in cases])
        rows = [MoneyRow.of(case.money) for case in cases]
        money = MoneyColumns.of(rows)
        value = net_present_value(self.model, self.draws, path, timeline(self.model, path, stretches), money)
        narrowings = self._narrowings(key, cases, stretches, rows)
        shares = variance_shares(value.by_draw, path.columns)
        drivers = np.stack([shares[:, columns].sum(axis=1) for _, columns in path.drivers], axis=1)
        # What a record does not give, or gives as one number, drives nothing; only noise would say otherwise.
        drivers[:, -money.uncertain.shape[1] :] *= money.uncertain
        amounts, p_loss = _amounts(value, [case.money.largest for case in cases])
        months = np.array([[stage.months] for stage in path.stages]) * self._around_median
        columns = zip(
            amounts,
            p_loss,
            significant(drivers).tolist(),
            significant(stretches * path.months_to_production).tolist(),
            significant(stretches[:, :, None] * months).tolist(),
            narrowings,
            strict=True,
        )
        return [_figures(path, *each) for each in columns]

    def _narrowings(
        self, key: Key, cases: list[Case], stretches: Array, rows: list[MoneyRow]
    ) -> list[list[tuple[str, Precision, float]]]:
        """Of each case, by how much its P90 - P10 would shrink if a number were known better; most first."""
        path = self._quarter_path(*key)
        asked: list[tuple[int, Variant | None]] = [(project, None) for project in range(len(cases))]
        asked += [(project, variant) for project, row in enumerate(rows) for variant in variants(row)]
        project = np.array([project for project, _ in asked])
        money = MoneyColumns.of([variant.row if variant else rows[project] for project, variant in asked])
        times = timeline(self.model, path, stretches)
        widths = spread(net_present_value(self.model, self._quarter, path, times, money, project).by_draw)
        now = widths[: len(cases)]
        found: list[list[tuple[str, Precision, float]]] = [[] for _ in cases]
        narrowings = _narrowing(now[project], widths)
        for (owner, variant), narrowing in zip(asked, narrowings, strict=True):
            if variant and narrowing >= SMALLEST_NARROWING:
                found[owner].append((variant.field, variant.precision, narrowing))
        unplanned = np.flatnonzero([case.planned_months is None for case in cases])
        if len(unplanned):
            known = self._path_with_months_known(*key)
            times = timeline(self.model, known, stretches[unplanned])
            money = MoneyColumns.of([rows[project] for project in unplanned])
            widths = spread(net_present_value(self.model, self._quarter, known, times, money).by_draw)
            for owner, narrowing in zip(unplanned, _narrowing(now[unplanned], widths), strict=True):
                if narrowing >= SMALLEST_NARROWING:
                    found[owner].append((MONTHS, Precision.EXACT, narrowing))
        return [sorted(each, key=lambda information: -information[2]) for each in found]


def _narrowing(now: Array, then: Array) -> list[float]:
    shrunk = np.zeros_like(now)
    np.divide(now - then, now, out=shrunk, where=now > _LAST_DIGIT)
    return significant(shrunk).tolist()


def _amounts(value: NetPresentValue, scale: list[float]) -> tuple[list[list[float]], list[float]]:
    """P10, P50, P90, mean, VaR, CVaR, value of the option and committed mean of each project; probability of a loss."""
    npv = describe(value.by_draw)
    columns = [npv.p10, npv.p50, npv.p90, npv.mean, npv.var95, npv.cvar95, value.option_value, value.committed]
    own_scale = np.rint(np.stack(columns, axis=1) / _LAST_DIGIT) * _LAST_DIGIT
    return significant(own_scale * np.array(scale)[:, None]).tolist(), npv.p_loss.tolist()


def _figures(
    path: Path,
    amounts: list[float],
    p_loss: float,
    drivers: list[float],
    months_to_production: list[float],
    months: list[list[float]],
    narrowings: list[tuple[str, Precision, float]],
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
        missing_information=tuple(narrowings),
        prior_weight=sum(stage.prior.prior_weight for stage in path.stages),
        outcomes=sum(stage.prior.outcomes for stage in path.stages),
    )
