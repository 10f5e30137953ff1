"""What a member says, once it is understood; or why it was not."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.contracts.events import (
    AnswerDraft,
    DemandPosted,
    FieldProblem,
    OutcomeRecorded,
    RecordKind,
    RecordReference,
    TechnologySubmitted,
)
from shared.contracts.problems import Language

Body = TechnologySubmitted | DemandPosted | OutcomeRecorded | AnswerDraft

ProblemKind = Literal[
    "invalid-envelope",
    "invalid-record",
    "too-large",
    "id-reused",
    "version-conflict",
    "unknown-record",
    "not-a-party",
    "unknown-match",
]


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who said it, in which message, and in which language to answer (None: not known)."""

    member: str
    event_id: str | None
    language: Language | None


@dataclass(frozen=True, slots=True)
class Statement:
    """One valid message: a record, its withdrawal, an answer or an outcome."""

    speaker: Speaker
    kind: RecordKind
    id: str
    """The record's full id; of an answer the match id."""
    version: int | None
    """As the member gave it."""
    body: Body | None
    """The canonical record, its version still to be set; an answer's draft, which its match completes; or None."""
    content: str | None
    """Digest of the body without ids and version; None for a withdrawal."""
    message_key: str
    """Digest of (member, source, id of the message): the same for a message that is sent again."""
    warnings: tuple[FieldProblem, ...] = ()
    extensions: Mapping[str, str] = field(default_factory=dict[str, str])
    """CloudEvents attributes that nobody here knows, to be carried along."""

    @property
    def record_key(self) -> str:
        """Under which the latest version is kept; an answer's is its party's own."""
        if self.kind is RecordKind.ANSWER:
            return f"{self.kind}/{self.id}/{self.speaker.member}"
        return f"{self.kind}/{self.id}"

    @property
    def fingerprint(self) -> str:
        """Equal for messages that say the same."""
        return f"{self.record_key} {self.version} {self.content}"

    @property
    def match_id(self) -> str | None:
        """The match that it is about, if it is about one."""
        return self.body.match_id if isinstance(self.body, AnswerDraft | OutcomeRecorded) else None

    @property
    def technology_key(self) -> str | None:
        """The record key of the technology that an outcome is about, if it is about one."""
        technology = self.body.technology_id if isinstance(self.body, OutcomeRecorded) else None
        return technology and f"{RecordKind.TECHNOLOGY}/{technology}"

    def reference(self, version: int | None = None) -> RecordReference:
        """How the member's inbox names the record."""
        return RecordReference(kind=self.kind, id=self.id, version=version)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a message was not taken: all of it."""

    speaker: Speaker
    problem: ProblemKind
    errors: tuple[FieldProblem, ...]
    record: RecordReference | None = None
