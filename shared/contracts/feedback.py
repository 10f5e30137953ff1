"""What comes back from the parties: answers to matches, and what became of them."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from shared.contracts.base import Draft, EventData, OpenEnum, Value, refuse
from shared.contracts.formats import MatchId, MemberId, OwnRecordId, RecordId, full_id
from shared.contracts.match import Side
from shared.contracts.risk import OpenStage, Stage
from shared.contracts.values import Comment, Day, DraftMoney, Money, Months, Version


class Decision(StrEnum):
    """What a party says to a match."""

    ACCEPTED = "accepted"
    DECLINED = "declined"


class DeclineReason(StrEnum):
    """Why a party declines."""

    TOO_EARLY = "too_early"
    TOO_EXPENSIVE = "too_expensive"
    ALREADY_SOLVED = "already_solved"
    NOT_WHAT_WE_ASKED = "not_what_we_asked"
    CONFIDENTIALITY = "confidentiality"
    OTHER = "other"


class SeenVersions(Value):
    """The versions of both records that a party saw when it answered."""

    technology: Version
    demand: Version


class AnswerDraft(Draft):
    """A party's answer as it writes it into its outbox; the side follows from who it is."""

    type: ClassVar[str] = "tongtu.match.answered.v1"

    match_id: MatchId
    versions: SeenVersions | None = None
    """What the answer is to, from the proposal; without them, to what was last proposed."""
    decision: Decision
    reason: DeclineReason | None = Field(default=None, validate_default=True)
    comment: Comment | None = None
    """For the other party: with a decline it reads this at once, unless it names its author; otherwise once both
    accept."""

    @field_validator("reason")
    @classmethod
    def _declined_with_reason(cls, reason: DeclineReason | None, info: ValidationInfo) -> DeclineReason | None:
        decision = info.data.get("decision")
        if decision is Decision.DECLINED and reason is None:
            raise refuse("reason_needed", "must be given when the match is declined")
        if decision is Decision.ACCEPTED and reason is not None:
            raise refuse("reason_not_needed", "must be left out when the match is accepted")
        return reason


class MatchAnswered(EventData):
    """The latest answer of one party to one match."""

    topic: ClassVar[str] = "match.answered"
    type: ClassVar[str] = "tongtu.match.answered.v1"

    match_id: MatchId
    side: Side
    member: MemberId
    version: Version
    """Counts this party's answers to this match."""
    technology_id: RecordId | None = None
    demand_id: RecordId | None = None
    """The records that the match joins; a match id alone does not tell them."""
    versions: SeenVersions
    decision: Decision
    reason: Annotated[DeclineReason, OpenEnum(DeclineReason.OTHER)] | None = None
    comment: Comment | None = None

    @property
    def key(self) -> str:
        """Each party has one answer to a match."""
        return f"{self.match_id}/{self.side}"


class Result(StrEnum):
    """How a stage ended: passed, failed for technical reasons, or stopped for others."""

    PASSED = "passed"
    FAILED = "failed"
    STOPPED = "stopped"
    OTHER = "other"


class OutcomeBody(Value):
    """The fields of an outcome that read the same in a draft and in the canonical record."""

    date: Day
    months: Months | None = None
    """That this stage took."""
    comment: Comment | None = None


class OutcomeDraft(OutcomeBody, Draft):
    """An outcome as a party writes it into its outbox: of a match, or of a technology of its own."""

    type: ClassVar[str] = "tongtu.outcome.recorded.v1"

    id: OwnRecordId
    version: Version | None = None
    match_id: MatchId | None = None
    technology_id: OwnRecordId | None = Field(default=None, validate_default=True)
    stage: Stage
    result: Result
    cost: DraftMoney | None = None
    """Of this stage."""

    @field_validator("technology_id")
    @classmethod
    def _one_subject(cls, technology_id: str | None, info: ValidationInfo) -> str | None:
        if "match_id" in info.data and (technology_id is None) is (info.data["match_id"] is None):
            raise refuse("one_subject", "must be given, or match_id instead, and not both")
        return technology_id

    def canonical(self, member: str, version: int) -> "OutcomeRecorded":
        """The canonical record; ValueError when an id names another member."""
        return OutcomeRecorded.model_validate(
            {
                **self.model_dump(),
                "id": full_id(self.id, member),
                "technology_id": self.technology_id and full_id(self.technology_id, member),
                "owner": member,
                "version": version,
            }
        )


class OutcomeRecorded(OutcomeBody, EventData):
    """What became of a match or a technology at one stage; a later version replaces an earlier one."""

    topic: ClassVar[str] = "outcome.recorded"
    type: ClassVar[str] = "tongtu.outcome.recorded.v1"

    id: RecordId
    owner: MemberId
    version: Version
    match_id: MatchId | None = None
    technology_id: RecordId | None = None
    stage: OpenStage
    result: Annotated[Result, OpenEnum(Result.OTHER)]
    cost: Money | None = None
    """Of this stage."""

    @property
    def key(self) -> str:
        """The outcome's id."""
        return self.id
