"""Whatever comes in whatever order: each side holds exactly the proposals that stand, and is told nothing twice."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

import shared.contracts
from services.notify.due import due
from services.notify.match_state import MatchState, is_outdated, merged
from services.notify.members import Members
from services.notify.messages import proposals_of
from services.notify.searches import SearchState, after
from shared.contracts.events import DemandSearched, Proposal, ProposalWithdrawn, RiskAssessed, Side

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"
MATCH = "b64a1f0c93d7e8524c11aa09"
NOW = datetime(2026, 5, 4, tzinfo=UTC)


def example(type_: str, name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / type_ / f"{name}.json").read_text("utf-8"))["value"]


def fact(score: float = 0.8, visible: bool = True, versions: tuple[int, int] = (1, 1)) -> RiskAssessed:
    value = example("tongtu.risk.assessed.v1", "valid-zh")
    value["proposal"] |= {"score": score}
    value["proposal"]["technology"] |= {"version": versions[0], "visibility": "members" if visible else "named"}
    value["proposal"]["demand"]["version"] = versions[1]
    return RiskAssessed.model_validate(value)


class Reader:
    """A match with the two members that read of it."""

    def __init__(self) -> None:
        self.state = MatchState(MATCH)
        self.holds: dict[Side, float | None] = dict.fromkeys(Side)
        self.messages: list[tuple[Side, type]] = []

    def receive(self, event: RiskAssessed | None) -> list[tuple[Side, type]]:
        if event is not None and is_outdated(self.state, event):
            return []
        wanted = proposals_of(event) if event else {}
        state = merged(self.state, event, may_see=bool(wanted))
        self.state, notices = due(state, wanted, Members(), NOW)
        for notice in notices:
            if isinstance(notice, ProposalWithdrawn):
                assert self.holds[notice.side] is not None, "taken back from one that did not hold it"
                self.holds[notice.side] = None
            else:
                assert isinstance(notice, Proposal)
                assert self.holds[notice.side] != notice.score, "told the same again"
                self.holds[notice.side] = notice.score
        return [(notice.side, type(notice)) for notice in notices]


def test_a_proposal_is_told_to_both_sides_once() -> None:
    reader = Reader()
    assert reader.receive(fact()) == [(Side.TECHNOLOGY, Proposal), (Side.DEMAND, Proposal)]
    assert reader.receive(fact()) == []
    assert reader.receive(fact(versions=(2, 1))) == []


def test_a_changed_proposal_is_told_again() -> None:
    reader = Reader()
    reader.receive(fact(0.8))
    assert reader.receive(fact(0.6)) == [(Side.TECHNOLOGY, Proposal), (Side.DEMAND, Proposal)]


def test_a_proposal_that_no_longer_holds_is_taken_back_once() -> None:
    reader = Reader()
    reader.receive(fact())
    assert reader.receive(None) == [(Side.TECHNOLOGY, ProposalWithdrawn), (Side.DEMAND, ProposalWithdrawn)]
    assert reader.receive(None) == []
    assert reader.receive(fact()) == [(Side.TECHNOLOGY, Proposal), (Side.DEMAND, Proposal)]


def test_what_nobody_was_told_of_is_not_taken_back() -> None:
    reader = Reader()
    assert reader.receive(None) == []
    assert reader.receive(fact(visible=False)) == []
    assert reader.receive(None) == []


def test_a_proposal_that_a_side_may_not_see_any_more_is_taken_back() -> None:
    reader = Reader()
    reader.receive(fact())
    assert {kind for _, kind in reader.receive(fact(visible=False, versions=(2, 1)))} == {ProposalWithdrawn}


def test_a_fact_of_older_records_changes_nothing() -> None:
    reader = Reader()
    reader.receive(fact(0.8, versions=(3, 2)))
    assert reader.receive(fact(0.5, versions=(2, 2))) == []
    assert reader.receive(fact(0.5, versions=(3, 1))) == []
    assert reader.receive(fact(0.5, versions=(3, 2))) != []


facts = st.one_of(
    st.none(),
    st.builds(
        fact,
        score=st.sampled_from([0.6, 0.7, 0.8]),
        visible=st.booleans(),
        versions=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    ),
)


@given(st.lists(facts, max_size=12))
def test_both_sides_hold_what_stands_after_any_history(history: list[RiskAssessed | None]) -> None:
    reader = Reader()
    newest = (0, 0)
    standing: float | None = None
    for event in history:
        reader.receive(event)
        if event is None:
            standing = None
            continue
        versions = (event.proposal.technology.version, event.proposal.demand.version)
        if versions[0] < newest[0] or versions[1] < newest[1]:
            continue
        newest = versions
        standing = event.proposal.score if proposals_of(event) else None
        assert reader.holds == dict.fromkeys(Side, standing)
    assert reader.holds == dict.fromkeys(Side, standing)


def searched(version: int = 1, proposals: int = 0, **changes: Any) -> DemandSearched:
    value = example("tongtu.demand.searched.v1", "valid-zh")
    return DemandSearched.model_validate(value | {"demand_version": version, "proposals": proposals} | changes)


def told_of(*searches: DemandSearched) -> list[bool]:
    state: SearchState | None = None
    answers: list[bool] = []
    for each in searches:
        state, message = after(state, each)
        answers.append(message is not None)
    return answers


def test_no_match_is_told_once_for_each_version_of_the_demand() -> None:
    assert told_of(searched(1), searched(1), searched(2), searched(2)) == [True, False, True, False]


def test_more_technologies_searched_in_vain_are_no_news() -> None:
    assert told_of(searched(), searched(technologies_searched=9999)) == [True, False]


def test_a_nearer_miss_is_news() -> None:
    miss = example("tongtu.demand.searched.v1", "valid-zh")["nearest_miss"]
    assert told_of(searched(), searched(nearest_miss=miss | {"score": 0.55})) == [True, True]
    assert told_of(searched(nearest_miss=None), searched()) == [True, True]


def test_a_search_that_finds_something_says_nothing_and_makes_the_next_failure_news() -> None:
    assert told_of(searched(), searched(proposals=2), searched()) == [True, False, True]


def test_a_search_for_an_older_version_says_nothing() -> None:
    assert told_of(searched(2), searched(1, nearest_miss=None), searched(2)) == [True, False, False]
