"""What a member finds in its inbox about answers: that both accept, that the other declines, that one is waited for."""

from typing import Annotated, ClassVar

from pydantic import Field

from shared.contracts.base import InboxMessage, OpenEnum, Value
from shared.contracts.feedback import DeclineReason, SeenVersions
from shared.contracts.formats import LanguageTag, MatchId, MemberId, RecordId, Region
from shared.contracts.match import Side
from shared.contracts.organisation import Contact, OrganisationKind, Uscc
from shared.contracts.values import Comment, Day, Title


class DisclosedOrganisation(Value):
    """The other party, by name."""

    id: MemberId
    names: Annotated[dict[LanguageTag, Title], Field(min_length=1, max_length=10)]
    """Full name by language."""
    kind: Annotated[OrganisationKind, OpenEnum(OrganisationKind.OTHER)]
    region: Region | None = None
    uscc: Uscc | None = None
    contacts: Annotated[tuple[Contact, ...], Field(max_length=10)] = ()


class AboutAnswers(InboxMessage):
    """A message about the answers to one match."""

    match_id: MatchId
    side: Side
    """The reader's."""
    own_id: RecordId

    @property
    def key(self) -> str:
        """The match's id."""
        return self.match_id


class MutualInterest(AboutAnswers):
    """Both parties accept: who the other one is and whom to turn to. The only message that names it."""

    type: ClassVar[str] = "tongtu.mutual-interest.v1"

    other_id: RecordId
    """The other party's record."""
    organisation: DisclosedOrganisation
    comment: Comment | None = None
    """What it wrote when it accepted."""


class MatchDeclined(AboutAnswers):
    """The other party declines; it stays unnamed."""

    type: ClassVar[str] = "tongtu.match-declined.v1"

    versions: SeenVersions
    """What it declined."""
    reason: Annotated[DeclineReason, OpenEnum(DeclineReason.OTHER)]
    comment: Comment | None = None
    """What it wrote; left out where that says who it is."""


class AnswerReminder(AboutAnswers):
    """The reader has not answered a proposal that it holds; said once."""

    type: ClassVar[str] = "tongtu.answer-reminder.v1"

    versions: SeenVersions
    """To give back with the answer."""
    lapses_on: Day
    """The day (UTC) on which the proposal is taken back if no answer comes."""
