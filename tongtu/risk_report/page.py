"""The content of a report: every text as it will stand on the page, every drawing, in one language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from shared.contracts.match import MatchProposed
from shared.contracts.risk import Assessment, Assumption
from tongtu.risk_report import wording
from tongtu.risk_report.charts import Bar, bars_chart, distribution_chart, timeline_chart
from tongtu.risk_report.phrases import phrase
from tongtu.risk_report.wording import Language


@dataclass(frozen=True, slots=True)
class Figure:
    """One number with its name and what it means."""

    name: str
    value: str
    note: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing (an SVG element) with its heading and how to read it."""

    heading: str
    svg: str
    note: str


@dataclass(frozen=True, slots=True)
class Assumed:
    """One assumed number; `source` is the number of its source in the list."""

    name: str
    value: str
    source: int


@dataclass(frozen=True, slots=True)
class Page:
    """A whole report."""

    language: Language
    heading: str
    facts: tuple[tuple[str, str], ...]
    summary: str
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    paragraphs: tuple[tuple[str, str], ...]
    assumptions_heading: str
    assumption_columns: tuple[str, str]
    assumptions: tuple[Assumed, ...]
    sources_heading: str
    sources: tuple[str, ...]
    footer: str


def page_of(
    proposal: MatchProposed, risk: Assessment, draws: Sequence[float] | None, language: Language, made_on: date
) -> Page:
    """The report of one match. `draws` are net present values in the currency of `risk`, if they are known."""
    assumptions, sources = _assumptions(risk.assumptions, language)
    return Page(
        language=language,
        heading=phrase("heading", language),
        facts=(
            (phrase("technology", language), f"{proposal.technology.display.title} ({proposal.technology.id})"),
            (phrase("demand", language), f"{proposal.demand.display.title} ({proposal.demand.id})"),
            (phrase("match", language), proposal.match_id),
        ),
        summary=phrase(
            "summary",
            language,
            version=risk.model_version,
            draws=f"{risk.draws:,}",
            success=wording.share(risk.p_success, language),
            p50=_money(risk.npv.p50, risk, language),
            p10=_money(risk.npv.p10, risk, language),
            p90=_money(risk.npv.p90, risk, language),
            loss=wording.share(risk.p_loss, language),
            months=f"{risk.months_to_production.p50:.0f}",
        ),
        figures=tuple(_figures(risk, language)),
        charts=tuple(_charts(risk, draws, language)),
        paragraphs=(
            (
                phrase("evidence", language),
                phrase(
                    "evidence_text",
                    language,
                    prior=f"{risk.evidence.prior_weight:.0f}",
                    outcomes=risk.evidence.outcomes_used,
                ),
            ),
            (
                phrase("method", language),
                phrase("method_text", language, version=risk.model_version, draws=f"{risk.draws:,}", seed=risk.seed),
            ),
        ),
        assumptions_heading=phrase("assumptions" if assumptions else "no_assumptions", language),
        assumption_columns=(phrase("assumption", language), phrase("assumed_value", language)),
        assumptions=assumptions,
        sources_heading=phrase("sources", language),
        sources=sources,
        footer=phrase("footer", language, date=made_on.isoformat()),
    )


def _figures(risk: Assessment, language: Language) -> list[Figure]:
    def money(name: str, text: str, note: str) -> Figure:
        return Figure(phrase(name, language), _money(text, risk, language), note)

    months = risk.months_to_production
    ends = {"low": wording.amount(risk.npv.p10, "", language), "high": wording.amount(risk.npv.p90, "", language)}
    time = {"low": f"{months.p10:.0f}", "high": f"{months.p90:.0f}"}
    return [
        money("npv_mean", risk.npv.mean, phrase("npv_mean_note", language)),
        money("npv_p50", risk.npv.p50, phrase("range_note", language, **ends)),
        Figure(phrase("p_loss", language), wording.share(risk.p_loss, language), phrase("p_loss_note", language)),
        Figure(
            phrase("p_success", language),
            wording.share(risk.p_success, language),
            phrase("p_success_note", language, count=len(risk.stages)),
        ),
        money("var95", risk.var95, phrase("var95_note", language)),
        money("cvar95", risk.cvar95, phrase("cvar95_note", language)),
        Figure(phrase("months", language), f"{months.p50:.0f}", phrase("range_note", language, **time)),
        money("option_value", risk.option_value, phrase("option_value_note", language)),
    ]


def _charts(risk: Assessment, draws: Sequence[float] | None, language: Language) -> list[Chart]:
    heading = phrase("distribution", language, currency=risk.currency)
    note = phrase("distribution_note" if draws else "quantiles_note", language)
    charts = [Chart(heading, distribution_chart(risk, draws, heading, language), note)]
    heading = phrase("timeline", language)
    columns = phrase("timeline_months", language), phrase("timeline_reached", language)
    charts.append(Chart(heading, timeline_chart(risk, heading, *columns, language), phrase("timeline_note", language)))
    if risk.drivers:
        heading = phrase("drivers", language)
        bars = [Bar(wording.named(driver.name, language), driver.share) for driver in risk.drivers]
        total = wording.share(min(sum(driver.share for driver in risk.drivers), 1.0), language)
        charts.append(
            Chart(heading, bars_chart(bars, heading, language), phrase("drivers_note", language, total=total))
        )
    if risk.missing_information:
        heading = phrase("missing", language)
        bars = [
            Bar(wording.field_named(each.field, each.precision, language), each.narrows)
            for each in risk.missing_information
        ]
        charts.append(Chart(heading, bars_chart(bars, heading, language), phrase("missing_note", language)))
    return charts


def _assumptions(assumptions: Sequence[Assumption], language: Language) -> tuple[tuple[Assumed, ...], tuple[str, ...]]:
    """The assumptions, and each of their sources once."""
    sources: dict[str, int] = {}
    rows: list[Assumed] = []
    for each in assumptions:
        number = sources.setdefault(wording.source(each.source, language), len(sources) + 1)
        written = f"{wording.value(each.value, language)} {wording.unit(each.unit, language)}".strip()
        rows.append(Assumed(wording.named(each.name, language), written, number))
    return tuple(rows), tuple(sources)


def _money(text: str, risk: Assessment, language: Language) -> str:
    return wording.amount(text, risk.currency, language)
