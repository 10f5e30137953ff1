"""What the attributes of a message must say: who writes, what about, and in which form."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from services.intake.versions import HIGHEST
from services.intake.wording import Fault
from shared.contracts.events import AnswerDraft, DemandDraft, OutcomeDraft, RecordKind, TechnologyDraft
from shared.contracts.formats import MEMBER_ID, OWN_RECORD_ID, full_id

if TYPE_CHECKING:
    from shared.streaming import Event, Problem

LONGEST_EVENT_ID = 512
KNOWN_EXTENSIONS = frozenset({"traceparent", "tracestate", "partitionkey", "recordversion"})
"""Attributes beyond the core ones that mean something here. The rest is carried along, with a warning."""

_MEMBER = re.compile(MEMBER_ID)
_OWN_RECORD_ID = re.compile(OWN_RECORD_ID)
_REQUIRED = frozenset({"id", "source", "type", "specversion"})
_JSON = re.compile(r"application/(json|[\w.+-]+\+json)")
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})
_VERSION = re.compile(r"[1-9][0-9]{0,9}")


class Kind(NamedTuple):
    """What a type of message is about, how it is read, and whether no data means a withdrawal."""

    record: RecordKind
    draft: type[TechnologyDraft] | type[DemandDraft] | type[AnswerDraft] | type[OutcomeDraft]
    withdrawable: bool


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        TechnologyDraft.type: Kind(RecordKind.TECHNOLOGY, TechnologyDraft, True),
        DemandDraft.type: Kind(RecordKind.DEMAND, DemandDraft, True),
        AnswerDraft.type: Kind(RecordKind.ANSWER, AnswerDraft, False),
        OutcomeDraft.type: Kind(RecordKind.OUTCOME, OutcomeDraft, True),
    }
)


def member_of(topic: str) -> str | None:
    """The member whose outbox this is: the broker lets nobody else write to it. None when its name is no member id."""
    member = topic.removeprefix("member.").removesuffix(".outbox")
    return member if _MEMBER.fullmatch(member) else None


def attribute_faults(event: Event[bytes], member: str) -> list[Fault]:
    """What is wrong with source, type, id, content type and record version, beyond what the event core says."""
    faults: list[Fault] = []
    if len(event.id) > LONGEST_EVENT_ID:
        faults.append(Fault("/headers/ce_id", "event_id_too_long", {"most": LONGEST_EVENT_ID}))
    if event.source and event.source != f"/members/{member}" and not event.source.startswith(f"/members/{member}/"):
        faults.append(Fault("/headers/ce_source", "source", {"member": member}))
    if event.type and event.type not in KINDS:
        faults.append(Fault("/headers/ce_type", "type", {"types": ", ".join(KINDS)}))
    if event.data is not None and (fault := _form_fault(event.content_type)):
        faults.append(fault)
    given = event.extensions.get("recordversion")
    if given is not None and record_version(event) is None:
        faults.append(Fault("/headers/ce_recordversion", "record_version", {"most": HIGHEST}))
    return faults


def record_version(event: Event[bytes]) -> int | None:
    """The version in the attribute recordversion; None where there is none, or no valid one."""
    given = event.extensions.get("recordversion", "")
    version = int(given) if _VERSION.fullmatch(given) else 0
    return version if 0 < version <= HIGHEST else None


def own_id(written: object, member: str, pointer: str) -> tuple[str | None, Fault | None]:
    """The full id of a record that this member wrote, or what is wrong with it."""
    if not isinstance(written, str) or not _OWN_RECORD_ID.fullmatch(written):
        return None, Fault(pointer, "record_id")
    try:
        return full_id(written, member), None
    except ValueError:
        return None, Fault(pointer, "foreign_id", {"member": member})


def core_problems(event: Event[bytes]) -> Sequence[Problem]:
    """What the event core found wrong; attributes do not count as missing where nothing at all could be read."""
    if not is_unreadable(event):
        return event.problems
    return [problem for problem in event.problems if problem.pointer.removeprefix("/") not in _REQUIRED]


def is_unreadable(event: Event[bytes]) -> bool:
    """Whether the envelope as a whole could not be read, so that its data is not known either."""
    return any(problem.pointer == "" for problem in event.problems)


def attribute_pointer(pointer: str) -> str:
    """Where a member finds an attribute that the event core names: its Kafka header, apart from fields of the data."""
    name = pointer.removeprefix("/")
    if not name or "/" in name or name in ("key", "headers", "data_base64"):
        return pointer
    return f"/headers/ce_{name}"


def _form_fault(content_type: str | None) -> Fault | None:
    """No content type means JSON, as in CloudEvents' own format."""
    if not content_type:
        return None
    media_type, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if not _JSON.fullmatch(media_type):
        return Fault("/headers/content-type", "content_type")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset" and value.strip().strip('"') not in _CHARSETS:
            return Fault("/headers/content-type", "charset")
    return None
