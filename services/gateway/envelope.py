"""CloudEvents as they come over HTTP, turned into the records that the member could have written to Kafka itself.

Binary, structured and batched (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md).
Only the envelope is looked at; what an event says is for intake to judge.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

from shared.contracts.base import escaped
from shared.contracts.envelope_wording import envelope_problem
from shared.contracts.inbox import FieldProblem
from shared.contracts.problems import Language, Wording, in_language
from shared.streaming.event import Event
from shared.streaming.record import RECORD_LIMIT
from shared.streaming.record_writer import Entry

STRUCTURED = b"application/cloudevents"
BATCHED = b"application/cloudevents-batch"
RawHeaders = Sequence[tuple[bytes, bytes]]

_FOREIGN = Wording(
    "must be /members/{member} or begin with /members/{member}/",
    "必须是 /members/{member} 或以 /members/{member}/ 开头",
)
_NO_SUBJECT = Wording(
    "must be the id of the record when there is no data: no data withdraws it",
    "没有数据时必须填写记录编号：没有数据表示撤回",
)
_NOT_A_BATCH = Wording("is not a JSON array of events: {error}", "不是由事件组成的 JSON 数组：{error}")
_NOT_AN_EVENT = Wording("is not a JSON object", "必须是 JSON 对象")
_SPACE = " \t\r\n"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with an envelope."""

    pointer: str
    code: str
    wording: Wording | str
    """A text stands for what the event core says, which is put into words elsewhere."""

    def said(self, language: Language | None) -> FieldProblem:
        """The fault as its sender reads it."""
        if isinstance(self.wording, str):
            return envelope_problem(self.pointer, self.wording, language)
        message = in_language(self.wording, language)[:2000]
        return FieldProblem(pointer=self.pointer[:512], code=self.code, message=message)


@dataclass(slots=True)
class Submission:
    """One event and the record that it becomes."""

    id: str
    source: str
    entry: Entry
    faults: list[Fault]

    @property
    def is_too_large(self) -> bool:
        """Whether no record may have its size."""
        return len(self.entry.key or b"") + len(self.entry.value or b"") > RECORD_LIMIT


def read_binary(headers: RawHeaders, body: bytes, member: str) -> Submission:
    """An event whose attributes are headers; an empty body is no data."""
    found: list[tuple[str, bytes]] = []
    has_source = False
    for name, value in headers:
        if name[:3] == b"ce-":
            has_source = has_source or name == b"ce-source"
            found.append((f"ce_{name[3:].decode('latin-1')}", unquote_to_bytes(value) if b"%" in value else value))
        elif name == b"content-type":
            found.append(("content-type", value))
    if not has_source:
        found.append(("ce_source", f"/members/{member}".encode()))
    submission = _submission(Entry(None, body or None, found), member, "/headers/ce-")
    if not body and submission.entry.key is None and not submission.faults:
        submission.faults.append(Fault("/headers/ce-subject", "subject_needed", _NO_SUBJECT))
    return submission


def read_structured(body: bytes, content_type: bytes, member: str, pointer: str = "") -> Submission:
    """An event that is one JSON object. Its bytes go on as they are, but for a source where it gives none."""
    headers = [("content-type", content_type)]
    submission = _submission(Entry(None, body, headers), member, f"{pointer}/")
    if not submission.source and any(fault.pointer == f"{pointer}/source" for fault in submission.faults):
        return _submission(Entry(None, _with_source(body, member), headers), member, f"{pointer}/")
    return submission


def read_batch(body: bytes, member: str, most: int) -> list[Submission] | Fault | None:
    """The events of a JSON array; the fault where it is none; None where there are more than `most`."""
    try:
        text = body.decode()
        elements = _elements(text, most)
    except (ValueError, RecursionError) as error:
        error_text = str(error)[:200].encode("utf-8", "replace").decode()
        return Fault("", "not_a_batch", Wording(*(words.format(error=error_text) for words in _NOT_A_BATCH)))
    if elements is None:
        return None
    return [_element(element, position, member) for position, element in enumerate(elements)]


def _element(element: str, position: int, member: str) -> Submission:
    if not element.startswith("{"):
        return Submission("", "", Entry(None, b"", ()), [Fault(f"/{position}", "not_an_event", _NOT_AN_EVENT)])
    return read_structured(element.encode(), b"application/cloudevents+json", member, f"/{position}")


def _elements(text: str, most: int) -> list[str] | None:
    """Each element of a JSON array as it is written. Raises ValueError, RecursionError."""
    decoder = json.JSONDecoder()
    at = _skip(text, 0)
    if text[at : at + 1] != "[":
        raise ValueError("it does not begin with [")
    found: list[str] = []
    at = _skip(text, at + 1)
    while text[at : at + 1] != "]" or found:
        if len(found) == most:
            return None
        _, end = decoder.raw_decode(text, at)
        found.append(text[at:end])
        at = _skip(text, end)
        if text[at : at + 1] == "]":
            break
        if text[at : at + 1] != ",":
            raise ValueError(f"a comma or ] is missing at character {at}")
        at = _skip(text, at + 1)
    if _skip(text, at + 1) != len(text):
        raise ValueError(f"something follows the array at character {at + 1}")
    return found


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at


def _submission(entry: Entry, member: str, pointer: str) -> Submission:
    event = entry.as_event(f"member.{member}.outbox")
    problems = event.problems
    # Where nothing could be read at all, no attribute is missing.
    problems = [problem for problem in problems if not problem.pointer] or problems
    faults = [_fault(problem.pointer, problem.message, pointer) for problem in problems]
    own = f"/members/{member}"
    if event.source and event.source != own and not event.source.startswith(f"{own}/"):
        wording = Wording(*(words.format(member=member) for words in _FOREIGN))
        faults.append(Fault(f"{pointer}source", "source", wording))
    entry.key = _key(event)
    return Submission(event.id, event.source, entry, faults)


def _fault(pointer: str, message: str, before: str) -> Fault:
    """The event core names attributes alone; the sender finds them under a header, or in an element of its batch."""
    name = pointer.removeprefix("/")
    if before == "/headers/ce-":
        placed = pointer if "/" in name or name in ("", "headers") else f"{before}{name}"
        return Fault(placed.replace("/headers/ce_", before), "envelope", message)
    return Fault(f"{before[:-1]}{pointer}", "envelope", message)


def _key(event: Event[Any]) -> bytes | None:
    key = event.extensions.get("partitionkey") or event.subject
    return key.encode("utf-8", "replace") if key else None


def _with_source(body: bytes, member: str) -> bytes:
    """The JSON object with a source as its first member; everything else stays as it is written."""
    start = body.index(b"{") + 1
    comma = b"" if body[start:].lstrip()[:1] == b"}" else b","
    source = f'"source":"/members/{escaped(member)}"'.encode()
    return body[:start] + source + comma + body[start:]
