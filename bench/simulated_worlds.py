"""Worlds whose truth is known, in which projects start, are forecast, end, and are reported to the shared model."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from statistics import NormalDist, fmean

from services.risk.evidence import Forecast, Report, Subject, evidence_of
from services.risk.learning import learnt
from services.risk.shared_model import Gate, SharedModel
from services.risk.stages import path_to_production, stretch
from shared.contracts.events import Result

QUARTERS = 40
LAST = 8
"""Quarters that scores are taken over."""
PROJECTS = 30
MEMBERS = 40
LIES = 40
FIELDS = tuple(f"emerging.{number}" for number in range(1, 7))
SPREAD = NormalDist().inv_cdf(0.9)
TRUE_LOG_SD = 0.25


@dataclass(frozen=True, slots=True)
class World:
    """How far the truth is from the model file, by the part of the ten years that has passed (0 to 1)."""

    name: str
    wrong: Callable[[float], float]
    """0: the file is right; 1: as wrong as `prior_wrong`."""
    has_liar: bool = False

    def chance(self, base: SharedModel, gate: Gate, trl: int, of: str | None, passed: float) -> float:
        """The true probability to pass."""
        mean = gate.success[gate.prior(trl, of)].mean
        better = 0.8 if of in FIELDS[:2] else 0.0
        logit = math.log(mean / (1 - mean)) + self.wrong(passed) * (better - 1.2)
        return 1 / (1 + math.exp(-logit))

    def months(self, base: SharedModel, median: float, passed: float, chance: random.Random) -> float:
        """Of one stage; `median`: as the model file has it."""
        wrong = self.wrong(passed)
        deviation = base.months_log_sd.value * (1 - wrong) + TRUE_LOG_SD * wrong
        return median * 1.6**wrong * math.exp(deviation * chance.gauss(0, 1))


WORLDS = (
    World("prior_right", lambda _: 0.0),
    World("prior_wrong", lambda _: 1.0),
    World("drifting", lambda passed: passed),
    World("one_liar", lambda _: 0.0, has_liar=True),
)


@dataclass(slots=True)
class Run:
    """What one run showed, by quarter."""

    outcomes: list[int] = field(default_factory=list[int])
    error: list[float] = field(default_factory=list[float])
    error_of_file: list[float] = field(default_factory=list[float])
    learning: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    """Forecasts and results of the last two years."""
    of_file: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    of_truth: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    again: list[tuple[float, bool]] = field(default_factory=list[tuple[float, bool]])
    within: list[bool] = field(default_factory=list[bool])
    within_again: list[bool] = field(default_factory=list[bool])
    within_of_file: list[bool] = field(default_factory=list[bool])


@dataclass(slots=True)
class Project:
    """On its way: the gates still ahead are those with a forecast and no outcome."""

    id: int
    owner: str
    trl: int
    field: str | None
    subject: Subject
    ahead: list[Gate]
    ends: int = 0
    """Quarter in which the stage that it is in ends."""
    months: float = 0.0
    again: Forecast | None = None
    """Of that stage, by the version that held when it began."""


def simulate(base: SharedModel, world: World, seed: int) -> Run:
    """Ten years of one world."""
    chance, run = random.Random(f"{world.name} {seed}"), Run()
    model, reports, going = base, list[Report](), list[Project]()
    for quarter in range(QUARTERS):
        passed = quarter / QUARTERS
        version = model.model_copy(update={"version": f"2.{quarter}"})
        going += [entering(version, base, world, quarter, number, chance) for number in range(PROJECTS)]
        for project in [each for each in going if each.ends == quarter]:
            report = ended(base, world, project, quarter, chance, run)
            reports.append(report)
            if report.result is Result.FAILED or not project.ahead:
                going.remove(project)
            else:
                enter_stage(version, base, world, project, quarter, chance)
        if world.has_liar:
            reports += lies(base, quarter, len(reports))
        model = learnt(base, evidence_of(base, reports))
        run.outcomes.append(len(reports))
        run.error.append(error_of(model, base, world, passed))
        run.error_of_file.append(error_of(base, base, world, passed))
    return run


def forecasts_of(model: SharedModel, trl: int, of: str | None, number: int) -> dict[str, Forecast]:
    """What an assessment by this version says of each stage ahead, without a plan."""
    wide = math.exp(SPREAD * model.months_log_sd.value)
    factor = stretch(model, trl, None)
    return {
        stage.gate.name: Forecast(
            model.version,
            number,
            stage.prior.mean,
            (factor * stage.months / wide, factor * stage.months, factor * stage.months * wide),
            model.months_factor.value,
        )
        for stage in path_to_production(model, trl, of)
    }


def entering(
    model: SharedModel, base: SharedModel, world: World, quarter: int, number: int, chance: random.Random
) -> Project:
    """A new project, forecast by the version that holds."""
    trl, id = chance.randint(3, 8), quarter * PROJECTS + number
    of = chance.choice(FIELDS) if chance.random() < 7 / 8 else None
    subject = Subject(f"t{id}", trl, of, forecasts_of(model, trl, of, quarter))
    ahead = [stage.gate for stage in path_to_production(base, trl, of)]
    project = Project(id, f"m{chance.randrange(MEMBERS)}", trl, of, subject, ahead)
    enter_stage(model, base, world, project, quarter, chance)
    return project


def enter_stage(
    model: SharedModel, base: SharedModel, world: World, project: Project, quarter: int, chance: random.Random
) -> None:
    """How long the next stage takes shows when it begins; a report comes in whole quarters."""
    project.again = forecasts_of(model, project.trl, project.field, quarter)[project.ahead[0].name]
    project.months = world.months(base, project.ahead[0].months.value, quarter / QUARTERS, chance)
    project.ends = quarter + max(1, round(project.months / 3))


def ended(base: SharedModel, world: World, project: Project, quarter: int, chance: random.Random, run: Run) -> Report:
    """The outcome of the stage that a project was in, scored against what was said when it entered."""
    gate, passed = project.ahead.pop(0), quarter / QUARTERS
    truth = world.chance(base, gate, project.trl, project.field, passed)
    succeeded = chance.random() < truth
    said = project.subject.forecasts[gate.name]
    if quarter >= QUARTERS - LAST:
        unlearnt = forecasts_of(base, project.trl, project.field, 0)[gate.name]
        run.learning.append((said.p_success, succeeded))
        run.of_file.append((unlearnt.p_success, succeeded))
        run.of_truth.append((truth, succeeded))
        assert project.again is not None
        low, _, high = project.again.months
        run.again.append((project.again.p_success, succeeded))
        run.within_again.append(low <= project.months <= high)
        run.within.append(said.months[0] <= project.months <= said.months[2])
        run.within_of_file.append(unlearnt.months[0] <= project.months <= unlearnt.months[2])
    result = Result.PASSED if succeeded else Result.FAILED
    id = f"{project.owner}/{project.id}-{gate.name}"
    return Report(
        id, project.owner, project.subject.technology, gate.name, result, day_of(quarter), project.months,
        number=quarter + 1, subject=project.subject,
    )  # fmt: skip


def lies(base: SharedModel, quarter: int, first: int) -> Iterable[Report]:
    """One member's invented failures, over all gates."""
    for number in range(LIES):
        gate = base.gates[number % len(base.gates)]
        trl = max(gate.passed_at_trl - 1, 3) if gate is not base.gates[-1] else 8
        subject = Subject(f"lie{first + number}", trl, FIELDS[number % len(FIELDS)], {})
        yield Report(
            f"liar/{first + number}", "liar", subject.technology, gate.name, Result.FAILED, day_of(quarter), None,
            number=quarter + 1, subject=subject,
        )  # fmt: skip


def day_of(quarter: int) -> date:
    """A day in that quarter."""
    return date(2026 + quarter // 4, 3 * (quarter % 4) + 2, 15)


def error_of(model: SharedModel, base: SharedModel, world: World, passed: float) -> float:
    """Root mean square of (probability given - true one) over gates and fields, from the start just before the gate."""
    squares: list[float] = []
    for gate, learnt_gate in zip(base.gates, model.gates, strict=True):
        trl = gate.passed_at_trl - 1
        for of in FIELDS:
            given = learnt_gate.success[learnt_gate.prior(trl, of)].mean
            squares.append((given - world.chance(base, gate, trl, of, passed)) ** 2)
    return math.sqrt(fmean(squares))
