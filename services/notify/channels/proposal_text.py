"""What a mail says of a proposal: the other side's record, the score, the checks, the risk, how to answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from services.notify.channels.letter import Block, Code, Facts, Heading, Language, Paragraph, Points
from services.notify.channels.mail_phrases import phrase
from services.notify.channels.mail_wording import (
    amount,
    check,
    field,
    listed,
    money_range,
    share,
    target,
    word,
    words,
)
from shared.contracts.events import (
    AnswerDraft,
    Assessment,
    DeclineReason,
    DemandDisplay,
    NotAssessed,
    Proposal,
    SeenVersions,
    TechnologyDisplay,
    Verdict,
)

_MOST_TERMS = 12


def title_of(proposal: Proposal) -> str:
    """Of the other side's record."""
    shown = proposal.technology or proposal.demand
    return shown.title if shown else proposal.match_id


def subject_of(proposal: Proposal, language: Language) -> str:
    """Its title and the score: nothing else of the other side."""
    name = f"proposal_to_{proposal.side}_subject"
    return phrase(name, language, title=title_of(proposal), score=share(proposal.score, language))


def proposal_blocks(proposal: Proposal, member: str, language: Language) -> Iterator[Block]:
    """All of it."""
    own = proposal.own
    yield Paragraph(phrase(f"proposal_to_{proposal.side}", language, own=own.id, version=own.version))
    yield Facts((_score(proposal, language), (phrase("match", language), proposal.match_id)))
    yield Paragraph(phrase("score_note", language, of_100=round(proposal.score * 100)), quiet=True)
    yield Heading(phrase(f"the_{proposal.side.other}", language))
    yield display_facts(proposal.technology or proposal.demand, language)
    yield from _meeting(proposal, language)
    if proposal.checks:
        yield Heading(phrase("checks", language))
        yield Points(tuple(check(each, language) for each in proposal.checks))
    yield Heading(phrase("risk", language))
    yield from _risk(proposal.risk, language)
    yield from answer_blocks(proposal.match_id, proposal.versions, member, language)


def proposal_summary(proposal: Proposal, language: Language) -> Iterator[Block]:
    """A digest's entry: enough to decide whether to look at it."""
    yield Heading(f"{title_of(proposal)} ({share(proposal.score, language)})", level=3)
    shown = proposal.technology or proposal.demand
    rows = [
        _score(proposal, language),
        (phrase("own_record", language), proposal.own.id),
        (phrase("match", language), proposal.match_id),
    ]
    if shown and shown.summary:
        rows.insert(0, (phrase("summary", language), shown.summary))
    yield Facts(tuple(rows))
    # What is met needs no line here.
    doubts = [check(each, language) for each in proposal.checks if each.verdict is not Verdict.MET]
    yield Points((_risk_in_short(proposal.risk, language), *doubts))


def answer_blocks(match_id: str, versions: SeenVersions | None, member: str, language: Language) -> Iterator[Block]:
    """How to answer: the event to send, and where to. Without versions it answers what was last proposed."""
    data: dict[str, Any] = {"match_id": match_id, "decision": "accepted"}
    if versions is not None:
        data["versions"] = versions.model_dump(mode="json")
    event = {
        "specversion": "1.0",
        "id": phrase("answer_id", language),
        "source": f"/members/{member}",
        "type": AnswerDraft.type,
        "data": data,
    }
    yield Heading(phrase("answer", language))
    yield Paragraph(phrase("answer_text", language, match_id=match_id, member=member))
    yield Code(json.dumps(event, ensure_ascii=False, indent=2))
    yield Paragraph(phrase("answer_decline", language, reasons=listed(DeclineReason, language)))


def display_facts(shown: TechnologyDisplay | DemandDisplay | None, language: Language) -> Facts:
    """What is shown of a record, as far as it says it."""
    return Facts(tuple((phrase(name, language), value) for name, value in _display(shown, language) if value))


