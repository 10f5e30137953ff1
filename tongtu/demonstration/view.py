"""What the demonstration shows: each proposal as it comes, and at the end what was found, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

from rich.table import Table
from rich.text import Text

import catalogue
from shared.contracts.inbox import Proposal
from shared.contracts.introduction import MutualInterest
from shared.contracts.match import Side
from shared.contracts.risk import Assessment, NotAssessed
from tongtu.demonstration.expectations import Comparison
from tongtu.demonstration.observed import Observed, Pair
from tongtu.output import money, output, percent, say
from tongtu.risk_view import show_assessment

_MOST_TOLD = 40


def show_arrival(proposal: Proposal, seconds: float) -> None:
    """One proposal, as the seeker sees it: its own demand, and a technology without a name."""
    technology = proposal.technology
    assert technology is not None
    line = Text(f"{seconds:6.1f} s  匹配 match ")
    line.append(f"{proposal.score:.2f}", "bold")
    line.append(f"  {_demand_titles().get(proposal.own.id, proposal.own.id)} ← {technology.title}")
    output().print(line, soft_wrap=True)
    say(f"          {_risk(proposal.risk)}", "dim")


def _risk(risk: Assessment | NotAssessed) -> str:
    if isinstance(risk, NotAssessed):
        return f"风险 risk: 无法评估 cannot be assessed, 缺少 missing {', '.join(risk.missing) or risk.reason}"
    npv = risk.npv
    return (
        f"风险 risk: 成功 success {percent(risk.p_success)}, 亏损 loss {percent(risk.p_loss)}, "
        f"净现值 NPV P10 {money(npv.p10)}, P50 {money(npv.p50)}, P90 {money(npv.p90, risk.currency)}"
    )


def show_matches(observed: Observed) -> None:
    """The best match of every demand, in the order of the catalogue."""
    say()
    best: dict[str, Pair] = {}
    counts: dict[str, int] = {}
    for pair in observed.pairs:
        best.setdefault(pair.demand_id, pair)
        counts[pair.demand_id] = counts.get(pair.demand_id, 0) + 1
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0), expand=True)
    table.add_column("需求 demand", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("最佳匹配 best match", no_wrap=True, overflow="ellipsis", ratio=1)
    for column in ("得分 score", "成功 success", "亏损 loss", "NPV P50", "共 of"):
        table.add_column(column, justify="right", no_wrap=True)
    for demand in catalogue.demands():
        pair = best.get(demand.id)
        if pair is None:
            told = demand.id in observed.no_matches
            answer = "没有合适的匹配 no good match" if told else "尚无结果 no answer yet"
            table.add_row(demand.title, Text(answer, "yellow"), "", "", "", "", "")
            continue
        technology, risk = pair.proposal.technology, pair.proposal.risk
        figures = ("", "", "")
        if isinstance(risk, Assessment):
            figures = (percent(risk.p_success), percent(risk.p_loss), money(risk.npv.p50, risk.currency))
        title = technology.title if technology else pair.technology_id
        table.add_row(demand.title, title, f"{pair.proposal.score:.2f}", *figures, str(counts[demand.id]))
    output().print(table)


def show_example(observed: Observed) -> None:
    """The risk of the best match, whole."""
    assessed = [pair for pair in observed.pairs if isinstance(pair.proposal.risk, Assessment)]
    if assessed:
        pair = assessed[0]
        say()
        say(f"例如 for example: {pair.technology_id} → {pair.demand_id}", "bold")
        say()
        show_assessment(pair.proposal.risk, with_assumptions=False)


def show_introduction(pair: Pair, told: Mapping[Side, MutualInterest]) -> None:
    """What each of two parties that accept learns of the other, which no message said before."""
    say()
    say(f"双方接受，互相介绍 both accept and are introduced: {pair.technology_id} → {pair.demand_id}", "bold")
    readers = {Side.DEMAND: "需求方得知 the seeker learns", Side.TECHNOLOGY: "技术方得知 the owner learns"}
    for side, message in told.items():
        organisation = message.organisation
        names = "  ".join(organisation.names.values())
        say(f"  {readers[side]}: {names}")
        place = "  ".join(filter(None, (organisation.kind, organisation.region, organisation.uscc)))
        say(f"    {place}  {message.other_id}", "dim")
        for contact in organisation.contacts:
            say(f"    联系人 contact: {'  '.join(filter(None, (contact.name, contact.email, contact.phone)))}")
        if message.comment:
            say(f"    留言 comment: {message.comment}")


def show_comparison(comparison: Comparison) -> None:
    """What was compared with the catalogue, and every difference."""
    say()
    for name, (good, total) in comparison.counts.items():
        sign, style = ("✓", "green") if good == total else ("!", "yellow")
        line = Text(sign, style)
        line.append(f" {good:>3} of {total:>3}  {name}")
        output().print(line)
    differences = [*comparison.missing, *comparison.wrong]
    for difference in differences[:_MOST_TOLD]:
        say(f"  ✗ {difference}", "red")
    if len(differences) > _MOST_TOLD:
        say(f"  ✗ and {len(differences) - _MOST_TOLD} more", "red")
    for remark in comparison.remarks:
        say(f"  ! {remark}", "yellow")


def _demand_titles() -> dict[str, str]:
    return {demand.id: demand.title for demand in catalogue.demands()}
