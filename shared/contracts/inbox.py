"""What a member finds in its inbox: allow-lists, from which nobody learns who the other party is."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from shared.contracts.base import InboxMessage, OpenEnum, Value
from shared.contracts.feedback import SeenVersions
from shared.contracts.formats import EventId, MatchId, RecordId
from shared.contracts.match import (
    Checks,
    Components,
    DemandDisplay,
    MethodVersion,
    Passages,
    SharedTerms,
    Side,
    TechnologyDisplay,
)
from shared.contracts.risk import Risk
from shared.contracts.values import Comment, Count, Number, Share, Title, Version

MOST_ERRORS = 50


class RecordKind(StrEnum):
    """What a message in an outbox was about."""

    TECHNOLOGY = "technology"
    DEMAND = "demand"
    ANSWER = "answer"
    OUTCOME = "outcome"
    OTHER = "other"


class RecordReference(Value):
    """A record of the reader's own; the id of an answer is the match id."""

    kind: Annotated[RecordKind, OpenEnum(RecordKind.OTHER)]
    id: Annotated[str, StringConstraints(min_length=1, max_length=256)]
    version: Version | None = None


class FieldProblem(Value):
    """One wrong or doubtful field: where (RFC 6901, empty for the whole), which rule, and what to do."""

    pointer: Annotated[str, StringConstraints(max_length=512)]
    code: Annotated[str, StringConstraints(max_length=64)]
    message: Comment


Problems = Annotated[tuple[FieldProblem, ...], Field(max_length=MOST_ERRORS)]


class ReceiptOutcome(StrEnum):
    """What became of a message that was in order."""

    ACCEPTED = "accepted"
    WITHDRAWN = "withdrawn"  # a technology is withdrawn, a demand closed
    EXPIRED = "expired"  # the record's own expires_on has come
    REPEATED = "repeated"  # the same message or the same content again: nothing changed
    OUTDATED = "outdated"  # a later version is known: nothing changed
    WAITING = "waiting"  # kept for at most a day until its match is known
    OTHER = "other"


class Receipt(InboxMessage):
    """A message was taken; warnings name fields that nobody knows."""

    type: ClassVar[str] = "tongtu.receipt.v1"

    event_id: EventId | None = None
    """The id attribute of the message that it answers; none for an expiry."""
    outcome: Annotated[ReceiptOutcome, OpenEnum(ReceiptOutcome.OTHER)]
    record: RecordReference
    warnings: Problems = ()

    @property
    def key(self) -> str:
        """The reader's record."""
        return self.record.id


class Rejection(InboxMessage):
    """A message was not taken: problem details (RFC 9457) that name every wrong field at once, at most 50."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True, validate_by_alias=True)
    type: ClassVar[str] = "tongtu.rejection.v1"

    problem: Annotated[str, StringConstraints(max_length=256, pattern=r"^urn:tongtu:problem:[a-z-]+$")] = Field(
        alias="type"
    )
    """The `type` member of the problem details."""
    title: Title
    detail: Comment | None = None
    errors: Problems = ()
    event_id: EventId | None = None
    record: RecordReference | None = None

    @property
    def key(self) -> str:
        """The reader's record, or its message where that names none."""
        return self.record.id if self.record else self.event_id or "unknown"


class OwnRecord(Value):
    """The reader's own record in a match."""

    id: RecordId
    version: Version


class Proposal(InboxMessage):
    """A match with its risk, as one party sees it."""

    type: ClassVar[str] = "tongtu.proposal.v1"

    match_id: MatchId
    side: Side
    """The reader's."""
    own: OwnRecord
    versions: SeenVersions
    """To give back with the answer."""
    technology: TechnologyDisplay | None = None
    """The other party's offer, when the reader is the seeker."""
    demand: DemandDisplay | None = None
    """The other party's need, when the reader is the owner of the technology."""
    score: Share
    order: Number | None = None
    """What to show first: the highest. The score, moved within bounds (docs/matching-policy.md); it says nothing more
    about the match."""
    components: Components = Field(default_factory=dict)
    shared_terms: SharedTerms = ()
    missing_terms: SharedTerms = ()
    passages: Passages = ()
    checks: Checks = ()
    method: MethodVersion
    risk: Risk

    @model_validator(mode="after")
    def _shows_the_other_party(self) -> Self:
        shown, hidden = (
            (self.demand, self.technology) if self.side is Side.TECHNOLOGY else (self.technology, self.demand)
        )
        if shown is None or hidden is not None:
            raise ValueError(f"a proposal to the {self.side} side shows the {self.side.other} and only that")
        return self

    @property
    def key(self) -> str:
        """The match's id."""
        return self.match_id


class WithdrawalReason(StrEnum):
    """Why a proposal is taken back."""

    NO_LONGER_HOLDS = "no_longer_holds"  # a record changed, ended or may not be seen any more; a better one; a decline
    LAPSED = "lapsed"  # one side has not answered in time
    OTHER = "other"


class ProposalWithdrawn(InboxMessage):
    """A proposal that was sent before is taken back."""

    type: ClassVar[str] = "tongtu.proposal-withdrawn.v1"

    match_id: MatchId
    side: Side
    own_id: RecordId
    reason: Annotated[WithdrawalReason, OpenEnum(WithdrawalReason.OTHER)] | None = None
    """Messages from before there were reasons have none."""

    @property
    def key(self) -> str:
        """The match's id."""
        return self.match_id


class Miss(Value):
    """The technology that came nearest, anonymous."""

    score: Share
    shared_terms: SharedTerms = ()
    missing_terms: SharedTerms = ()
    checks: Checks = ()
    display: TechnologyDisplay


class NoMatch(InboxMessage):
    """A demand was searched for and nothing is good enough; it stays open."""

    type: ClassVar[str] = "tongtu.no-match.v1"

    own: OwnRecord
    technologies_searched: Count
    threshold: Share
    nearest_miss: Miss | None = None
    method: MethodVersion

    @property
    def key(self) -> str:
        """The reader's demand."""
        return self.own.id
