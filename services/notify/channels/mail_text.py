"""What the mail of one message says: for each type of inbox message its subject and its content."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from pydantic import ValidationError

from services.notify.channels.answer_text import declined_blocks, mutual_interest_blocks, reminder_blocks
from services.notify.channels.delivery import InboxEvent
from services.notify.channels.letter import Block, Facts, Heading, Language, Letter, Paragraph, Points, subject_line
from services.notify.channels.mail_phrases import phrase
from services.notify.channels.mail_wording import check, listed, share, word
from services.notify.channels.proposal_text import display_facts, proposal_blocks, subject_of
from shared.contracts.base import InboxMessage
from shared.contracts.events import (
    AnswerReminder,
    MatchDeclined,
    MutualInterest,
    NoMatch,
    Proposal,
    ProposalWithdrawn,
    Receipt,
    Rejection,
)
from shared.contracts.inbox import FieldProblem, Miss, WithdrawalReason

_MOST_PLAIN_LINES = 60
_LONGEST_PLAIN = 500


class Content(NamedTuple):
    """What a message comes to: one line for the subject, and what the mail says."""

    subject: str
    blocks: tuple[Block, ...]


def letter_of(event: InboxEvent, member: str, language: Language) -> Letter:
    """The mail of one message to the member whose inbox it is in."""
    content = content_of(event, member, language)
    return Letter(
        language=language,
        subject=subject_line(phrase("subject", language, about=content.subject)),
        heading=content.subject,
        blocks=content.blocks,
        footer=footer(member, language),
    )


def footer(member: str, language: Language) -> tuple[str, ...]:
    """Why it is sent, and how to have it otherwise."""
    return tuple(phrase(f"footer_{name}", language, member=member) for name in ("inbox", "preferences", "no_reply"))


def content_of(event: InboxEvent, member: str, language: Language) -> Content:
    """By type; a type that is not known here, or a message that cannot be read, is told field by field."""
    message = message_of(event)
    if message is None:
        return Content(phrase("other_subject", language, type=event.type), tuple(_plain(event, language)))
    return _CONTENT[type(message)](message, member, language)


def message_of(event: InboxEvent) -> InboxMessage | None:
    """The message as its contract has it; None where there is none here that reads it."""
    model = _MODELS.get(event.type)
    if model is None:
        return None
    try:
        return model.model_validate(event.data)
    except ValidationError:
        return None


def _proposal(message: Proposal, member: str, language: Language) -> Content:
    return Content(subject_of(message, language), tuple(proposal_blocks(message, member, language)))


def _withdrawn(message: ProposalWithdrawn, member: str, language: Language) -> Content:
    name = "lapsed" if message.reason is WithdrawalReason.LAPSED else "withdrawn"
    said = phrase(name, language, match_id=message.match_id, own=message.own_id)
    return Content(phrase("withdrawn_subject", language, own=message.own_id), (Paragraph(said),))


def _mutual_interest(message: MutualInterest, member: str, language: Language) -> Content:
    subject = phrase("mutual_subject", language, own=message.own_id)
    return Content(subject, tuple(mutual_interest_blocks(message, language)))


def _declined(message: MatchDeclined, member: str, language: Language) -> Content:
    return Content(phrase("declined_subject", language, own=message.own_id), tuple(declined_blocks(message, language)))


def _reminder(message: AnswerReminder, member: str, language: Language) -> Content:
    subject = phrase("reminder_subject", language, own=message.own_id, day=message.lapses_on.isoformat())
    return Content(subject, tuple(reminder_blocks(message, member, language)))


def _no_match(message: NoMatch, member: str, language: Language) -> Content:
    subject = phrase("no_match_subject", language, own=message.own.id)
    said = phrase(
        "no_match",
        language,
        own=message.own.id,
        version=message.own.version,
        searched=f"{message.technologies_searched:,}",
        threshold=share(message.threshold, language),
        method=message.method,
    )
    return Content(subject, (Paragraph(said), *_miss(message.nearest_miss, language)))


def _miss(miss: Miss | None, language: Language) -> Iterator[Block]:
    if miss is None:
        return
    yield Paragraph(phrase("nearest", language, title=miss.display.title, score=share(miss.score, language)))
    yield Heading(phrase("the_technology", language))
    yield display_facts(miss.display, language)
    terms = (("shared_terms", miss.shared_terms), ("missing_terms", miss.missing_terms))
    rows = tuple((phrase(name, language), listed(each, language)) for name, each in terms if each)
    if rows:
        yield Facts(rows)
    if miss.checks:
        yield Points(tuple(check(each, language) for each in miss.checks))


def _rejection(message: Rejection, member: str, language: Language) -> Content:
    record = message.record
    about = record.id if record else message.event_id or message.key
    rows = [("record", record and f"{word(record.kind, language)} {record.id}"), ("event", message.event_id)]
    blocks: list[Block] = [
        Paragraph(phrase("rejection", language, title=message.title)),
        Facts(tuple((phrase(name, language), value) for name, value in rows if value)),
    ]
    if message.detail:
        blocks.append(Paragraph(message.detail))
    if message.errors:
        blocks.append(_problems(message.errors, language))
    blocks.append(Paragraph(phrase("rejection_again", language)))
    return Content(phrase("rejection_subject", language, about=about), tuple(blocks))


def _receipt(message: Receipt, member: str, language: Language) -> Content:
    record, outcome = message.record, word(message.outcome, language)
    kind = word(record.kind, language)
    blocks: list[Block] = [
        Paragraph(phrase("receipt", language, kind=kind, about=record.id, outcome=outcome)),
    ]
    if message.event_id:
        blocks.append(Facts(((phrase("event", language), message.event_id),)))
    if message.warnings:
        blocks += [Heading(phrase("warnings", language)), _problems(message.warnings, language)]
    return Content(phrase("receipt_subject", language, about=record.id, outcome=outcome), tuple(blocks))


def _problems(problems: tuple[FieldProblem, ...], language: Language) -> Points:
    """In the words that intake chose, which are those of the record's language."""
    colon = "：" if language == "zh" else ": "
    return Points(tuple(f"{each.pointer or phrase('whole', language)}{colon}{each.message}" for each in problems))


def _plain(event: InboxEvent, language: Language) -> Iterator[Block]:
    yield Paragraph(phrase("other", language))
    yield Facts(((phrase("type", language), event.type), (phrase("inbox_message", language), event.id)))
    lines = list(_leaves(event.data))
    if lines:
        yield Facts(tuple((name, value[:_LONGEST_PLAIN]) for name, value in lines[:_MOST_PLAIN_LINES]))
    if len(lines) > _MOST_PLAIN_LINES:
        yield Paragraph(phrase("digest_more", language, count=len(lines) - _MOST_PLAIN_LINES))


def _leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, str]]:
    """Every value that is no object or array, with the pointer to it."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves(part, f"{pointer}/{name}")
    elif isinstance(value, list | tuple):
        for position, part in enumerate(value):
            yield from _leaves(part, f"{pointer}/{position}")
    elif value is not None:
        yield pointer, str(value)


_CONTENT: Mapping[type[InboxMessage], Callable[[Any, str, Language], Content]] = MappingProxyType(
    {
        Proposal: _proposal,
        ProposalWithdrawn: _withdrawn,
        MutualInterest: _mutual_interest,
        MatchDeclined: _declined,
        AnswerReminder: _reminder,
        NoMatch: _no_match,
        Rejection: _rejection,
        Receipt: _receipt,
    }
)
_MODELS: Mapping[str, type[InboxMessage]] = MappingProxyType({model.type: model for model in _CONTENT})
