"""A risk as text: figures, the distribution as a box on a scale, the stages on a time axis, drivers, assumptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from shared.contracts.risk import Assessment, NotAssessed, Percentiles, RiskAssessed, StageForecast
from tongtu.match_view import risk_line
from tongtu.output import money, output, percent, say, table

_WIDTH = 64
"""Columns of a drawing."""


def show_risk(assessed: RiskAssessed) -> None:
    """Prints it."""
    proposal = assessed.proposal
    say(f"match {assessed.match_id}", "bold")
    say(f"technology  {proposal.technology.id}  {proposal.technology.display.title}")
    say(f"demand      {proposal.demand.id}  {proposal.demand.display.title}")
    say()
    show_assessment(assessed.assessment)


def show_assessment(risk: Assessment | NotAssessed, with_assumptions: bool = True) -> None:
    """Prints the risk without the match that it belongs to."""
    if isinstance(risk, NotAssessed):
        say(risk_line(risk), "yellow")
        if risk.detail:
            say(risk.detail)
        return
    _show_figures(risk)
    _show_distribution(risk)
    _show_timeline(risk)
    _show_drivers(risk)
    _show_missing_information(risk)
    if with_assumptions:
        _show_assumptions(risk)
    else:
        say(f"{len(risk.assumptions)} numbers were assumed, because the records do not say them; each is named with it")


def _show_figures(risk: Assessment) -> None:
    currency = risk.currency
    rows = [
        ("success of all stages", percent(risk.p_success)),
        ("probability of a loss", percent(risk.p_loss)),
        ("net present value, mean", money(risk.npv.mean, currency)),
        ("value at risk, 95 %", money(risk.var95, currency)),
        ("mean loss of the worst 5 %", money(risk.cvar95, currency)),
        ("value of the option to stop", money(risk.option_value, currency)),
        ("months to production", _range(risk.months_to_production)),
        (
            "evidence",
            f"prior worth {risk.evidence.prior_weight:.0f} observations; {risk.evidence.outcomes_used} outcomes used",
        ),
        ("model", f"{risk.model_version}, {risk.draws:,} draws, seed {risk.seed}"),
    ]
    output().print(table(("figure", ""), rows))
    say()


def _show_distribution(risk: Assessment) -> None:
    say(f"net present value ({risk.currency})", "bold")
    for line in distribution(quantiles(risk)):
        say(line)
    say()


def quantiles(risk: Assessment) -> dict[str, Decimal]:
    """The points of the distribution that the assessment gives, by name; P5 is the value at risk seen from the left."""
    return {
        "P5": -Decimal(risk.var95),
        "P10": Decimal(risk.npv.p10),
        "P50": Decimal(risk.npv.p50),
        "P90": Decimal(risk.npv.p90),
    }


def distribution(points: Mapping[str, Decimal], width: int = _WIDTH) -> list[str]:
    """P5 to P90 on a scale: a line from P5, a box from P10 to P90, a bar at P50, and where zero is.

    Only what the quantiles say is drawn: no shape is made up between them.
    """
    low, high = min(*points.values(), Decimal(0)), max(*points.values(), Decimal(0))
    if low == high:
        return ["  every outcome is the same: " + money(str(low))]

    def column(value: Decimal) -> int:
        return int((value - low) / (high - low) * (width - 1))

    box = [" "] * width
    for position in range(column(points["P5"]), column(points["P10"])):
        box[position] = "─"
    for position in range(column(points["P10"]), column(points["P50"])):
        box[position] = "█"
    for position in range(column(points["P50"]), column(points["P90"]) + 1):
        box[position] = "▒"
    box[column(points["P5"])] = "├"
    box[column(points["P50"])] = "┃"
    axis = ["─"] * width
    for value in (*points.values(), Decimal(0)):
        axis[column(value)] = "┴"
    axis[column(Decimal(0))] = "0"
    lines = ["  " + "".join(box), "  " + "".join(axis)]
    lines.append("  " + _labels({name: column(value) for name, value in points.items()}, width))
    lines.append("  " + ", ".join(f"{name} {money(str(value))}" for name, value in points.items()))
    lines.append("  █ P10 to P50, ▒ P50 to P90; a tenth of the outcomes lies on either side of the box")
    return lines


def _labels(columns: Mapping[str, int], width: int) -> str:
    """Names under their columns; one that has no room is left out (the line below has them all)."""
    line = [" "] * (width + 4)
    for name, column in columns.items():
        place = slice(column, column + len(name))
        if all(character == " " for character in line[max(0, column - 1) : column + len(name) + 1]):
            line[place] = name
    return "".join(line).rstrip()


def _show_timeline(risk: Assessment) -> None:
    say("stages to pass", "bold")
    for line in timeline(risk.stages):
        say(line)
    say()


def timeline(stages: Sequence[StageForecast], width: int = _WIDTH) -> list[str]:
    """One bar a stage, after each other, as long as its median; beside it the range and the chance to pass."""
    if not stages:
        return ["  none: it is in use already"]
    total = sum(stage.months.p50 for stage in stages) or 1.0
    longest = max(len(stage.name) for stage in stages)
    lines: list[str] = []
    begun = 0.0
    for stage in stages:
        first = int(begun / total * width)
        begun += stage.months.p50
        last = max(first + 1, int(begun / total * width))
        bar = " " * first + "█" * (last - first) + " " * (width - last)
        months = _range(stage.months)
        name = stage.name.replace("_", " ")
        lines.append(f"  {name:<{longest}} {bar} {months} months, passes {percent(stage.p_success)}")
    lines.append(f"  {'':<{longest}} {'0':<{width - 8}}{total:>5.0f} months (medians)")
    return lines


def _show_drivers(risk: Assessment) -> None:
    if not risk.drivers:
        return
    say("what drives the spread", "bold")
    longest = max(len(driver.name) for driver in risk.drivers)
    for driver in risk.drivers:
        bar = "█" * round(driver.share * 40)
        say(f"  {driver.name.replace('_', ' '):<{longest}} {bar:<40} {percent(driver.share)}")
    say()


def _show_missing_information(risk: Assessment) -> None:
    if not risk.missing_information:
        return
    say("what would narrow it", "bold")
    for each in risk.missing_information:
        say(f"  {each.wording.en}")
    say()


def _show_assumptions(risk: Assessment) -> None:
    say("assumed, because the records do not say it" if risk.assumptions else "nothing was assumed", "bold")
    if risk.assumptions:
        rows = [(f"  {each.name}", _value(each.value), each.unit, each.source) for each in risk.assumptions]
        output().print(table(("  name", "value", "unit", "source"), rows, ("value",)))


def _value(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:,.4g}"


def _range(values: Percentiles) -> str:
    return f"{values.p50:.0f} ({values.p10:.0f} to {values.p90:.0f})"
