"""How the risk service's facts look in its database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from pydantic import TypeAdapter

from services.risk.evidence import Forecast, Report, Subject
from services.risk.field import field_of_proposal
from services.risk.telling import Told
from shared.contracts.events import Assessment, MatchProposed, NotAssessed, OutcomeRecorded, Result
from shared.contracts.risk import Risk

Document = dict[str, Any]
_RISK: TypeAdapter[Assessment | NotAssessed] = TypeAdapter(Risk)


@dataclass(frozen=True, slots=True)
class OpenMatch:
    """A match to be assessed again: the proposal as it came, and what was told of it last."""

    id: str
    proposal: MatchProposed
    told: Assessment | NotAssessed
    extensions: Mapping[str, str] = field(default_factory=dict[str, str])


def match_facts(proposal: MatchProposed) -> Document:
    """Of a match, what holds from the first proposal on: the start and the field that outcomes are counted under."""
    return {
        "technology_id": proposal.technology.id,
        "entered": {"trl": proposal.technology.risk.trl, "field": field_of_proposal(proposal)},
    }


def match_state(
    stream: str, number: int, proposal: MatchProposed, told: Told, extensions: Mapping[str, str]
) -> Document:
    """Of an open match, what the latest proposal and assessment say."""
    return {
        "open": True,
        "stream": stream,
        "technology": {"id": proposal.technology.id, "version": proposal.technology.version},
        "demand": {"id": proposal.demand.id, "version": proposal.demand.version},
        "trl": proposal.technology.risk.trl,
        "proposal": told.proposal,
        # Pairs: what a header is called is for others to choose, and no name of a field here.
        "extensions": [list(pair) for pair in extensions.items()],
        **last_told(number, told),
    }


def last_told(number: int, told: Told) -> Document:
    """What was told last, and by the version of which number."""
    return {"checked": number, "result": told.result}


def open_match(document: Mapping[str, Any]) -> OpenMatch:
    """A match to be assessed again. Raises ValueError where an earlier version of the contracts cannot be read."""
    return OpenMatch(
        document["_id"],
        MatchProposed.model_validate_json(document["proposal"]),
        _RISK.validate_json(document["result"]),
        dict(document["extensions"]),
    )


def first_forecast(number: int, months_factor: float, assessment: Assessment) -> Document:
    """What the first assessment of a match says about each stage, to be scored when outcomes come."""
    return {
        "version": assessment.model_version,
        "number": number,
        "months_factor": months_factor,
        "stages": {
            stage.name.value: [stage.p_success, stage.months.p10, stage.months.p50, stage.months.p90]
            for stage in assessment.stages
        },
    }


def subject_of(match: Mapping[str, Any]) -> Document:
    """What an outcome keeps of the match that it is about."""
    return {"technology": match["technology_id"], **match["entered"], "first": match.get("first")}


def outcome(event: OutcomeRecorded, day: date, number: int, subject: Document | None) -> Document:
    """An outcome as last recorded. `day`: when it happened; `number`: of the first version that knew of it."""
    return {
        "_id": event.id,
        "owner": event.owner,
        "version": event.version,
        "number": number,
        "match": event.match_id,
        "technology": event.technology_id,
        "stage": event.stage.value,
        "result": event.result.value,
        "day": day.isoformat(),
        "months": event.months,
        "subject": subject,
    }


def taken_back(id: str, version: int, number: int) -> Document:
    """What is left of an outcome that was taken back."""
    return {"_id": id, "version": version, "number": number, "taken_back": True}


def report(document: Mapping[str, Any]) -> Report:
    """An outcome that stands."""
    return Report(
        id=document["_id"],
        owner=document["owner"],
        about=document["match"] or document["technology"],
        stage=document["stage"],
        result=Result(document["result"]),
        day=date.fromisoformat(document["day"]),
        months=document["months"],
        number=document["number"],
        subject=_subject(document["subject"]),
    )


def _subject(written: Mapping[str, Any] | None) -> Subject | None:
    if written is None:
        return None
    first = written["first"]
    forecasts = {
        stage: Forecast(first["version"], first["number"], p, (p10, p50, p90), first["months_factor"])
        for stage, (p, p10, p50, p90) in (first["stages"].items() if first else ())
    }
    return Subject(written["technology"], written["trl"], written["field"], forecasts)
