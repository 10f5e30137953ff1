"""The two sides of a proposal from canonical records: what a reader is shown, what risk is computed from."""

from __future__ import annotations

import re

from shared.contracts.events import (
    DemandDisplay,
    DemandParty,
    DemandPosted,
    DemandRiskExtract,
    TechnologyDisplay,
    TechnologyParty,
    TechnologyRiskExtract,
    TechnologySubmitted,
)

LONGEST_SUMMARY = 500
# A sentence ends here, in either script.
_SENTENCE_END = re.compile(r"[。！？；]|[.!?;](?=\s)")


def technology_party(record: TechnologySubmitted) -> TechnologyParty:
    """A technology's side of its proposals."""
    summary = record.summary or (shortened(record.description) if record.description else None)
    level = record.trl.level if record.trl else None
    status = record.ipr.status if record.ipr else None
    return TechnologyParty(
        id=record.id,
        version=record.version,
        owner=record.owner,
        visibility=record.visibility,
        named_members=record.named_members,
        language=record.language,
        display=TechnologyDisplay(
            title=record.title,
            summary=summary,
            language=record.language,
            keywords=record.keywords,
            industry=record.industry,
            strategic_fields=record.strategic_fields,
            region=record.region,
            trl=level,
            mrl=record.mrl,
            ipr_status=status,
            transfer_modes=record.transfer_modes,
            price=record.price,
        ),
        risk=TechnologyRiskExtract(trl=level, mrl=record.mrl, ipr_status=status, plan=record.plan, price=record.price),
    )


def demand_party(record: DemandPosted) -> DemandParty:
    """A demand's side of its proposals."""
    return DemandParty(
        id=record.id,
        version=record.version,
        owner=record.owner,
        visibility=record.visibility,
        named_members=record.named_members,
        language=record.language,
        display=DemandDisplay(
            title=record.title,
            summary=shortened(record.problem),
            language=record.language,
            keywords=record.keywords,
            industry=record.industry,
            strategic_fields=record.strategic_fields,
            region=record.region,
            required_trl=record.required_trl,
            deadline=record.deadline,
            budget=record.budget,
            targets=record.targets,
            cooperation_modes=record.cooperation_modes,
            priority=record.priority,
        ),
        risk=DemandRiskExtract(
            required_trl=record.required_trl,
            budget=record.budget,
            starts_on=record.starts_on,
            deadline=record.deadline,
        ),
    )


def shortened(text: str, longest: int = LONGEST_SUMMARY) -> str:
    """The text up to the last sentence end that fits, or cut hard with an ellipsis where there is none."""
    if len(text) <= longest:
        return text
    ends = [match.end() for match in _SENTENCE_END.finditer(text, 0, longest)]
    return text[: ends[-1]] if ends and ends[-1] > longest // 3 else text[: longest - 1].rstrip() + "…"
