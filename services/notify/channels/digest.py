"""A day's messages in one mail: what still holds, in groups, the best first, the rest counted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import takewhile

from services.notify.channels.delivery import Delivery
from services.notify.channels.letter import Block, Heading, Language, Letter, Paragraph, Points, subject_line
from services.notify.channels.mail_phrases import phrase
from services.notify.channels.mail_text import content_of, footer, message_of
from services.notify.channels.mail_wording import listed
from services.notify.channels.proposal_text import answer_blocks, proposal_summary
from shared.contracts.base import InboxMessage
from shared.contracts.events import (
    AnswerReminder,
    MatchDeclined,
    MutualInterest,
    NoMatch,
    Proposal,
    ProposalWithdrawn,
)

_ANSWERS = (MutualInterest, MatchDeclined, AnswerReminder)


@dataclass(slots=True)
class Groups:
    """What a digest tells, in the order in which it tells it."""

    proposals: list[tuple[Proposal, Delivery]] = field(default_factory=list)
    """By `order`, the highest first."""
    withdrawn: list[Delivery] = field(default_factory=list)
    no_match: list[Delivery] = field(default_factory=list)
    answers: list[Delivery] = field(default_factory=list)
    others: list[Delivery] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many each group has, without empty ones."""
        groups = {
            "proposals": self.proposals,
            "withdrawn": self.withdrawn,
            "no_match": self.no_match,
            "answers": self.answers,
            "others": self.others,
        }
        return {name: len(group) for name, group in groups.items() if group}


def grouped(deliveries: Sequence[Delivery]) -> Groups:
    """What is left to tell of these, which are in the order of the inbox.

    Of several messages that say how one thing stands (a proposal and its taking back, searches for one demand) only the
    last is told. What was proposed and taken back since the last digest is left out, unless the reader holds an earlier
    proposal of it.
    """
    groups = Groups()
    standing: dict[tuple[str, str | None], list[Delivery]] = {}
    for delivery in deliveries:
        message = message_of(delivery.event)
        if isinstance(message, Proposal | ProposalWithdrawn):
            standing.setdefault(("match", message.match_id), []).append(delivery)
        elif isinstance(message, NoMatch):
            standing.setdefault(("demand", message.own.id), []).append(delivery)
        elif isinstance(message, _ANSWERS):
            groups.answers.append(delivery)
        else:
            groups.others.append(delivery)
    for told in standing.values():
        last = told[-1]
        message = message_of(last.event)
        if isinstance(message, Proposal):
            groups.proposals.append((message, last))
        elif isinstance(message, NoMatch):
            groups.no_match.append(last)
        elif (
            len(told) == 1
            or told[0].before == Proposal.type
            or isinstance(message_of(told[0].event), ProposalWithdrawn)
        ):
            groups.withdrawn.append(last)
    groups.proposals.sort(key=lambda each: _order(each[0]), reverse=True)
    return groups


def _order(proposal: Proposal) -> float:
    return proposal.score if proposal.order is None else proposal.order


def digest_of(deliveries: Sequence[Delivery], member: str, day: date, language: Language, most: int) -> Letter | None:
    """The mail of a digest; None where nothing of it is left to tell. `most`: told in full, of each group."""
    groups = grouped(deliveries)
    if not groups.counts:
        return None
    counts = listed((phrase(f"count_{name}", language, count=n) for name, n in groups.counts.items()), language)
    return Letter(
        language=language,
        subject=subject_line(
            phrase("subject", language, about=phrase("digest_subject", language, day=day.isoformat(), counts=counts))
        ),
        heading=phrase("digest_heading", language, day=day.isoformat()),
        blocks=(Paragraph(phrase("digest_intro", language, counts=counts)), *_blocks(groups, member, language, most)),
        footer=footer(member, language),
    )


def _blocks(groups: Groups, member: str, language: Language, most: int) -> Iterator[Block]:
    if groups.proposals:
        yield Heading(phrase("digest_proposals", language))
        for proposal, _ in groups.proposals[:most]:
            yield from proposal_summary(proposal, language)
        yield from _rest(len(groups.proposals) - most, language)
    if groups.withdrawn:
        yield Heading(phrase("digest_withdrawn", language))
        yield Points(tuple(_in_a_line(each, member, language) for each in groups.withdrawn[:most]))
        yield from _rest(len(groups.withdrawn) - most, language)
    for name, group in (("no_match", groups.no_match), ("answers", groups.answers), ("others", groups.others)):
        yield from _in_short(name, group[:most], member, language)
        yield from _rest(len(group) - most, language)
    waiting = [proposal.match_id for proposal, _ in groups.proposals]
    waiting += [message.match_id for message in _messages(groups.answers) if isinstance(message, AnswerReminder)]
    if waiting:
        answer = answer_blocks(waiting[0], None, member, language)
        yield next(answer)
        yield Paragraph(phrase("answer_each", language))
        yield from answer


def _messages(deliveries: Sequence[Delivery]) -> Iterator[InboxMessage | None]:
    return (message_of(each.event) for each in deliveries)


def _in_a_line(delivery: Delivery, member: str, language: Language) -> str:
    said = _beginning(delivery, member, language)
    return " ".join(block.text for block in said if isinstance(block, Paragraph))


def _in_short(name: str, group: Sequence[Delivery], member: str, language: Language) -> Iterator[Block]:
    if group:
        yield Heading(phrase(f"digest_{name}", language))
    for each in group:
        yield Heading(content_of(each.event, member, language).subject, level=3)
        yield from _beginning(each, member, language)


def _beginning(delivery: Delivery, member: str, language: Language) -> Iterator[Block]:
    """What its own mail says before the first heading in it."""
    blocks = content_of(delivery.event, member, language).blocks
    return takewhile(lambda block: not isinstance(block, Heading), blocks)


def _rest(count: int, language: Language) -> Iterator[Block]:
    if count > 0:
        yield Paragraph(phrase("digest_more", language, count=count))
