"""What a digest tells of a day: what still holds, in groups, the best first, and how much more there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.channels.delivery import Delivery
from services.notify.channels.digest import digest_of, grouped
from services.notify.channels.letter import Heading, Language, Letter, as_text
from services.notify.channels.mail_text import message_of
from shared.contracts.events import (
    AnswerReminder,
    MatchDeclined,
    MutualInterest,
    NoMatch,
    Proposal,
    ProposalWithdrawn,
    Rejection,
)
from tests.mail_examples import MEMBER, delivery

DAY = date(2026, 3, 26)


def proposed(match: str, number: int = 1, held: bool = False, **changes: Any) -> Delivery:
    return delivery(Proposal, number, "digest", before=Proposal if held else None, match_id=match, **changes)


def taken_back(match: str, number: int = 1, held: bool = False) -> Delivery:
    return delivery(ProposalWithdrawn, number, "digest", before=Proposal if held else None, match_id=match)


def digest(deliveries: Sequence[Delivery], language: Language = "en", most: int = 10) -> Letter:
    letter = digest_of(deliveries, MEMBER, DAY, language, most)
    assert letter is not None
    return letter


def titles(letter: Letter) -> list[str]:
    return [block.text for block in letter.blocks if isinstance(block, Heading) and block.level == 3]


def test_proposals_come_best_first_by_what_they_are_to_be_sorted_by() -> None:
    batch = [
        proposed("m1", score=0.9, order=0.3),
        proposed("m2", score=0.5, order=0.55),
        proposed("m3", score=0.6, order=None),
        proposed("m4", score=0.4, order=None),
    ]
    assert [proposal.match_id for proposal, _ in grouped(batch).proposals] == ["m3", "m2", "m4", "m1"]


def test_what_was_proposed_and_taken_back_in_between_is_left_out() -> None:
    groups = grouped([proposed("m1"), proposed("m2"), taken_back("m1")])
    assert groups.counts == {"proposals": 1}
    assert digest_of([proposed("m1"), taken_back("m1")], MEMBER, DAY, "zh", 10) is None


def test_what_an_earlier_digest_told_is_taken_back_aloud() -> None:
    for batch in (
        [taken_back("m1", held=True)],
        [taken_back("m1")],
        [proposed("m1", held=True), taken_back("m1")],
        [taken_back("m1"), proposed("m1"), taken_back("m1")],
    ):
        assert grouped(batch).counts == {"withdrawn": 1}


def test_of_a_proposal_that_changed_the_last_is_told() -> None:
    batch = [proposed("m1", score=0.2), taken_back("m1"), proposed("m1", score=0.7)]
    ((proposal, _),) = grouped(batch).proposals
    assert proposal.score == 0.7


def test_of_a_demand_the_last_search_is_told() -> None:
    batch = [delivery(NoMatch, 1, "digest"), delivery(NoMatch, 2, "digest", technologies_searched=7)]
    (last,) = grouped(batch).no_match
    assert last.event.data["technologies_searched"] == 7


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=12),
    st.sets(st.sampled_from("abc")),
)
def test_a_reader_of_digests_alone_knows_what_a_reader_of_the_inbox_knows(
    happened: list[tuple[str, bool]], held: set[str]
) -> None:
    """`held`: the matches whose proposal an earlier digest told; a proposal is taken back only from who holds it."""
    inbox, batch = set(held), list[Delivery]()
    for number, (match, holds) in enumerate(happened):
        if holds or match in inbox:
            make = proposed if holds else taken_back
            batch.append(make(match, number, held=match in held))
        (inbox.add if holds else inbox.discard)(match)
    groups = grouped(batch)
    new = {proposal.match_id for proposal, _ in groups.proposals}
    gone = {each.event.data["match_id"] for each in groups.withdrawn}
    assert (held | new) - gone == inbox
    assert gone <= held, "nothing is taken back that was never told"
    assert sum(groups.counts.values()) == len(new) + len(gone)


def test_groups_come_in_order_and_every_message_is_told_or_counted() -> None:
    batch = [
        delivery(MutualInterest, 1, "digest"),
        delivery(NoMatch, 2, "digest"),
        taken_back("m0", 3),
        proposed("m1", 4),
        delivery(Rejection, 5, "digest"),
        delivery(MatchDeclined, 6, "digest"),
        delivery(AnswerReminder, 7, "digest", match_id="m9"),
    ]
    letter = digest(batch)
    parts = [block.text for block in letter.blocks if isinstance(block, Heading) and block.level == 2]
    assert parts == [
        "New proposals, best first",
        "Taken back",
        "Demands without a match",
        "Answers",
        "Other messages",
        "How to answer",
    ]
    counts = "proposals: 1, taken back: 1, without a match: 1, answers: 3, others: 1"
    assert letter.subject == f"[Tongtu] 2026-03-26: {counts}"
    said = as_text(letter)
    for each in ("m0", "m1", "m9", "技术转移办公室", "为时过早", "too early", "/trl/level"):
        assert (each in said) is (each != "为时过早")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_rest_is_counted(language: Language) -> None:
    batch = [proposed(f"m{number}", number, order=number / 100) for number in range(25)]
    batch += [taken_back(f"w{number}", 100 + number) for number in range(12)]
    letter = digest(batch, language, most=10)
    said = as_text(letter)
    assert len(titles(letter)) == 10
    assert [each for each in range(25) if f"m{each}\n" in said] == list(range(15, 25))
    assert {"zh": "另有 15 条", "en": "And 15 more"}[language] in said
    assert {"zh": "另有 2 条", "en": "And 2 more"}[language] in said


def test_a_day_without_anything_to_answer_does_not_say_how() -> None:
    said = as_text(digest([taken_back("m1"), delivery(NoMatch, 2, "digest")]))
    assert "How to answer" not in said
    assert "What came nearest" in said


def test_what_cannot_be_read_is_told_all_the_same() -> None:
    batch = [delivery(Proposal, 1, "digest", side="neither")]
    assert message_of(batch[0].event) is None
    assert grouped(batch).counts == {"others": 1}
    assert "neither" in as_text(digest(batch))
