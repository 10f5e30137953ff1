"""The strategic field that a match is assessed under: a short word for what a code of a strategic list means."""

from __future__ import annotations

from collections.abc import Sequence

from shared.contracts.code_lists import FUTURE, LATEST_VERSION, STRATEGIC_EMERGING, STRATEGIC_FIELDS
from shared.contracts.events import MatchProposed, StrategicField

_WORDS = {STRATEGIC_EMERGING: "emerging", FUTURE: "future"}
_VERSIONS = {name: sorted(version for other, version in STRATEGIC_FIELDS if other == name) for name in _WORDS}


def field_word(field: StrategicField) -> str | None:
    """Such as `emerging.1`, `emerging.2023.8` or `future.health`; None for a code that no list has.

    A code that means the same in every version of its list has one word; the others carry the version, because one
    code may stand for two fields (7: 节能环保, then 绿色环保).
    """
    version = field.version or LATEST_VERSION.get(field.list, "")
    name = STRATEGIC_FIELDS.get((field.list, version), {}).get(field.code)
    if name is None:
        return None
    meanings = {STRATEGIC_FIELDS[field.list, each].get(field.code) for each in _VERSIONS[field.list]}
    return ".".join([_WORDS[field.list], *([version] if len(meanings) > 1 else []), field.code])


def field_of(technology: Sequence[StrategicField], demand: Sequence[StrategicField] = ()) -> str | None:
    """The first field of the technology that the demand names too, else the technology's first; None: not known."""
    offered = [word for each in technology if (word := field_word(each))]
    asked = {word for each in demand if (word := field_word(each))}
    return next((word for word in offered if word in asked), offered[0] if offered else None)


def field_of_proposal(proposal: MatchProposed) -> str | None:
    """The field of a match, from what both sides show."""
    return field_of(proposal.technology.display.strategic_fields, proposal.demand.display.strategic_fields)
