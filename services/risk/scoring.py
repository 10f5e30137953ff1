"""How good the forecasts were that stood when an outcome came: Brier and logarithmic score, reliability, coverage."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from services.risk.evidence import Forecast, Report
from shared.contracts.events import (
    ForecastScores,
    IntervalScore,
    ModelScores,
    ReliabilityBin,
    Result,
    SuccessScore,
    VersionScores,
)

MOST_VERSIONS = 20
BINS = 10
LEAST_PROBABILITY = 1e-9
"""A forecast of 0 that fails to hold would cost infinitely much; the models never give one."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A forecast and what came: whether the stage was passed, and its months if they were reported."""

    forecast: Forecast
    passed: bool
    months: float | None


def scores_of(reports: Iterable[Report]) -> ModelScores:
    """Over all outcomes that stand now, whatever their age.

    One stage of one match or technology is scored once; where those who report it contradict each other, not at all.
    """
    scored = list(_scored(reports))
    by_version: dict[tuple[int, str], list[Scored]] = defaultdict(list)
    for each in scored:
        by_version[each.forecast.number, each.forecast.version].append(each)
    latest = sorted(by_version.items(), reverse=True, key=lambda item: item[0])[:MOST_VERSIONS]
    total = _scores(scored)
    return ModelScores(
        success=total.success,
        months=total.months,
        versions=tuple(
            VersionScores(version=version, success=found.success, months=found.months)
            for (_, version), own in latest
            if (found := _scores(own))
        ),
        reliability=_reliability(scored),
    )


def _scored(reports: Iterable[Report]) -> Iterable[Scored]:
    told: dict[tuple[str, str], list[Report]] = defaultdict(list)
    for report in sorted(reports, key=lambda report: report.id):
        if report.is_told and report.forecast is not None:
            told[report.about, report.stage].append(report)
    for group in told.values():
        results = {report.result for report in group}
        months = {report.months for report in group if report.months is not None}
        forecast = group[0].forecast
        if len(results) == 1 and forecast is not None:
            yield Scored(forecast, results == {Result.PASSED}, months.pop() if len(months) == 1 else None)


def _scores(scored: Sequence[Scored]) -> ForecastScores:
    timed = [(each.months, each.forecast.months) for each in scored if each.months is not None]
    return ForecastScores(
        success=success_score([(each.forecast.p_success, each.passed) for each in scored]),
        months=IntervalScore(
            forecasts=len(timed),
            below=sum(months < low for months, (low, _, _) in timed),
            within=sum(low <= months <= high for months, (low, _, high) in timed),
            above=sum(months > high for months, (_, _, high) in timed),
        ),
    )


def success_score(pairs: Sequence[tuple[float, bool]]) -> SuccessScore:
    """Of probabilities and results. Brier 1950; the logarithmic score is in nats."""
    n = len(pairs)
    if n == 0:
        return SuccessScore(forecasts=0)
    return SuccessScore(
        forecasts=n,
        brier=math.fsum((p - passed) ** 2 for p, passed in pairs) / n,
        log_score=math.fsum(-math.log(max(p if passed else 1 - p, LEAST_PROBABILITY)) for p, passed in pairs) / n,
        mean_forecast=math.fsum(p for p, _ in pairs) / n,
        passed=sum(passed for _, passed in pairs) / n,
    )


def _reliability(scored: Sequence[Scored]) -> tuple[ReliabilityBin, ...]:
    bins: dict[int, list[Scored]] = defaultdict(list)
    for each in scored:
        bins[min(int(each.forecast.p_success * BINS), BINS - 1)].append(each)
    return tuple(
        ReliabilityBin(
            forecasts=len(own),
            mean_forecast=math.fsum(each.forecast.p_success for each in own) / len(own),
            passed=sum(each.passed for each in own) / len(own),
        )
        for _, own in sorted(bins.items())
    )
