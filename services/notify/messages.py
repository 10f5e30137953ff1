"""What a member is told, built field by field from what it may see: its own ids, the other side without a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from services.notify.naming import mentions
from shared.contracts.events import (
    Check,
    DemandSearched,
    Miss,
    NoMatch,
    OwnRecord,
    Proposal,
    RiskAssessed,
    SeenVersions,
    Side,
)

NO_ORDER: Mapping[Side, float] = MappingProxyType({})


def proposals_of(assessed: RiskAssessed, orders: Mapping[Side, float] = NO_ORDER) -> dict[Side, Proposal]:
    """The message to each side; none to either where one of the records is not the other side's to see.

    `orders`: what each side is to sort its proposals by.
    Matching does not propose such a pair. This is the last gate before the member, so it does not rely on that.
    """
    technology, demand = assessed.proposal.technology, assessed.proposal.demand
    visible = technology.visible_to(demand.owner) and demand.visible_to(technology.owner)
    if not visible or technology.owner == demand.owner:
        return {}
    return {side: _proposal(assessed, side, orders.get(side)) for side in Side}


def _proposal(assessed: RiskAssessed, side: Side, order: float | None) -> Proposal:
    match = assessed.proposal
    own, other = match.party(side), match.party(side.other)
    return Proposal(
        match_id=assessed.match_id,
        side=side,
        own=OwnRecord(id=own.id, version=own.version),
        versions=SeenVersions(technology=match.technology.version, demand=match.demand.version),
        technology=match.technology.display if side is Side.DEMAND else None,
        demand=match.demand.display if side is Side.TECHNOLOGY else None,
        score=match.score,
        order=order,
        components=match.components,
        shared_terms=match.shared_terms,
        missing_terms=match.missing_terms,
        passages=match.passages,
        checks=tuple(_without_name(match.checks, other.owner)),
        method=match.method,
        risk=assessed.assessment,
    )


def no_match_of(searched: DemandSearched) -> NoMatch:
    """The message to the owner of a demand that nothing is good enough for."""
    miss = searched.nearest_miss
    return NoMatch(
        own=OwnRecord(id=searched.demand_id, version=searched.demand_version),
        technologies_searched=searched.technologies_searched,
        threshold=searched.threshold,
        nearest_miss=miss
        and Miss(
            score=miss.score,
            shared_terms=miss.shared_terms,
            missing_terms=miss.missing_terms,
            checks=tuple(_without_name(miss.checks, miss.technology_id.partition("/")[0])),
            display=miss.display,
        ),
        method=searched.method,
    )


def _without_name(checks: Iterable[Check], member: str) -> Iterable[Check]:
    """The checks, without any wording that names that member: a verdict is worth telling, who it is about is not."""
    for check in checks:
        words = (check.wording.zh, check.wording.en) if check.wording else ()
        if mentions(member, (check.asked, check.offered, *words)):
            yield Check(criterion=check.criterion, verdict=check.verdict)
        else:
            yield check
