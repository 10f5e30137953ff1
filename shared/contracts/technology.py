"""A technology: what an owner can bring to industry, how mature it is, and on which terms."""

from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from shared.contracts.base import EventData, OpenEnum, Value, refuse
from shared.contracts.records import CanonicalRecord, RecordBody, RecordDraft
from shared.contracts.values import (
    ActiveCurrency,
    Advantages,
    Amount,
    Currency,
    DraftMoneyRange,
    Keyword,
    LongText,
    MoneyRange,
    Months,
    MrlLevel,
    Summary,
    Trl,
)


class IprStatus(StrEnum):
    """How the result is protected; the stages of the Enterprise Europe Network profile."""

    NONE = "none"
    SECRET = "secret"  # noqa: S105 - know-how, not a password
    APPLIED = "applied"
    GRANTED = "granted"
    OTHER = "other"


class TransferMode(StrEnum):
    """How the owner would pass it on (转让方式)."""

    ASSIGNMENT = "assignment"  # 所有权转让
    EXCLUSIVE_LICENCE = "exclusive_licence"  # 独占许可: not even the owner uses it
    SOLE_LICENCE = "sole_licence"  # 排他许可: only the licensee and the owner use it
    NON_EXCLUSIVE_LICENCE = "non_exclusive_licence"  # 普通许可
    JOINT_DEVELOPMENT = "joint_development"  # 合作开发
    TECHNICAL_SERVICE = "technical_service"  # 技术服务
    CONSULTING = "consulting"  # 技术咨询
    INVESTMENT = "investment"  # 作价入股
    OTHER = "other"


class Ipr(Value):
    """Protection of the result; patents by their publication numbers."""

    status: Annotated[IprStatus, OpenEnum(IprStatus.OTHER)]
    patents: Annotated[tuple[Keyword, ...], Field(max_length=50)] = ()


class DraftIpr(Ipr):
    """Protection as a member writes it."""

    status: IprStatus


class Plan(Value):
    """What bringing it into production would take: amounts in one currency, months until production starts."""

    capital: Amount | None = None
    annual_revenue: Amount | None = None
    annual_cost: Amount | None = None
    currency: Currency
    months: Months | None = None
    estimate_class: Annotated[int, Field(strict=True, ge=1, le=5)] | None = None
    """AACE 18R-97: 5 is a rough idea, 1 a final estimate."""


class DraftPlan(Plan):
    """A plan as a member writes it."""

    currency: ActiveCurrency


class TechnologyBody(RecordBody):
    """The fields of a technology that read the same in a draft and in the canonical record."""

    summary: Summary | None = None
    description: LongText | None = None
    advantages: Advantages | None = None
    trl: Trl | None = None
    mrl: MrlLevel | None = None


class TechnologySubmitted(CanonicalRecord, TechnologyBody, EventData):
    """The latest version of a technology, whole; a null record instead says that it was withdrawn."""

    topic: ClassVar[str] = "technology.submitted"
    type: ClassVar[str] = "tongtu.technology.submitted.v1"

    ipr: Ipr | None = None
    transfer_modes: Annotated[
        tuple[Annotated[TransferMode, OpenEnum(TransferMode.OTHER)], ...], Field(max_length=10)
    ] = ()
    price: MoneyRange | None = None
    plan: Plan | None = None

    @property
    def key(self) -> str:
        """The technology's id."""
        return self.id


class TechnologyDraft(RecordDraft, TechnologyBody):
    """A technology as its owner writes it into its outbox: with a summary, a description, or both."""

    type: ClassVar[str] = "tongtu.technology.submitted.v1"

    description: LongText | None = Field(default=None, validate_default=True)
    ipr: DraftIpr | None = None
    transfer_modes: Annotated[tuple[TransferMode, ...], Field(max_length=10)] = ()
    price: DraftMoneyRange | None = None
    plan: DraftPlan | None = None

    @field_validator("description")
    @classmethod
    def _says_something(cls, description: str | None, info: ValidationInfo) -> str | None:
        if description is None and "summary" in info.data and info.data["summary"] is None:
            raise refuse("no_text", "must be given when there is no summary")
        return description

    def canonical(self, member: str, version: int, language: str) -> TechnologySubmitted:
        """The canonical record; `language` is the detected one, used when the draft names none."""
        return TechnologySubmitted.model_validate(self._canonical(member, version, language))
