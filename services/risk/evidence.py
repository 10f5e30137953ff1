"""What reported outcomes weigh as evidence: which count, for which prior, how old, and how much of one member."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from services.risk.shared_model import Gate, LearningParameters, SharedModel
from services.risk.stages import gates_ahead
from shared.contracts.events import Result


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the first assessment of a match said about one stage."""

    version: str
    number: int
    """Of the learnt version, to tell whether it may have known the outcome."""
    p_success: float
    months: tuple[float, float, float]
    """P10, P50, P90."""
    months_factor: float
    """The learnt factor in these months."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an outcome is about, as it stood when it was first assessed."""

    technology: str
    trl: int | None
    field: str | None
    forecasts: Mapping[str, Forecast]
    """By stage."""


@dataclass(frozen=True, slots=True)
class Report:
    """An outcome as it was last recorded. `subject` is None while no match with it has been assessed."""

    id: str
    owner: str
    about: str
    """The match, or the technology, that it names."""
    stage: str
    result: Result
    day: date
    months: float | None
    number: int
    """Of the first version that knew of it."""
    subject: Subject | None = None

    @property
    def unit(self) -> tuple[str, str]:
        """A technology passes a stage once, however many report it and for however many matches."""
        return (self.subject.technology if self.subject else self.about), self.stage

    @property
    def is_told(self) -> bool:
        """Whether it says that the stage was passed or not; one that was stopped for other reasons does neither."""
        return self.result in (Result.PASSED, Result.FAILED)

    @property
    def forecast(self) -> Forecast | None:
        """What was said about this stage without knowing of this outcome."""
        found = self.subject.forecasts.get(self.stage) if self.subject else None
        return found if found is not None and found.number < self.number else None


class SetAside(StrEnum):
    """Why an outcome says nothing about the success of a stage."""

    NO_GATE = "no_gate"  # it is about the market, or a stage or result that is not known
    STOPPED = "stopped"  # for other reasons than technical ones
    NOT_ASSESSED = "not_assessed"  # its technology has never been in a match
    PASSED_BEFORE = "passed_before"  # the stage was behind already: only survivors would report
    START_UNKNOWN = "start_unknown"  # and the prior depends on where the project started


@dataclass(frozen=True, slots=True)
class Weighed:
    """A report that counts: for the pooled prior at `position` of its gate, with so much weight (0 to 1)."""

    report: Report
    position: int
    weight: float

    @property
    def passed(self) -> float:
        """Its part of the passes."""
        return self.weight if self.report.result is Result.PASSED else 0.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that reported outcomes say, by gate; a pure function of the outcomes that stand now, in whatever order."""

    by_gate: Mapping[str, Sequence[Weighed]]
    months: Sequence[tuple[Report, float]]
    """Reports with months and a forecast of them, and their weights."""
    set_aside: Mapping[SetAside, int]
    latest: date | None
    limited: frozenset[str] = field(default_factory=frozenset[str])
    """Members whose weight was cut somewhere."""


def evidence_of(model: SharedModel, reports: Iterable[Report]) -> Evidence:
    """Which reports count, and what each weighs.

    Age is counted in whole quarters before the latest outcome, never from a clock; a half-life is so many years.
    Reports of one stage of one technology share a weight of 1. All that one member says about one gate, or about
    months, is cut to `member_weight`.
    """
    ordered = sorted(reports, key=lambda report: report.id)
    gates = {gate.name: gate for gate in model.gates}
    counted: dict[str, list[tuple[Report, int]]] = defaultdict(list)
    aside: Counter[SetAside] = Counter()
    for report in ordered:
        place = _place(model, gates.get(report.stage), report)
        if isinstance(place, SetAside):
            aside[place] += 1
        else:
            counted[report.stage].append((report, place))
    timed = [report for report in ordered if report.is_told and report.months and report.forecast]
    reported = [report for group in counted.values() for report, _ in group] + timed
    latest = max((report.day for report in reported), default=None)
    rules, limited = model.learning, set[str]()
    by_gate = {
        gate: [
            Weighed(report, position, weight)
            for (report, position), weight in zip(
                group, _weights([report for report, _ in group], latest, rules, limited), strict=True
            )
        ]
        for gate, group in counted.items()
    }
    months = list(zip(timed, _weights(timed, latest, rules, limited), strict=True))
    return Evidence(by_gate, months, dict(aside), latest, frozenset(limited))


def _place(model: SharedModel, gate: Gate | None, report: Report) -> int | SetAside:
    """The position of the pooled prior that the report counts for, or why it counts for none."""
    if gate is None or report.result is Result.OTHER:
        return SetAside.NO_GATE
    if report.result is Result.STOPPED:
        return SetAside.STOPPED
    if report.subject is None:
        return SetAside.NOT_ASSESSED
    trl = report.subject.trl
    if all(model.gates[position] is not gate for position in gates_ahead(model, trl)):
        return SetAside.PASSED_BEFORE
    if trl is None and sum(not prior.fields for prior in gate.success) > 1:
        return SetAside.START_UNKNOWN
    return gate.prior(trl)


def _weights(
    reports: Sequence[Report], latest: date | None, rules: LearningParameters, limited: set[str]
) -> list[float]:
    """One for each report; adds to `limited` the members that are cut."""
    if latest is None:
        return []
    shared = Counter(report.unit for report in reports)
    weights = [_decay(report.day, latest, rules) / shared[report.unit] for report in reports]
    by_member: dict[str, list[float]] = defaultdict(list)
    for report, weight in zip(reports, weights, strict=True):
        by_member[report.owner].append(weight)
    most = rules.member_weight.value
    cut = {member: most / total for member, own in by_member.items() if (total := math.fsum(own)) > most}
    limited.update(cut)
    return [weight * cut.get(report.owner, 1.0) for report, weight in zip(reports, weights, strict=True)]


def _decay(day: date, latest: date, rules: LearningParameters) -> float:
    return 0.5 ** (max(quarter_of(latest) - quarter_of(day), 0) / (4 * rules.half_life.value))


def quarter_of(day: date) -> int:
    """Its quarter, counted from the year 0."""
    return 4 * day.year + (day.month - 1) // 3
