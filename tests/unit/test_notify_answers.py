"""Who is told of an answer: consent is to what was seen, two consents give names, any order comes to the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.consent import counting, is_mutual
from services.notify.documents import match_document, match_of
from services.notify.due import due
from services.notify.match_state import MatchState, answered, is_outdated, merged
from services.notify.members import Members, disclosed
from services.notify.messages import proposals_of
from services.notify.waiting import Patience, after_waiting, deadline
from shared.contracts.events import (
    AnswerReminder,
    Decision,
    MatchAnswered,
    MatchDeclined,
    MutualInterest,
    OrganisationRegistered,
    Proposal,
    ProposalWithdrawn,
    RiskAssessed,
    Side,
    WithdrawalReason,
)
from tests.unit.test_notify_due import MATCH, example

OWNER, SEEKER = "example-materials", "example-motors"
OF = {Side.TECHNOLOGY: OWNER, Side.DEMAND: SEEKER}
START = datetime(2026, 5, 4, tzinfo=UTC)
PATIENCE = Patience(timedelta(days=14), timedelta(days=45))


@cache
def fact(
    versions: tuple[int, int] = (1, 1), title: str = "一", score: float = 0.8, named: bool = False
) -> RiskAssessed:
    """`title`: of the technology, which the seeker notices and its owner does not."""
    value = example(RiskAssessed.type, "valid-zh")
    value["proposal"] |= {"score": score}
    value["proposal"]["technology"] |= {"version": versions[0], "visibility": "named" if named else "members"}
    value["proposal"]["technology"] |= {"named_members": ["somebody-else"]} if named else {}
    value["proposal"]["technology"]["display"] |= {"title": title}
    value["proposal"]["demand"]["version"] = versions[1]
    return RiskAssessed.model_validate(value)


def answer(
    side: Side, decision: str = "accepted", version: int = 1, seen: tuple[int, int] = (1, 1), **more: Any
) -> MatchAnswered:
    return MatchAnswered.model_validate(
        {
            "match_id": MATCH,
            "side": side,
            "member": OF[side],
            "version": version,
            "versions": {"technology": seen[0], "demand": seen[1]},
            "decision": decision,
            **({"reason": "too_expensive"} if decision == "declined" else {}),
            **more,
        }
    )


def entry(member: str, version: int = 1, phone: str = "+86 20 0000 0000") -> OrganisationRegistered:
    value = example(OrganisationRegistered.type, "valid-zh")
    value |= {"id": member, "version": version, "names": {"zh": f"示例单位 {member}"}, "note": "not to be told"}
    value["contacts"][0] |= {"phone": phone}
    return OrganisationRegistered.model_validate(value)


BOTH = (entry(OWNER), entry(SEEKER))
ACCEPT = (answer(Side.TECHNOLOGY), answer(Side.DEMAND))


class Left(str):
    """A member that leaves."""


Occurrence = RiskAssessed | MatchAnswered | OrganisationRegistered | Left | timedelta | None


class Table:
    """A match, the two members that may hear of it, and the hour. None: the proposal no longer holds."""

    def __init__(self, *history: Occurrence) -> None:
        self.state = MatchState(MATCH)
        self.members = Members()
        self.now = START
        self.said: list[Any] = []
        for each in history:
            self.happens(each)

    def happens(self, occurrence: Occurrence) -> list[Any]:
        wanted = None
        notices: list[Any] = []
        state = self.state
        match occurrence:
            case RiskAssessed() if is_outdated(state, occurrence):
                return []
            case RiskAssessed() | None:
                wanted = proposals_of(occurrence) if occurrence else {}
                state = merged(state, occurrence, may_see=bool(wanted))
            case MatchAnswered():
                state = answered(state, occurrence)
            case OrganisationRegistered():
                known = {**self.members.organisations, occurrence.id: disclosed(occurrence)}
                self.members = replace(self.members, organisations=known)
            case Left():
                self.members = replace(self.members, left={*self.members.left, str(occurrence)})
            case timedelta():
                self.now += occurrence
                state, notices = after_waiting(state, PATIENCE, self.now)
        self.state, further = due(state, wanted, self.members, self.now)
        # As it comes back from the database.
        self.state = match_of(json.loads(json.dumps(match_document(self.state), default=str), object_hook=_times))
        notices = [each for each in [*notices, *further] if OF[each.side] not in self.members.left]
        self.said += notices
        return notices

    def told(self) -> dict[Side, tuple[Any, ...]]:
        """What each side knows in the end."""
        parties = self.state.parties or {}
        return {side: (party.told, party.interest, party.declined) for side, party in parties.items()}


def _times(document: dict[str, Any]) -> dict[str, Any]:
    asked = document.get("asked")
    return document | {"asked": datetime.fromisoformat(asked)} if asked else document


def kinds(notices: Sequence[Any]) -> list[type]:
    return [type(each) for each in notices]


def test_two_acceptances_tell_each_side_who_the_other_is() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0])
    first, second = table.happens(ACCEPT[1])
    assert isinstance(first, MutualInterest)
    assert isinstance(second, MutualInterest)
    assert {first.side: first.organisation.id, second.side: second.organisation.id} == {
        Side.TECHNOLOGY: SEEKER,
        Side.DEMAND: OWNER,
    }
    assert (first.own_id, first.other_id) == (second.other_id, second.own_id)
    assert first.organisation.contacts[0].phone == "+86 20 0000 0000"
    assert "not to be told" not in first.model_dump_json()


def test_one_acceptance_is_told_to_nobody() -> None:
    assert Table(*BOTH, fact()).happens(ACCEPT[0]) == []


def test_what_was_written_with_an_acceptance_is_read_once_both_accept() -> None:
    table = Table(*BOTH, fact(), answer(Side.DEMAND, comment="希望先看中试线数据。"))
    comments = {each.side: each.comment for each in table.happens(ACCEPT[0])}
    assert comments == {Side.TECHNOLOGY: "希望先看中试线数据。", Side.DEMAND: None}


def test_an_acceptance_of_what_has_changed_since_does_not_count() -> None:
    table = Table(*BOTH, fact(), answer(Side.DEMAND), fact((2, 1), "二"))
    assert table.happens(ACCEPT[0]) == []
    assert kinds(table.happens(answer(Side.DEMAND, version=2, seen=(2, 1)))) == [MutualInterest] * 2


def test_an_acceptance_counts_while_its_side_would_notice_no_difference() -> None:
    # The owner of the technology does not see its own title in a proposal; the seeker has accepted the new one.
    table = Table(*BOTH, fact(), ACCEPT[0], fact((2, 1), "二"))
    assert kinds(table.happens(answer(Side.DEMAND, seen=(2, 1)))) == [MutualInterest] * 2
    # A new version in which nobody sees a difference.
    assert kinds(Table(*BOTH, fact(), ACCEPT[0], fact((2, 1))).happens(ACCEPT[1])) == [MutualInterest] * 2


def test_an_acceptance_of_what_was_not_shown_yet_waits_for_it() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0], answer(Side.DEMAND, seen=(2, 1)))
    assert not is_mutual(table.state, table.members)
    assert kinds(table.happens(fact((2, 1)))) == [MutualInterest] * 2


def test_a_later_decline_takes_an_acceptance_back() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0])
    assert kinds(table.happens(answer(Side.TECHNOLOGY, "declined", 2))) == [MatchDeclined]
    assert table.happens(ACCEPT[1]) == []


def test_a_decline_of_an_older_version_also_takes_it_back() -> None:
    table = Table(*BOTH, fact(), fact((2, 1), "二"), answer(Side.DEMAND, seen=(2, 1)))
    table.happens(answer(Side.DEMAND, "declined", 2, seen=(1, 1)))
    assert table.happens(answer(Side.TECHNOLOGY, seen=(2, 1))) == []


def test_a_decline_is_told_once_for_each_change_and_only_to_who_knows_of_the_match() -> None:
    assert Table(answer(Side.DEMAND, "declined")).said == []
    table = Table(*BOTH, answer(Side.DEMAND, "declined"), fact())
    declines = [each for each in table.said if isinstance(each, MatchDeclined)]
    assert [(each.side, each.reason) for each in declines] == [(Side.TECHNOLOGY, "too_expensive")]
    assert table.happens(answer(Side.DEMAND, "declined")) == []
    assert kinds(table.happens(answer(Side.DEMAND, "declined", 2, reason="too_early"))) == [MatchDeclined]
    assert kinds(table.happens(None)) == [ProposalWithdrawn] * 2


def test_a_decline_after_the_introduction_is_told_and_a_new_acceptance_introduces_again() -> None:
    table = Table(*BOTH, fact(), *ACCEPT)
    assert kinds(table.happens(answer(Side.DEMAND, "declined", 2))) == [MatchDeclined]
    assert kinds(table.happens(answer(Side.DEMAND, "accepted", 3))) == [MutualInterest] * 2


def test_a_match_withdrawn_after_an_acceptance_introduces_nobody_unless_it_comes_back() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0], None)
    assert table.happens(ACCEPT[1]) == []
    assert kinds(table.happens(fact())) == [Proposal, Proposal, MutualInterest, MutualInterest]


def test_a_record_hidden_after_an_acceptance_introduces_nobody() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0])
    assert kinds(table.happens(fact((2, 1), named=True))) == [ProposalWithdrawn] * 2
    assert table.happens(answer(Side.DEMAND)) == []
    assert table.happens(answer(Side.DEMAND, version=2, seen=(2, 1))) == []


def test_nobody_is_introduced_to_or_by_a_member_that_left() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0])
    assert kinds(table.happens(Left(OWNER))) == [ProposalWithdrawn]
    assert table.happens(ACCEPT[1]) == []


def test_new_contacts_go_to_whoever_was_told_of_the_old_ones() -> None:
    table = Table(*BOTH, fact(), *ACCEPT)
    (message,) = table.happens(entry(OWNER, 2, phone="+86 20 1111 1111"))
    assert (message.side, message.organisation.contacts[0].phone) == (Side.DEMAND, "+86 20 1111 1111")
    assert table.happens(entry(OWNER, 3, phone="+86 20 1111 1111")) == []
    table.happens(answer(Side.TECHNOLOGY, "declined", 2))
    assert table.happens(entry(OWNER, 4)) == []


def test_nobody_is_named_before_both_are_known_by_name() -> None:
    table = Table(entry(OWNER), fact(), *ACCEPT)
    assert kinds(table.said) == [Proposal, Proposal]
    assert kinds(table.happens(entry(SEEKER))) == [MutualInterest] * 2


def test_an_answer_that_comes_before_the_match_counts_when_it_comes() -> None:
    assert kinds(Table(*BOTH, *ACCEPT).happens(fact())) == [Proposal, Proposal, MutualInterest, MutualInterest]


def test_somebody_elses_answer_counts_for_nothing() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0])
    assert table.happens(answer(Side.DEMAND, member="stranger")) == []
    assert table.happens(answer(Side.DEMAND, "declined", 2, member="stranger")) == []


def test_an_older_answer_changes_nothing() -> None:
    table = Table(*BOTH, fact(), answer(Side.DEMAND, "declined", 3), ACCEPT[0])
    assert table.happens(answer(Side.DEMAND, "accepted", 2)) == []


def test_who_does_not_answer_is_reminded_once_and_then_the_proposal_lapses() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0])
    assert table.happens(timedelta(days=13)) == []
    (reminder,) = table.happens(timedelta(days=1))
    assert isinstance(reminder, AnswerReminder)
    assert (reminder.side, reminder.lapses_on.isoformat()) == (Side.DEMAND, "2026-06-18")
    assert table.happens(timedelta(days=30)) == []
    lapsed = table.happens(timedelta(days=1))
    assert [each.reason for each in lapsed] == [WithdrawalReason.LAPSED] * 2
    assert deadline(table.state, PATIENCE) is None


def test_nobody_is_waited_for_once_one_declines_or_both_accept() -> None:
    assert deadline(Table(*BOTH, fact(), *ACCEPT).state, PATIENCE) is None
    assert deadline(Table(fact(), answer(Side.DEMAND, "declined")).state, PATIENCE) is None
    assert deadline(Table(fact(), None).state, PATIENCE) is None
    assert deadline(Table(fact(), ACCEPT[0]).state, PATIENCE) == START + PATIENCE.reminder


def test_other_figures_do_not_prolong_the_wait_and_another_record_does() -> None:
    table = Table(fact(), timedelta(days=10), fact(score=0.6))
    assert deadline(table.state, PATIENCE) == START + PATIENCE.reminder
    table.happens(fact((2, 1), "二"))
    assert deadline(table.state, PATIENCE) == START + timedelta(days=10) + PATIENCE.reminder


def test_a_lapsed_match_is_proposed_again_only_if_a_record_changes() -> None:
    table = Table(fact(), timedelta(days=45))
    assert table.happens(fact(score=0.5)) == []
    assert table.happens(None) == []
    assert table.happens(fact()) == []
    assert kinds(table.happens(fact((2, 1), "二"))) == [Proposal] * 2
    assert deadline(table.state, PATIENCE) == START + timedelta(days=45) + PATIENCE.reminder


def test_a_late_acceptance_still_counts() -> None:
    table = Table(*BOTH, fact(), ACCEPT[0], timedelta(days=45))
    assert kinds(table.happens(ACCEPT[1])) == [MutualInterest] * 2
    # What is said of the match from now on reaches both again.
    assert kinds(table.happens(fact())) == [Proposal] * 2


proposals = st.lists(
    st.one_of(
        st.none(),
        st.builds(
            fact,
            versions=st.tuples(st.integers(1, 2), st.integers(1, 2)),
            title=st.sampled_from("一二"),
            named=st.sampled_from([False, False, False, True]),
        ),
    ),
    max_size=5,
)


def answers_of(side: Side) -> st.SearchStrategy[list[Occurrence]]:
    one = st.tuples(st.sampled_from(["accepted", "accepted", "declined"]), st.integers(1, 2), st.integers(1, 2))
    return st.lists(one, max_size=3).map(
        lambda all_: [answer(side, word, number, (t, d)) for number, (word, t, d) in enumerate(all_, 1)]
    )


def membership_of(member: str) -> st.SearchStrategy[list[Occurrence]]:
    entries: list[Occurrence] = [entry(member), entry(member, 2, "+86 20 2222 2222")]
    return st.sampled_from([[], entries[:1], entries, [*entries, Left(member)]])


streams = st.tuples(
    proposals,
    answers_of(Side.TECHNOLOGY),
    answers_of(Side.DEMAND),
    membership_of(OWNER),
    membership_of(SEEKER),
)


def woven(streams: Sequence[Sequence[Occurrence]], choose: Any) -> list[Occurrence]:
    """One order in which the streams may arrive: each of them stays in order."""
    rest = [list(stream) for stream in streams if stream]
    order: list[Occurrence] = []
    while rest:
        stream = rest[choose(st.integers(0, len(rest) - 1))]
        order.append(stream.pop(0))
        rest = [stream for stream in rest if stream]
    return order


@settings(max_examples=300, deadline=None)
@given(streams, st.data())
def test_any_order_of_arrival_comes_to_the_same(streams: Sequence[Sequence[Occurrence]], data: st.DataObject) -> None:
    one, another = (Table(*woven(streams, data.draw)) for _ in range(2))
    assert one.told() == another.told()
    assert one.state.answers == another.state.answers


@settings(max_examples=300, deadline=None)
@given(streams, st.data())
def test_a_name_is_told_only_while_both_accept_what_they_have_seen(
    streams: Sequence[Sequence[Occurrence]], data: st.DataObject
) -> None:
    table = Table()
    for occurrence in woven(streams, data.draw):
        said = table.happens(occurrence)
        state = table.state
        names = [each for each in said if isinstance(each, MutualInterest)]
        if names:
            assert state.holds
            assert not table.members.left
            for side in Side:
                latest = state.answers[side]
                assert latest == counting(state, side)
                assert latest.decision is Decision.ACCEPTED
                assert latest.member == OF[side]
                party = (state.parties or {})[side]
                assert party.told is not None
                assert party.since is not None
        else:
            text = "".join(each.model_dump_json() for each in said)
            assert "0000 0000" not in text
            assert "2222 2222" not in text
            for each in said:
                assert OF[each.side.other] not in each.model_dump_json()
