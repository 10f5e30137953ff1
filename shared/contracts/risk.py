"""The risk of a match: what it may come to, or why that cannot be said."""

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, cast

from pydantic import BeforeValidator, Field, StringConstraints

from shared.contracts.base import EventData, OpenEnum, Value
from shared.contracts.formats import MatchId
from shared.contracts.match import CodeWord, MatchProposed, Wording
from shared.contracts.values import Comment, Count, Currency, Name, Number, NumberOrText, Share, SignedAmount, Summary

ModelVersion = Annotated[str, StringConstraints(min_length=1, max_length=64)]
Pointer = Annotated[str, StringConstraints(max_length=256, pattern=r"^(/[^/]*)*$")]
NonNegative = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]


class Stage(StrEnum):
    """The stages on the way into use, in order, each with the readiness (TRL) that passing it shows."""

    LABORATORY_PROOF = "laboratory_proof"  # 4, 小试
    PROTOTYPE = "prototype"  # 6, 样机
    PILOT = "pilot"  # 7, 中试
    DEMONSTRATION = "demonstration"  # 8, 示范
    FIRST_PRODUCTION = "first_production"  # 9, 首次量产
    MARKET = "market"  # beyond the scale: in use, with revenue
    OTHER = "other"


OpenStage = Annotated[Stage, OpenEnum(Stage.OTHER)]


class Percentiles(Value):
    """A distribution by its 10th, 50th and 90th percentile."""

    p10: Number
    p50: Number
    p90: Number


class AmountDistribution(Value):
    """A distribution of money, in the currency that the assessment names."""

    p10: SignedAmount
    p50: SignedAmount
    p90: SignedAmount
    mean: SignedAmount


class StageForecast(Value):
    """One stage still to pass: the probability of passing it, given that it is reached, and its months."""

    name: OpenStage
    p_success: Share
    months: Percentiles


class Driver(Value):
    """An input and the share of the spread of the result that it explains."""

    name: CodeWord
    share: Share


class EvidenceWeight(Value):
    """How much of the forecast is prior (in equivalent observations) and how many outcomes were used."""

    prior_weight: NonNegative
    outcomes_used: Count


class Assumption(Value):
    """A number that the record did not give, and where it is from."""

    name: CodeWord
    value: NumberOrText
    unit: Name | None = None
    source: Summary


class Precision(StrEnum):
    """How well a number would be known."""

    EXACT = "exact"
    CLASS_3 = "class_3"  # by an estimate of AACE 18R-97 class 3, which is what authorises money
    OTHER = "other"


class MissingInformation(Value):
    """A number of the records that would narrow the forecast if it were known better, and by how much."""

    field: Pointer
    """Such as /technology/plan/capital."""
    precision: Annotated[Precision, OpenEnum(Precision.OTHER)]
    narrows: Share
    """Share of P90 - P10 that goes away, everything else left as it is."""

    @property
    def wording(self) -> Wording:
        """The same in one sentence."""
        name = _FIELD_NAMES.get(self.field, _FieldName(self.field, self.field))
        by = f"{self.narrows * 100:.0f} %"
        if self.precision is Precision.CLASS_3:
            return Wording(
                zh=f"若投资与成本估算达到 AACE 3 级，净现值 P10–P90 区间将缩小 {by}。",
                en=f"An AACE class 3 estimate of the costs would narrow P10-P90 of the net present value by {by}.",
            )
        return Wording(
            zh=f"若能确定{name.zh}，净现值 P10–P90 区间将缩小 {by}。",
            en=f"Knowing {name.en} would narrow P10-P90 of the net present value by {by}.",
        )


class _FieldName(NamedTuple):
    zh: str
    en: str


_FIELD_NAMES = {
    "/technology/plan/capital": _FieldName("投资额", "the capital cost"),
    "/technology/plan/annual_revenue": _FieldName("年收入", "the annual revenue"),
    "/technology/plan/annual_cost": _FieldName("年运行成本", "the annual cost"),
    "/technology/plan/months": _FieldName("投产前所需月数", "the months to production"),
    "/technology/price": _FieldName("技术价格", "the price of the technology"),
    "/demand/budget": _FieldName("需求方预算", "the budget of the demand"),
}


class Assessment(Value):
    """The distribution of what the match may come to."""

    status: Literal["assessed"] = "assessed"
    model_version: ModelVersion
    draws: Annotated[int, Field(strict=True, ge=1)]
    seed: Count
    stages: Annotated[tuple[StageForecast, ...], Field(max_length=20)]
    p_success: Share
    """Of all stages that are left."""
    npv: AmountDistribution
    """Net present value over all draws, failures included."""
    currency: Currency
    p_loss: Share
    var95: SignedAmount
    """The loss that 95 % of the draws do not exceed; positive is a loss."""
    cvar95: SignedAmount
    """The mean loss of the worst 5 % of the draws; positive is a loss."""
    option_value: SignedAmount
    """Expected gain from being free to stop at each gate."""
    months_to_production: Percentiles
    drivers: Annotated[tuple[Driver, ...], Field(max_length=20)] = ()
    """Largest first. Where inputs go together a share counts what its input tells of others, and all may exceed 1."""
    missing_information: Annotated[tuple[MissingInformation, ...], Field(max_length=20)] = ()
    """What would narrow the forecast most, first."""
    evidence: EvidenceWeight
    assumptions: Annotated[tuple[Assumption, ...], Field(max_length=100)] = ()


class NotAssessedReason(StrEnum):
    """Why there is no assessment."""

    NOTHING_GIVEN = "nothing_given"  # the record gives none of the numbers
    INCOMPLETE = "incomplete"  # it gives too few of them
    FAILED = "failed"  # the assessment itself failed
    OTHER = "other"


class NotAssessed(Value):
    """The match could not be assessed: why, and which fields are missing. Never a made-up figure."""

    status: Literal["not_assessed"] = "not_assessed"
    reason: Annotated[NotAssessedReason, OpenEnum(NotAssessedReason.OTHER)]
    missing: Annotated[tuple[Pointer, ...], Field(max_length=50)] = ()
    """JSON pointers into the records, such as /technology/plan/capital."""
    detail: Comment | None = None


def _known_status(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    written = cast(dict[str, Any], value)
    known = written.get("status") in ("assessed", "not_assessed")
    return written if known else {"status": "not_assessed", "reason": "other"}


Risk = Annotated[Annotated[Assessment | NotAssessed, Field(discriminator="status")], BeforeValidator(_known_status)]


class RiskAssessed(EventData):
    """A proposal with its risk; a null record instead says that the proposal no longer holds."""

    topic: ClassVar[str] = "risk.assessed"
    type: ClassVar[str] = "tongtu.risk.assessed.v1"

    match_id: MatchId
    proposal: MatchProposed
    assessment: Risk

    @property
    def key(self) -> str:
        """The match's id."""
        return self.match_id
