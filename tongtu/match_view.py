"""Matches as text: score, shared terms, checks, the risk in one line, who has answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.text import Text

from shared.contracts.feedback import MatchAnswered
from shared.contracts.match import Check, DemandSearched, Side, Verdict
from shared.contracts.risk import Assessment, NotAssessed
from tongtu.found_matches import Found, Matches
from tongtu.output import money, output, percent, say

_SIGNS = {Verdict.MET: ("✓", "green"), Verdict.UNMET: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow")}


def show_matches(matches: Matches) -> None:
    """Prints them, best first; without any, the answer that nothing is good enough."""
    say(f"{matches.side} {matches.id}  {matches.title}", "bold")
    for rank, found in enumerate(matches.found, 1):
        say()
        _show(rank, found, matches.side.other)
    if not matches.found:
        say()
        _show_nothing(matches)


def _show(rank: int, found: Found, other: Side) -> None:
    proposal = found.proposal
    party = proposal.party(other)
    head = Text(f"{rank:>2}  ")
    head.append(f"{proposal.score:.2f}", "bold")
    head.append(f"  {party.id}  {party.display.title}")
    output().print(head, soft_wrap=True)
    say(f"    match    {proposal.match_id}")
    if proposal.shared_terms:
        say(f"    terms    {' · '.join(proposal.shared_terms)}")
    if proposal.missing_terms:
        say(f"    missing  {' · '.join(proposal.missing_terms)}")
    for passage in proposal.passages:
        say(f"    meets    {passage.demand}")
        say(f"             {passage.technology}")
    if proposal.checks:
        say_checks(proposal.checks, "    checks   ", proposal.party(other.other).display.language)
    say(f"    score    {components(proposal.components)}, method {proposal.method}")
    say(f"    risk     {risk_line(found.risk)}")
    if found.answers:
        say(f"    answers  {', '.join(_answer(answer) for answer in found.answers.values())}")


def _answer(answer: MatchAnswered) -> str:
    """Which side said what to which versions."""
    reason = f" ({answer.reason.replace('_', ' ')})" if answer.reason else ""
    seen = f"technology {answer.versions.technology}, demand {answer.versions.demand}"
    return f"{answer.member} {answer.decision}{reason} at versions {seen}"


def _show_nothing(matches: Matches) -> None:
    searched = matches.searched
    if matches.side is Side.TECHNOLOGY:
        say("no demand has this technology among its best: it is not proposed to anyone now")
    elif searched is None:
        say("no search has come to an end yet: `tongtu lag` shows how far matching is")
    elif searched.proposals:
        say(f"{searched.proposals} matches are on their way: `tongtu lag` shows how far matching is")
    else:
        _show_no_good_match(searched)


def _show_no_good_match(searched: DemandSearched) -> None:
    say(
        f"no good match 没有合适的匹配: {searched.technologies_searched:,} technologies searched, "
        f"none reaches {searched.threshold:.2f}"
    )
    miss = searched.nearest_miss
    if miss is not None:
        say(f"    nearest  {miss.score:.2f}  {miss.technology_id}  {miss.display.title}")
        if miss.shared_terms:
            say(f"    terms    {' · '.join(miss.shared_terms)}")
        if miss.checks:
            say_checks(miss.checks, "    checks   ", searched.language)


def say_checks(checks: Iterable[Check], indent: str, language: str = "en") -> None:
    """Each criterion on a line of its own: sign, name, and the verdict in Chinese or else in English."""
    for position, check in enumerate(checks):
        sign, style = _SIGNS[check.verdict]
        line = Text(indent if position == 0 else " " * len(indent))
        line.append(sign, style)
        line.append(f" {check.criterion.replace('_', ' ')}{_said(check, language)}")
        output().print(line, soft_wrap=True)


def _said(check: Check, language: str) -> str:
    if check.wording is not None:
        return f": {check.wording.zh if language.startswith('zh') else check.wording.en}"
    said = [f"{name} {value}" for name, value in (("asked", check.asked), ("offered", check.offered)) if value]
    return f": {', '.join(said)}" if said else ""


def components(parts: Mapping[str, float]) -> str:
    """What the score is made of."""
    return ", ".join(f"{name} {value:.2f}" for name, value in parts.items()) or "of one part"


def risk_line(risk: Assessment | NotAssessed | None) -> str:
    """The risk in one line."""
    if risk is None:
        return "not assessed yet"
    if isinstance(risk, NotAssessed):
        missing = f", missing {', '.join(risk.missing)}" if risk.missing else ""
        return f"cannot be assessed ({risk.reason.replace('_', ' ')}{missing})"
    npv = risk.npv
    return (
        f"success {percent(risk.p_success)}, loss {percent(risk.p_loss)}, net present value "
        f"P10 {money(npv.p10)}, P50 {money(npv.p50)}, P90 {money(npv.p90)}, mean {money(npv.mean, risk.currency)}"
    )
