"""A demand: what industry needs solved, to which targets, by when, and for how much."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from shared.contracts.base import EventData, OpenEnum, Value, refuse
from shared.contracts.records import CanonicalRecord, RecordBody, RecordDraft
from shared.contracts.values import Day, DraftMoneyRange, Keyword, LongText, MoneyRange, Name, NumberOrText, TrlLevel


class Comparator(StrEnum):
    """How a target's value is meant."""

    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    MORE_THAN = "more_than"
    LESS_THAN = "less_than"
    EQUAL = "equal"
    OTHER = "other"


class CooperationMode(StrEnum):
    """How the seeker would work with the owner (解决方式)."""

    COMMISSIONED = "commissioned"  # 委托研发
    JOINT_DEVELOPMENT = "joint_development"  # 合作研发
    LICENCE = "licence"  # 许可
    PURCHASE = "purchase"  # 购买、转让
    TECHNICAL_SERVICE = "technical_service"  # 技术服务
    CONSULTING = "consulting"  # 技术咨询
    INVESTMENT = "investment"  # 投资、作价入股
    OTHER = "other"


class Priority(StrEnum):
    """At which level the need was declared."""

    NATIONAL = "national"
    INDUSTRY = "industry"
    COMPANY = "company"
    OTHER = "other"


class Target(Value):
    """One figure that a solution must reach; a value in words where no number says it."""

    name: Name
    comparator: Annotated[Comparator, OpenEnum(Comparator.OTHER)]
    value: NumberOrText
    unit: Keyword | None = None


class DraftTarget(Target):
    """A target as a member writes it."""

    comparator: Comparator


class DemandBody(RecordBody):
    """The fields of a demand that read the same in a draft and in the canonical record."""

    problem: LongText
    required_trl: TrlLevel | None = None
    """The lowest readiness that the seeker can use."""
    starts_on: Day | None = None
    deadline: Day | None = None


class DemandPosted(CanonicalRecord, DemandBody, EventData):
    """The latest version of a demand, whole; a null record instead says that it was closed."""

    topic: ClassVar[str] = "demand.posted"
    type: ClassVar[str] = "tongtu.demand.posted.v1"

    targets: Annotated[tuple[Target, ...], Field(max_length=20)] = ()
    budget: MoneyRange | None = None
    cooperation_modes: Annotated[
        tuple[Annotated[CooperationMode, OpenEnum(CooperationMode.OTHER)], ...], Field(max_length=10)
    ] = ()
    priority: Annotated[Priority, OpenEnum(Priority.OTHER)] | None = None

    @property
    def key(self) -> str:
        """The demand's id."""
        return self.id


class DemandDraft(RecordDraft, DemandBody):
    """A demand as its owner writes it into its outbox."""

    type: ClassVar[str] = "tongtu.demand.posted.v1"

    targets: Annotated[tuple[DraftTarget, ...], Field(max_length=20)] = ()
    budget: DraftMoneyRange | None = None
    cooperation_modes: Annotated[tuple[CooperationMode, ...], Field(max_length=10)] = ()
    priority: Priority | None = None

    @field_validator("deadline")
    @classmethod
    def _after_start(cls, deadline: Day | None, info: ValidationInfo) -> Day | None:
        start = info.data.get("starts_on")
        if deadline is not None and start is not None and deadline < start:
            raise refuse("end_before_start", "must not be before starts_on")
        return deadline

    def canonical(self, member: str, version: int, language: str) -> DemandPosted:
        """The canonical record; `language` is the detected one, used when the draft names none."""
        return DemandPosted.model_validate(self._canonical(member, version, language))
