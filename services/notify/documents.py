"""A match as a document, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from services.notify.match_state import Given, MatchState, Party, Versions
from shared.contracts.events import Decision, DeclineReason, Side

_OF_PARTY = [field.name for field in fields(Party)]
_OF_ANSWER = [field.name for field in fields(Given)]


def match_document(state: MatchState) -> dict[str, Any]:
    """What is stored of a match; `owners` is there to find the matches of a member."""
    return {
        "_id": state.match_id,
        "holds": state.holds,
        "owners": sorted(state.owners.values()),
        "parties": state.parties and {side.value: _fields(_OF_PARTY, each) for side, each in state.parties.items()},
        "answers": {side.value: _fields(_OF_ANSWER, given) for side, given in state.answers.items()},
        "asked": state.asked,
        "reminded": state.reminded,
        "lapsed": state.lapsed,
    }


def match_of(document: Mapping[str, Any]) -> MatchState:
    """The match of a document; one of before there were answers tells of none, and is waited for by nobody."""
    parties = document["parties"]
    versions = parties and (parties["technology"]["version"], parties["demand"]["version"])
    return MatchState(
        match_id=document["_id"],
        holds=document["holds"],
        parties=parties and {side: _party(parties[side.value], versions) for side in Side},
        answers={Side(side): _given(given) for side, given in document.get("answers", {}).items()},
        asked=document.get("asked"),
        reminded=document.get("reminded", False),
        lapsed=_versions(document.get("lapsed")),
    )


def _fields(names: Sequence[str], part: Party | Given) -> dict[str, Any]:
    # Not dataclasses.asdict, which copies every value in it and takes ten times as long.
    return {name: getattr(part, name) for name in names}


def _party(document: Mapping[str, Any], present: Versions) -> Party:
    told = document["told"]
    return Party(
        owner=document["owner"],
        record_id=document["record_id"],
        version=document["version"],
        told=told,
        seen=document.get("seen", told),
        since=_versions(document.get("since", present if told else None)),
        interest=document.get("interest"),
        declined=document.get("declined"),
    )


def _given(document: Mapping[str, Any]) -> Given:
    technology, demand = document["versions"]
    return Given(
        member=document["member"],
        version=document["version"],
        decision=Decision(document["decision"]),
        versions=(technology, demand),
        reason=document["reason"] and DeclineReason(document["reason"]),
        comment=document["comment"],
    )


def _versions(stored: Any) -> Versions | None:
    return None if stored is None else (stored[0], stored[1])
