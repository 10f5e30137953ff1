"""A match: one technology for one demand, why, and what is missing; and what a search came to."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts.base import EventData, OpenEnum, Value
from shared.contracts.demand import CooperationMode, Priority, Target
from shared.contracts.formats import LanguageTag, MatchId, MemberId, RecordId, Region
from shared.contracts.organisation import OrganisationKind
from shared.contracts.technology import IprStatus, Plan, TransferMode
from shared.contracts.values import (
    Count,
    Day,
    Industries,
    Keyword,
    Keywords,
    MoneyRange,
    MrlLevel,
    NamedMembers,
    Number,
    OpenVisibility,
    Share,
    StrategicFields,
    Summary,
    Title,
    TrlLevel,
    Version,
    visible_to,
)

MethodVersion = Annotated[str, StringConstraints(min_length=1, max_length=64)]
CodeWord = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")]
"""A name that programs compare and that a translation table can turn into words."""
Components = Annotated[dict[CodeWord, Number], Field(max_length=20)]
SharedTerms = Annotated[tuple[Keyword, ...], Field(max_length=50)]


class Side(StrEnum):
    """The two parties to a match."""

    TECHNOLOGY = "technology"
    DEMAND = "demand"

    @property
    def other(self) -> "Side":
        """The party across the table."""
        return Side.DEMAND if self is Side.TECHNOLOGY else Side.TECHNOLOGY


class Verdict(StrEnum):
    """Whether a criterion is met; what cannot be told is unknown, never met."""

    MET = "met"
    UNMET = "unmet"
    UNKNOWN = "unknown"


class Wording(Value):
    """The same said in Chinese and in English."""

    zh: Summary
    en: Summary


class Check(Value):
    """One criterion: what was asked, what is offered, whether that meets it. Both parties see it: it names nobody."""

    criterion: CodeWord
    asked: Summary | None = None
    offered: Summary | None = None
    verdict: Annotated[Verdict, OpenEnum(Verdict.UNKNOWN)]
    wording: Wording | None = None
    """The verdict as people read it, with the gap and what would close it."""


Checks = Annotated[tuple[Check, ...], Field(max_length=50)]


class Passage(Value):
    """Where the two texts meet: the sentence of each side that shares most with one of the other's."""

    technology: Summary
    demand: Summary


Passages = Annotated[tuple[Passage, ...], Field(max_length=5)]


class Display(Value):
    """What the other party may see of a record: nothing in it names the owner."""

    title: Title
    summary: Summary | None = None
    language: LanguageTag
    keywords: Keywords = ()
    industry: Industries = ()
    strategic_fields: StrategicFields = ()
    region: Region | None = None
    organisation_kind: Annotated[OrganisationKind, OpenEnum(OrganisationKind.OTHER)] | None = None


class TechnologyDisplay(Display):
    """A technology as the seeker may see it."""

    trl: TrlLevel | None = None
    mrl: MrlLevel | None = None
    ipr_status: Annotated[IprStatus, OpenEnum(IprStatus.OTHER)] | None = None
    transfer_modes: Annotated[
        tuple[Annotated[TransferMode, OpenEnum(TransferMode.OTHER)], ...], Field(max_length=10)
    ] = ()
    price: MoneyRange | None = None


class DemandDisplay(Display):
    """A demand as the owner of a technology may see it."""

    required_trl: TrlLevel | None = None
    deadline: Day | None = None
    budget: MoneyRange | None = None
    targets: Annotated[tuple[Target, ...], Field(max_length=20)] = ()
    cooperation_modes: Annotated[
        tuple[Annotated[CooperationMode, OpenEnum(CooperationMode.OTHER)], ...], Field(max_length=10)
    ] = ()
    priority: Annotated[Priority, OpenEnum(Priority.OTHER)] | None = None


class TechnologyRiskExtract(Value):
    """What the assessment needs of a technology."""

    trl: TrlLevel | None = None
    mrl: MrlLevel | None = None
    ipr_status: Annotated[IprStatus, OpenEnum(IprStatus.OTHER)] | None = None
    plan: Plan | None = None
    price: MoneyRange | None = None


class DemandRiskExtract(Value):
    """What the assessment needs of a demand."""

    required_trl: TrlLevel | None = None
    budget: MoneyRange | None = None
    starts_on: Day | None = None
    deadline: Day | None = None


class Party(Value):
    """Which version of whose record stands on one side."""

    id: RecordId
    version: Version
    owner: MemberId
    visibility: OpenVisibility
    named_members: NamedMembers = ()
    language: LanguageTag

    def visible_to(self, member: str) -> bool:
        """Whether that member may see this record."""
        return visible_to(member, self.owner, self.visibility, self.named_members)


class TechnologyParty(Party):
    """The technology's side of a match."""

    display: TechnologyDisplay
    risk: TechnologyRiskExtract


class DemandParty(Party):
    """The demand's side of a match."""

    display: DemandDisplay
    risk: DemandRiskExtract


class MatchProposed(EventData):
    """One technology for one demand, self-contained; a null record instead says that it no longer holds."""

    topic: ClassVar[str] = "match.proposed"
    type: ClassVar[str] = "tongtu.match.proposed.v1"

    match_id: MatchId
    technology: TechnologyParty
    demand: DemandParty
    score: Share
    components: Components = Field(default_factory=dict)
    """What the score is made of, each on its own scale."""
    shared_terms: SharedTerms = ()
    missing_terms: SharedTerms = ()
    """Weighty terms of the demand that the technology does not use; none are told across languages."""
    passages: Passages = ()
    """Best first; of what each side shows, and none across languages."""
    checks: Checks = ()
    method: MethodVersion

    @property
    def key(self) -> str:
        """The match's id."""
        return self.match_id

    def party(self, side: Side) -> TechnologyParty | DemandParty:
        """The party on that side."""
        return self.technology if side is Side.TECHNOLOGY else self.demand


class NearestMiss(Value):
    """The best technology that stayed below the threshold."""

    technology_id: RecordId
    technology_version: Version
    score: Share
    shared_terms: SharedTerms = ()
    missing_terms: SharedTerms = ()
    checks: Checks = ()
    display: TechnologyDisplay


class DemandSearched(EventData):
    """What the search for one demand came to: how many proposals, or none and the nearest miss."""

    topic: ClassVar[str] = "demand.searched"
    type: ClassVar[str] = "tongtu.demand.searched.v1"

    demand_id: RecordId
    demand_version: Version
    owner: MemberId
    language: LanguageTag
    proposals: Count
    """0 means: no good match."""
    technologies_searched: Count
    threshold: Share
    nearest_miss: NearestMiss | None = None
    method: MethodVersion

    @property
    def key(self) -> str:
        """The demand's id."""
        return self.demand_id
