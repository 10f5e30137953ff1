"""The sample catalogue: invented members with their technologies and demands, what must match, and malformed messages.

Everything in it is a sample: the organisations do not exist (their names say so, their credit codes hold EXAMPL, which
no register gives out), the figures are realistic for their fields but measured by nobody.
"""

import base64
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict

from shared.contracts.events import DemandDraft, OrganisationRegistered, TechnologyDraft
from shared.contracts.records import RecordDraft

FOLDER = Path(__file__).parent
ORGANISATIONS = FOLDER / "organisations.jsonl"
"""OrganisationRegistered, with `sample` (always true) and `ownership` (central_state, public, private)."""
TECHNOLOGIES = FOLDER / "technologies.jsonl"
"""TechnologyDraft, with full ids: what comes before the slash is the member that submits it."""
DEMANDS = FOLDER / "demands.jsonl"
"""DemandDraft, likewise."""
EXPECTED = FOLDER / "expected.jsonl"
"""ExpectedMatches, one line a demand."""
MALFORMED = FOLDER / "malformed.jsonl"
"""MalformedMessage, one line a way of being wrong."""

M = TypeVar("M", bound=BaseModel)


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExpectedMatches(_Line):
    """Which technologies must be proposed for a demand; for a demand without any, none may be."""

    demand_id: str
    technologies: tuple[str, ...]
    near_misses: tuple[str, ...]
    """Technologies about something akin that do not solve it: where they are proposed at all, after the others."""
    note: str = ""


class FieldError(_Line):
    """One entry of a rejection's errors: the field and the rule."""

    pointer: str
    code: str


class Growth(_Line):
    """Makes a text long: before its ending `text`, `by` is inserted so many times."""

    text: str
    by: str
    times: int


class SampleMessage(_Line):
    """A message as it is written to an outbox; exactly one of record, text, base64 and null gives its value."""

    headers: Mapping[str, str | Mapping[str, str | None] | None] = {}
    """Over the usual ones: None leaves one out, {"base64": ...} gives bytes, {"base64": null} no value."""
    record: Any = None
    """A JSON value."""
    text: str | None = None
    """The value as text, which need not be JSON."""
    base64: str | None = None
    null: bool = False
    grown: Growth | None = None

    def value(self) -> bytes | None:
        """The value to write."""
        if self.null:
            return None
        if self.base64 is not None:
            return base64.b64decode(self.base64)
        text = self.text if self.text is not None else orjson.dumps(self.record).decode()
        if self.grown is not None:
            text = text.removesuffix(self.grown.text) + self.grown.by * self.grown.times + self.grown.text
        return text.encode()

    def all_headers(self, member: str, type: str, id: str) -> list[tuple[str, bytes | None]]:
        """The headers to write: those of a binary CloudEvent, with this message's own over them."""
        usual: dict[str, str | Mapping[str, str | None] | None] = {
            "ce_specversion": "1.0",
            "ce_id": id,
            "ce_source": f"/members/{member}",
            "ce_type": type,
            "content-type": None if self.null else "application/json",
        }
        headers = {**usual, **self.headers}
        return [(name, _bytes(text)) for name, text in headers.items() if text is not None]


class MalformedMessage(SampleMessage):
    """A message that must be rejected, with the problem and the errors that its member must be told."""

    kind: str
    """The way of being wrong, in words; unique."""
    member: str
    type: str
    problem: str
    """Last part of the problem's URN."""
    errors: tuple[FieldError, ...]
    after: SampleMessage | None = None
    """A message in order that must come first, where only what was said before makes this one wrong."""
    note: str = ""

    def headers_to_write(self) -> list[tuple[str, bytes | None]]:
        """The headers of the message itself."""
        return self.all_headers(self.member, self.type, f"malformed: {self.kind}")

    def headers_of_first(self) -> list[tuple[str, bytes | None]]:
        """The headers of the message that must come first. Raises ValueError where there is none."""
        if self.after is None:
            raise ValueError(f"nothing must come before: {self.kind}")
        return self.after.all_headers(self.member, self.type, f"before: {self.kind}")


@cache
def organisations() -> tuple[OrganisationRegistered, ...]:
    """The members, as the registry would announce them."""
    return _read(ORGANISATIONS, OrganisationRegistered)


@cache
def technologies() -> tuple[TechnologyDraft, ...]:
    """The technologies, as their members write them."""
    return _read(TECHNOLOGIES, TechnologyDraft)


@cache
def demands() -> tuple[DemandDraft, ...]:
    """The demands, as their members write them."""
    return _read(DEMANDS, DemandDraft)


@cache
def expected() -> tuple[ExpectedMatches, ...]:
    """What must be proposed for each demand, in the order of the demands."""
    return _read(EXPECTED, ExpectedMatches)


@cache
def malformed() -> tuple[MalformedMessage, ...]:
    """Messages that must be rejected, each wrong in its own way."""
    return _read(MALFORMED, MalformedMessage)


def member_of(record: RecordDraft) -> str:
    """The member that submits a record of the catalogue."""
    return record.id.partition("/")[0]


def lines(file: Path) -> Iterator[bytes]:
    """The lines of a file of the catalogue, as they are."""
    return (line for line in file.read_bytes().splitlines() if line)


def _read(file: Path, model: type[M]) -> tuple[M, ...]:
    return tuple(model.model_validate_json(line) for line in lines(file))


def _bytes(header: str | Mapping[str, str | None]) -> bytes | None:
    if isinstance(header, str):
        return header.encode()
    encoded = header["base64"]
    return None if encoded is None else base64.b64decode(encoded)
