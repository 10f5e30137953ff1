"""Understands one message of a member, or lists everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError

from services.intake import envelope, json_text, understanding
from services.intake.envelope import KINDS, LONGEST_EVENT_ID, Kind
from services.intake.expiry import is_past
from services.intake.language import answer_language
from services.intake.statements import ProblemKind, Refusal, Speaker, Statement
from services.intake.understanding import Draft
from services.intake.wording import Fault, problems_in_language
from shared.contracts.envelope_wording import TOO_LARGE, envelope_problem
from shared.contracts.events import MOST_ERRORS, AnswerDraft, FieldProblem, RecordKind, RecordReference
from shared.contracts.formats import MATCH_ID
from shared.contracts.problems import Language, field_problems

if TYPE_CHECKING:
    from shared.streaming import Event

_NO_DATA = object()
_MATCH_ID = re.compile(MATCH_ID)


def read(event: Event[bytes], member: str, today: date) -> Statement | Refusal:
    """What the member says in this message. `today` (UTC) only serves to name a past expiry among other faults."""
    faults = envelope.attribute_faults(event, member)
    kind = KINDS.get(event.type)
    value: Any = _NO_DATA
    if event.data is not None and not envelope.is_unreadable(event):
        try:
            value, duplicates = json_text.parse(event.data)
            faults += duplicates
        except json_text.NotJsonError as broken:
            # What is not said to be JSON, or came in a broken envelope, is not blamed for its form a second time.
            if not event.problems and all(fault.pointer != "/headers/content-type" for fault in faults):
                faults.append(broken.fault)
    draft, invalid = _validated(kind, value)
    record = None
    if kind is not None:
        record, own = _own_faults(event, kind, value, member)
        faults += own if invalid is None else _beyond(invalid, [*own, *_past_expiry(value, today)])
    if kind is not None and record is not None and not (event.problems or faults or invalid):
        return _understood(event, member, kind, record, draft)
    language = answer_language(event.data if value is _NO_DATA else value)
    errors = (
        *(
            envelope_problem(envelope.attribute_pointer(p.pointer), p.message, language)
            for p in envelope.core_problems(event)
        ),
        *(fault.said(language) for fault in faults),
        *_field_errors(invalid, language),
    )
    speaker = Speaker(member, event.id[:LONGEST_EVENT_ID] or None, language)
    return Refusal(speaker, _problem_kind(event, faults), errors[:MOST_ERRORS], _reference(kind, record))


def _validated(kind: Kind | None, value: Any) -> tuple[Draft | None, ValidationError | None]:
    if kind is None or value is _NO_DATA:
        return None, None
    try:
        return kind.draft.model_validate(value), None
    except ValidationError as error:
        return None, error


def _own_faults(event: Event[bytes], kind: Kind, value: Any, member: str) -> tuple[str | None, list[Fault]]:
    """The full id of the record (an answer's match id), and what contradicts the message's topic or attributes."""
    if event.data is None:
        return (None, []) if event.problems else _withdrawn(event, kind, member)
    if not isinstance(value, dict):
        return None, []
    fields = cast(Mapping[str, Any], value)
    faults: list[Fault] = []
    subject = event.subject
    if kind.record is RecordKind.ANSWER:
        written = fields.get("match_id")
        record = written if isinstance(written, str) and _MATCH_ID.fullmatch(written) else None
    else:
        record, fault = envelope.own_id(fields.get("id"), member, "/id")
        if fault is not None and "id" in fields:
            faults.append(fault)
        if subject is not None and "/" not in subject:
            subject = f"{member}/{subject}"
        given = envelope.record_version(event)
        if given is not None and fields.get("version") not in (None, given):
            faults.append(Fault("/headers/ce_recordversion", "record_version_differs"))
    if record is not None and subject is not None and subject != record:
        faults.append(Fault("/headers/ce_subject", "subject_differs"))
    if kind.record is RecordKind.OUTCOME and fields.get("technology_id") is not None:
        _, fault = envelope.own_id(fields["technology_id"], member, "/technology_id")
        if fault is not None:
            faults.append(fault)
    return record, faults


def _withdrawn(event: Event[bytes], kind: Kind, member: str) -> tuple[str | None, list[Fault]]:
    if not kind.withdrawable:
        return None, [Fault("", "data_needed")]
    if event.subject is None:
        return None, [Fault("/headers/ce_subject", "subject_needed")]
    record, fault = envelope.own_id(event.subject, member, "/headers/ce_subject")
    return record, [fault] if fault else []


def _beyond(invalid: ValidationError, faults: Sequence[Fault]) -> list[Fault]:
    """Faults of meaning in fields whose form is right: a field is named once."""
    wrong = {"/".join(("", *map(str, error["loc"]))) for error in invalid.errors(include_url=False)}
    return [fault for fault in faults if fault.pointer not in wrong]


def _past_expiry(value: Any, today: date) -> list[Fault]:
    written = cast(dict[str, Any], value).get("expires_on") if isinstance(value, dict) else None
    try:
        expired = isinstance(written, str) and is_past(date.fromisoformat(written), today)
    except ValueError:
        expired = False
    return [Fault("/expires_on", "expired")] if expired else []


def _understood(event: Event[bytes], member: str, kind: Kind, record: str, draft: Draft | None) -> Statement | Refusal:
    body, language = (None, None) if draft is None else understanding.body_of(draft, member)
    speaker = Speaker(member, event.id, language)
    unknown = understanding.unknown_extensions(event.extensions)
    content = None
    if body is not None:
        text = understanding.content_of(body)
        if fault := understanding.size_fault(text, event.extensions):
            return Refusal(speaker, "too-large", (fault.said(language),), _reference(kind, record))
        content = understanding.digest(text)
    version = None if draft is None or isinstance(draft, AnswerDraft) else draft.version
    return Statement(
        speaker=speaker,
        kind=kind.record,
        id=record,
        version=None if isinstance(draft, AnswerDraft) else version or envelope.record_version(event),
        body=body,
        content=content,
        message_key=understanding.digest(member, event.source, event.id),
        warnings=understanding.warnings_of(draft, unknown, language),
        extensions=unknown,
    )


def _field_errors(invalid: ValidationError | None, language: Language | None) -> tuple[FieldProblem, ...]:
    if invalid is None:
        return ()
    return problems_in_language(lambda chosen: field_problems(invalid, chosen), language)


def _problem_kind(event: Event[bytes], faults: Sequence[Fault]) -> ProblemKind:
    if any(re.match(TOO_LARGE, problem.message) for problem in event.problems):
        return "too-large"
    if event.problems or any(fault.pointer.startswith("/headers/") for fault in faults):
        return "invalid-envelope"
    return "invalid-record"


def _reference(kind: Kind | None, record: str | None) -> RecordReference | None:
    return RecordReference(kind=kind.record, id=record) if kind is not None and record is not None else None
