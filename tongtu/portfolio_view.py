"""A choice among matches as text and as JSON: what was chosen, what was not and why, and what the whole comes to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from tongtu.output import money, note, output, percent, say, table

if TYPE_CHECKING:
    from services.risk.portfolio_choice import Decision, Entry
    from services.risk.shared_model import SharedModel

REASONS = {
    "chosen": "chosen",
    "not_assessed": "the records say too little: ",
    "loses": "loses on average",
    "replaced": "a chosen match has its demand or its technology",
    "over_budget": "with it the budget would be exceeded",
    "over_limit": "with it the worst cases would lose more than the limit",
    "left_out": "would fit, but something else is worth more",
}


def as_json(decision: Decision, model: SharedModel, budget: float, cvar_limit: float) -> dict[str, Any]:
    """For programs; amounts are numbers in units of `currency`, losses positive."""
    return {
        "model_version": model.version,
        "draws": model.draws,
        "seed": model.seed,
        "field_correlation": model.field_correlation.value,
        "currency": decision.currency,
        "budget": budget,
        "cvar_limit": cvar_limit,
        "whole": asdict(decision.whole),
        "bound": decision.bound,
        "matches": [_entry(entry) for entry in decision.entries],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    proposal = entry.proposal
    return {
        "match_id": proposal.match_id,
        "technology_id": proposal.technology.id,
        "demand_id": proposal.demand.id,
        "title": proposal.technology.display.title,
        "chosen": entry.why == "chosen",
        "why": entry.why,
        "field": entry.field,
        "adds_value": entry.adds_value,
        "adds_cvar95": entry.adds_cvar,
        "cvar95": entry.cvar95,
        "outlay": entry.outlay,
        "missing": list(entry.missing),
    }


def show_portfolio(decision: Decision, model: SharedModel, budget: float, cvar_limit: float) -> None:
    """Prints it."""
    whole, currency = decision.whole, decision.currency or ""

    def said(value: float) -> str:
        return money(f"{value:.2f}", currency)

    chosen = [entry for entry in decision.entries if entry.why == "chosen"]
    say(f"{len(chosen)} of {len(decision.entries)} matches are chosen", "bold")
    apart = f"{said(whole.cvar95_if_independent)} (without the fields' shared factor)"
    rows = [
        ("expected net present value", said(whole.expected)),
        ("P10, P50, P90", ", ".join(said(value) for value in (whole.p10, whole.p50, whole.p90))),
        ("probability of a loss", percent(whole.p_loss)),
        ("value at risk, 95 %", said(whole.var95)),
        ("mean loss of the worst 5 %", f"{said(whole.cvar95)} of at most {said(cvar_limit)}"),
        *([("... were they independent", apart)] if _share_a_field(chosen) else []),
        (
            "outlay",
            f"{said(whole.outlay)} of {said(budget)}; {said(whole.paid_at_start)} of it at the start (expected)",
        ),
        (
            "model",
            f"{model.version}, {model.draws:,} draws, seed {model.seed}; correlation within a field "
            f"{model.field_correlation.value:g}",
        ),
        ("proven within", _gap(decision)),
    ]
    output().print(table(("figure", ""), rows))
    say()
    _show_entries("chosen", "adds to value and to the mean loss of the worst 5 %", chosen, currency)
    others = [entry for entry in decision.entries if entry.why != "chosen"]
    _show_entries("not chosen", "would add", others, currency, with_reason=True)
    note("an outlay is the middle of the price and the planned capital; losses are positive")


def _share_a_field(entries: Sequence[Entry]) -> bool:
    fields = [entry.field for entry in entries if entry.field is not None]
    return len(set(fields)) < len(fields)


def _gap(decision: Decision) -> str:
    gap = max(decision.bound - decision.whole.expected, 0.0)
    if gap <= 0.002 * abs(decision.bound):
        return "0.2 % of the best possible choice"
    return f"{percent(gap / abs(decision.bound))} of a bound that may be out of reach: a better choice may exist"


def _show_entries(
    heading: str, explained: str, entries: Sequence[Entry], currency: str, with_reason: bool = False
) -> None:
    if not entries:
        return
    say(f"{heading} ({explained})" if currency else heading, "bold")
    by_value = sorted(entries, key=lambda entry: -(entry.adds_value if entry.adds_value is not None else float("-inf")))
    rows = [
        (
            f"  {entry.proposal.match_id}",
            entry.proposal.technology.display.title,
            entry.field or "",
            *(
                "" if value is None else money(f"{value:.2f}", currency)
                for value in (entry.outlay, entry.adds_value, entry.adds_cvar)
            ),
            *([REASONS[entry.why] + ", ".join(entry.missing)] if with_reason else []),
        )
        for entry in by_value
    ]
    columns = ("  match", "technology", "field", "outlay", "value", "worst 5 %", *(["why"] if with_reason else []))
    output().print(table(columns, rows, ("outlay", "value", "worst 5 %")))
    say()
