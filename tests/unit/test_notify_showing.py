"""What a reader is shown first: by score, moved within bounds by priority, exposure and a floor for the small."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.match_state import MatchState, merged
from services.notify.showing import (
    CAP,
    CAPPED,
    FLOOR,
    FREE,
    MOST_PRIORITY,
    MOST_STEPS,
    RAISED,
    Exposure,
    standing,
)
from shared.contracts.events import RiskAssessed, Side
from tests.unit.test_notify_due import example


def assessed(priority: float | None = None, score: float = 0.8) -> RiskAssessed:
    value = example("tongtu.risk.assessed.v1", "valid-zh")
    value["proposal"] |= {"score": score, "components": {} if priority is None else {"priority": priority}}
    return RiskAssessed.model_validate(value)


def order(event: RiskAssessed, side: Side, others: int = FREE, small: bool = False, known: bool = False) -> float:
    technology = event.proposal.technology
    state = merged(MatchState(event.match_id), event, may_see=True) if known else MatchState(event.match_id)
    exposure = Exposure({technology.id: others + known}, [technology.owner] if small else [])
    return exposure.order(event.proposal, side, state)


def test_without_anything_to_say_the_order_is_the_score() -> None:
    for side in Side:
        assert order(assessed(), side) == 0.8


@pytest.mark.parametrize(("given", "added"), [(0.03, 0.03), (9.0, MOST_PRIORITY), (-1.0, 0.0)])
def test_priority_moves_within_its_bound_whatever_a_proposal_says(given: float, added: float) -> None:
    for side in Side:
        assert order(assessed(given), side) == pytest.approx(0.8 + added)


def test_a_technology_that_many_demands_have_comes_later_for_the_next_and_its_owner_sees_no_difference() -> None:
    assert order(assessed(), Side.DEMAND, FREE) == 0.8
    assert order(assessed(), Side.DEMAND, FREE + 2) == pytest.approx(0.76)
    assert order(assessed(), Side.DEMAND, CAP - 1) == pytest.approx(0.8 - MOST_STEPS)
    assert order(assessed(), Side.DEMAND, CAP) == pytest.approx(0.8 - CAPPED)
    assert order(assessed(), Side.TECHNOLOGY, 1000) == 0.8


def test_a_small_organisation_is_raised_until_it_is_seen() -> None:
    assert order(assessed(), Side.DEMAND, FLOOR - 1, small=True) == pytest.approx(0.8 + RAISED)
    assert order(assessed(), Side.DEMAND, FLOOR, small=True) == 0.8


def test_a_match_that_is_told_again_does_not_count_itself() -> None:
    assert order(assessed(), Side.DEMAND, FREE, known=True) == 0.8


def test_matches_of_one_poll_count_for_one_another() -> None:
    event = assessed()
    id = event.proposal.technology.id
    exposure = Exposure({id: FREE}, [])
    new, held = MatchState("other"), merged(MatchState("other"), event, may_see=True)
    exposure.note(new, held)
    assert exposure.order(event.proposal, Side.DEMAND, MatchState("m")) == pytest.approx(0.78)
    exposure.note(held, merged(held, None, may_see=False))
    assert exposure.order(event.proposal, Side.DEMAND, MatchState("m")) == 0.8


@given(st.integers(0, 10**6), st.booleans())
def test_no_standing_passes_its_bounds(others: int, small: bool) -> None:
    assert -CAPPED <= standing(others, small) <= RAISED
