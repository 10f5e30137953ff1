"""What a mail says about answers: who the other side is once both accept, why it declines, that one is waited for."""

from __future__ import annotations

from collections.abc import Iterator

from services.notify.channels.letter import Block, Facts, Language, Paragraph
from services.notify.channels.mail_phrases import phrase
from services.notify.channels.mail_wording import listed, word
from services.notify.channels.proposal_text import answer_blocks
from shared.contracts.events import AnswerReminder, MatchDeclined, MutualInterest


def mutual_interest_blocks(message: MutualInterest, language: Language) -> Iterator[Block]:
    """The one message that names the other side."""
    yield Paragraph(phrase("mutual", language, match_id=message.match_id, own=message.own_id, other=message.other_id))
    organisation = message.organisation
    names = organisation.names
    # The reader's language first; the others help to find it.
    ordered = sorted(names, key=lambda tag: not tag.startswith(language))
    rows: list[tuple[str, str | None]] = [
        ("organisation", f"{listed((names[tag] for tag in ordered), language)} ({organisation.id})"),
        ("organisation_kind", word(organisation.kind, language)),
        ("region", organisation.region),
        ("uscc", organisation.uscc),
    ]
    for contact in organisation.contacts:
        parts = (contact.name, contact.role, contact.email, contact.phone)
        rows.append(("contact", listed((part for part in parts if part), language)))
    rows.append(("comment", message.comment))
    yield Facts(tuple((phrase(name, language), value) for name, value in rows if value))


def declined_blocks(message: MatchDeclined, language: Language) -> Iterator[Block]:
    """Its reason, as feedback."""
    reason = word(message.reason, language)
    yield Paragraph(phrase("declined", language, match_id=message.match_id, own=message.own_id, reason=reason))
    if message.comment:
        yield Facts(((phrase("comment", language), message.comment),))


def reminder_blocks(message: AnswerReminder, member: str, language: Language) -> Iterator[Block]:
    """What to send, and until when."""
    day = message.lapses_on.isoformat()
    yield Paragraph(phrase("reminder", language, match_id=message.match_id, own=message.own_id, day=day))
    yield from answer_blocks(message.match_id, message.versions, member, language)