def _display(shown: TechnologyDisplay | DemandDisplay | None, language: Language) -> Iterator[tuple[str, str | None]]:
    if shown is None:
        return
    yield "summary", shown.summary
    yield "keywords", listed(shown.keywords, language)
    yield "strategic_fields", listed((field(each, language) for each in shown.strategic_fields), language)
    yield "industries", listed(shown.industry, language)
    yield "region", shown.region
    yield "organisation_kind", shown.organisation_kind and word(shown.organisation_kind, language)
    if isinstance(shown, TechnologyDisplay):
        yield "trl", _level(shown.trl)
        yield "mrl", _level(shown.mrl)
        yield "ipr", shown.ipr_status and word(shown.ipr_status, language)
        yield "transfer", words(shown.transfer_modes, language)
        yield "price", shown.price and money_range(shown.price, language)
        return
    yield "required_trl", _level(shown.required_trl)
    yield "deadline", shown.deadline and shown.deadline.isoformat()
    yield "budget", shown.budget and money_range(shown.budget, language)
    yield "targets", listed((target(each, language) for each in shown.targets), language)
    yield "cooperation", words(shown.cooperation_modes, language)
    yield "priority", shown.priority and word(shown.priority, language)


def _level(level: int | None) -> str | None:
    return None if level is None else str(level)


def _score(proposal: Proposal, language: Language) -> tuple[str, str]:
    text = phrase("score_text", language, score=share(proposal.score, language), method=proposal.method)
    return phrase("score", language), text


def _meeting(proposal: Proposal, language: Language) -> Iterator[Block]:
    terms = (("shared_terms", proposal.shared_terms), ("missing_terms", proposal.missing_terms))
    rows = [(phrase(name, language), listed(each[:_MOST_TERMS], language)) for name, each in terms if each]
    for passage in proposal.passages:
        rows.append((phrase("passage_demand", language), passage.demand))
        rows.append((phrase("passage_technology", language), passage.technology))
    if rows:
        yield Heading(phrase("meets", language))
        yield Facts(tuple(rows))


def _risk(risk: Assessment | NotAssessed, language: Language) -> Iterator[Block]:
    if isinstance(risk, NotAssessed):
        yield Paragraph(_not_assessed(risk, language))
        return
    npv = risk.npv
    money = {
        name: amount(getattr(npv, name), risk.currency if name == "mean" else "", language).strip()
        for name in ("p10", "p50", "p90", "mean")
    }
    months = {name: f"{getattr(risk.months_to_production, name):.3g}" for name in ("p10", "p50", "p90")}
    evidence = {"prior": f"{risk.evidence.prior_weight:.0f}", "outcomes": risk.evidence.outcomes_used}
    rows = [
        (phrase("p_success", language, count=len(risk.stages)), share(risk.p_success, language)),
        (phrase("p_loss", language), share(risk.p_loss, language)),
        (phrase("npv", language), phrase("npv_text", language, **money)),
        (phrase("var95", language), amount(risk.var95, risk.currency, language)),
        (phrase("cvar95", language), amount(risk.cvar95, risk.currency, language)),
        (phrase("option_value", language), amount(risk.option_value, risk.currency, language)),
        (phrase("months", language), phrase("months_text", language, **months)),
        (phrase("evidence", language), phrase("evidence_text", language, **evidence)),
        (phrase("assumed", language), phrase("assumed_text", language, count=len(risk.assumptions))),
    ]
    yield Facts(tuple(rows))
    if risk.missing_information:
        yield Points(tuple(getattr(each.wording, language) for each in risk.missing_information))
    figures = phrase("risk_figures", language, version=risk.model_version, draws=f"{risk.draws:,}", seed=risk.seed)
    yield Paragraph(f"{figures}{'' if language == 'zh' else ' '}{phrase('quantiles_note', language)}", quiet=True)


def _risk_in_short(risk: Assessment | NotAssessed, language: Language) -> str:
    if isinstance(risk, NotAssessed):
        return f"{phrase('risk', language)}{'：' if language == 'zh' else ': '}{_not_assessed(risk, language)}"
    return phrase(
        "risk_short",
        language,
        success=share(risk.p_success, language),
        loss=share(risk.p_loss, language),
        p10=amount(risk.npv.p10, "", language).strip(),
        p50=amount(risk.npv.p50, "", language).strip(),
        p90=amount(risk.npv.p90, risk.currency, language),
        version=risk.model_version,
    )


def _not_assessed(risk: NotAssessed, language: Language) -> str:
    said = phrase("not_assessed", language, reason=word(risk.reason, language))
    if not risk.missing:
        return said
    missing = phrase("not_assessed_missing", language, missing=listed(risk.missing, language))
    return f"{said}{'' if language == 'zh' else ' '}{missing}"
