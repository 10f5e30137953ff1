"""What is told of a match, as JSON whose parts are written once, for the log and for the database alike."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from pydantic import TypeAdapter

from shared.contracts.events import Assessment, Assumption, MatchProposed, NotAssessed

_ASSUMPTIONS = TypeAdapter(tuple[Assumption, ...])
_LISTS_KEPT = 4096


class Told(NamedTuple):
    """A proposal with its result."""

    proposal: bytes
    result: bytes
    """Without its assumptions: they follow from proposal and model version, and would be most of a document."""
    event: bytes
    """The `RiskAssessed` of both."""


def telling(proposal: MatchProposed, result: Assessment | NotAssessed) -> Told:
    """The same JSON as of the contract models. Assumptions are most of it, and few lists of them differ."""
    # Of the class itself: what pydantic offers on a model takes longer to choose its options than to write.
    proposed = proposal.__pydantic_serializer__.to_json(proposal)
    said = whole = result.__pydantic_serializer__.to_json(result, exclude={"assumptions"})
    if isinstance(result, Assessment):
        whole = b'%b,"assumptions":%b}' % (said[:-1], _assumptions(result.assumptions))
    match_id = proposal.match_id.encode()  # its contract allows no character that JSON escapes
    event = b'{"match_id":"%b","proposal":%b,"assessment":%b}' % (match_id, proposed, whole)
    return Told(proposed, said, event)


@lru_cache(_LISTS_KEPT)
def _assumptions(assumptions: tuple[Assumption, ...]) -> bytes:
    return _ASSUMPTIONS.dump_json(assumptions)
