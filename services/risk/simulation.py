"""Monte Carlo over stage success, durations and costs for a batch of projects: the figures of an assessment."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache, partial
from statistics import NormalDist

import numpy as np

from services.risk.cash_flow import net_present_value
from services.risk.distribution import describe, spread, variance_shares
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

Narrowing = tuple[str, Precision, float]
"""The field, how well it would be known, and the share of P90 - P10 that goes away."""

TOGETHER = 8
"""Projects computed at once: enough to make up for each call of numpy, and few enough for a core's own cache."""
NARROWED_TOGETHER = 16
"""The same for projects with their variants, on an eighth of the draws."""
SMALLEST_SHARE = 0.002
"""A driver that explains less than this is left out."""
SMALLEST_NARROWING = 0.005
"""Information that narrows less than this, which is less than a percent to people, is left out."""
_EIGHTH = 8
"""What is missing is told from the first eighth of the draws: a ratio of two spreads over the same draws."""
_LAST_DIGIT = 1e-13
"""Of the project's largest amount; below it a figure is what rounding has left of a difference."""


class Simulation:
    """The model's draws, ready to be applied to any number of projects. Safe to use from several threads."""

    def __init__(self, model: SharedModel) -> None:
        self.model = model
        self.draws = draw(model)
        drivers = Drivers(self.draws)
        eighth = self.draws.first(self.draws.n // _EIGHTH)
        known = eighth.with_months_known()
        self._eighth = eighth
        self._priors = lru_cache(1024)(partial(priors_ahead, model))
        self._path = cache(partial(path_with_draws, model, self.draws, drivers))
        self._eighth_path = cache(partial(path_with_draws, model, eighth, None))
        self._path_with_months_known = cache(partial(path_with_draws, model, known, None))
        wide = math.exp(model.months_log_sd.value * NormalDist().inv_cdf(0.9))
        self._around_median = np.array([1 / wide, 1.0, wide])

    def run(self, cases: Sequence[Case]) -> list[Figures]:
        """Figures of every case, in the same order; those of one case do not depend on the others."""
        by_path: dict[Key, list[int]] = {}
        for position, case in enumerate(cases):
            key = case.trl, self._priors(case.trl, case.field)
            by_path.setdefault(key, []).append(position)
        figures: dict[int, Figures] = {}
        for key, positions in by_path.items():
            narrowings: list[list[Narrowing]] = []
            for first in range(0, len(positions), NARROWED_TOGETHER):
                narrowings += self._narrowings(
                    key, [cases[position] for position in positions[first : first + NARROWED_TOGETHER]]
                )
            for first in range(0, len(positions), TOGETHER):
                together = positions[first : first + TOGETHER]
                results = self._run_together(
                    key, [cases[position] for position in together], narrowings[first : first + TOGETHER]
                )
                figures.update(zip(together, results, strict=True))
        return [figures[position] for position in range(len(cases))]

    def _run_together(self, key: Key, cases: list[Case], narrowings: list[list[Narrowing]]) -> list[Figures]:
        path = self._path(*key)
        stretches = self._stretches(cases)
        money = MoneyColumns.of([MoneyRow.of(case.money) for case in cases])
        value = net_present_value(self.model, self.draws, path, timeline(self.model, path, stretches), money)
        npv = describe(value.by_draw)
        shares = variance_shares(value.by_draw, path.columns)
        drivers = np.stack([shares[:, columns].sum(axis=1) for _, columns in path.drivers], axis=1)
        # What a record does not give, or gives as one number, drives nothing; only noise would say otherwise.
        drivers[:, -money.uncertain.shape[1] :] *= money.uncertain
        months = np.concatenate(
            [path.months_to_production, *(stage.months * self._around_median for stage in path.stages)]
        )
        columns = [npv.p10, npv.p50, npv.p90, npv.mean, npv.var95, npv.cvar95, value.option_value, value.committed]
        amounts = np.rint(np.stack(columns, axis=1) / _LAST_DIGIT) * _LAST_DIGIT
        amounts *= np.array([[case.money.largest] for case in cases])
        rows = significant(np.hstack([amounts, stretches * months, drivers])).tolist()
        return [_figures(path, *each) for each in zip(rows, npv.p_loss.tolist(), narrowings, strict=True)]

    def _stretches(self, cases: list[Case]) -> Array:
        return np.array([[stretch(self.model, case.trl, case.planned_months)] for case in cases])

    def _narrowings(self, key: Key, cases: list[Case]) -> list[list[Narrowing]]:
        """Of each case, by how much its P90 - P10 would shrink if a number were known better; most first."""
        stretches = self._stretches(cases)
        rows = [MoneyRow.of(case.money) for case in cases]
        path = self._eighth_path(*key)
        asked: list[tuple[int, Variant | None]] = [(project, None) for project in range(len(cases))]
        asked += [(project, variant) for project, row in enumerate(rows) for variant in variants(row)]
        project = np.array([project for project, _ in asked])
        money = MoneyColumns.of([variant.row if variant else rows[project] for project, variant in asked])
        times = timeline(self.model, path, stretches)
        widths = spread(net_present_value(self.model, self._eighth, path, times, money, project).by_draw)
        now = widths[: len(cases)]
        found: list[list[Narrowing]] = [[] for _ in cases]
        narrowings = _narrowing(now[project], widths)
        for (owner, variant), narrowing in zip(asked, narrowings, strict=True):
            if variant and narrowing >= SMALLEST_NARROWING:
                found[owner].append((variant.field, variant.precision, narrowing))
        unplanned = np.flatnonzero([case.planned_months is None for case in cases])
        if len(unplanned):
            known = self._path_with_months_known(*key)
            times = timeline(self.model, known, stretches[unplanned])
            money = MoneyColumns.of([rows[project] for project in unplanned])
            widths = spread(net_present_value(self.model, self._eighth, known, times, money).by_draw)
            for owner, narrowing in zip(unplanned, _narrowing(now[unplanned], widths), strict=True):
                if narrowing >= SMALLEST_NARROWING:
                    found[owner].append((MONTHS, Precision.EXACT, narrowing))
        return [sorted(each, key=lambda information: -information[2]) for each in found]


def _narrowing(now: Array, then: Array) -> list[float]:
    shrunk = np.zeros_like(now)
    np.divide(now - then, now, out=shrunk, where=now > _LAST_DIGIT)
    return significant(shrunk).tolist()


def _figures(path: Path, row: list[float], p_loss: float, narrowings: list[Narrowing]) -> Figures:
    """Of one row: eight amounts, then the months to production and of each stage, then the shares of the drivers."""
    p10, p50, p90, mean, var95, cvar95, option_value, committed = row[:8]
    ends = range(11, 11 + 3 * len(path.stages), 3)
    named = [(name, min(share, 1.0)) for (name, _), share in zip(path.drivers, row[ends.stop :], strict=True)]
    return Figures(
        stages=tuple(
            StageFigures(stage.gate.name, stage.prior.mean, Quantiles(*row[end : end + 3]))
            for stage, end in zip(path.stages, ends, strict=True)
        ),
        p_success=path.p_success,
        npv=Quantiles(p10, p50, p90),
        npv_mean=mean,
        p_loss=p_loss,
        var95=var95,
        cvar95=cvar95,
        option_value=option_value,
        committed=committed,
        months_to_production=Quantiles(*row[8:11]),
        drivers=tuple(sorted((each for each in named if each[1] >= SMALLEST_SHARE), key=lambda each: -each[1])),
        missing_information=tuple(narrowings),
        prior_weight=path.prior_weight,
        outcomes=path.outcomes,
    )
