"""What the checks of a proposal say in Chinese and in English."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from types import MappingProxyType

from services.matching.priorities import meaning
from shared.contracts.events import Comparator, MoneyRange, StrategicField, Verdict, Wording

LONGEST = 500
SYMBOLS = MappingProxyType(
    {
        Comparator.AT_LEAST: ">=",
        Comparator.AT_MOST: "<=",
        Comparator.MORE_THAN: ">",
        Comparator.LESS_THAN: "<",
        Comparator.EQUAL: "=",
        Comparator.OTHER: "",
    }
)
STAGES: Sequence[tuple[int, str, str]] = (
    (4, "实验室验证（小试）", "laboratory proof"),
    (6, "样机", "prototype"),
    (7, "中试", "pilot"),
    (8, "示范", "demonstration"),
    (9, "首次量产", "first production"),
)
"""Readiness (TRL) that passing a stage shows, as in contracts.risk.Stage, and the stage's names."""
MODES = MappingProxyType(
    {
        "assignment": ("所有权转让", "assignment"),
        "exclusive_licence": ("独占许可", "exclusive licence"),
        "sole_licence": ("排他许可", "sole licence"),
        "non_exclusive_licence": ("普通许可", "non-exclusive licence"),
        "joint_development": ("合作研发", "joint development"),
        "technical_service": ("技术服务", "technical service"),
        "consulting": ("技术咨询", "consulting"),
        "investment": ("作价入股", "investment"),
        "commissioned": ("委托研发", "commissioned development"),
        "licence": ("许可", "licence"),
        "purchase": ("购买、转让", "purchase"),
        "other": ("其他", "other"),
    }
)


def said(zh: str, en: str) -> Wording:
    """Both, cut to what a contract takes."""
    return Wording(zh=zh[:LONGEST], en=en[:LONGEST])


def _ended(
    begun: tuple[str, str], verdict: Verdict, met: tuple[str, str], unmet: tuple[str, str], unknown: tuple[str, str]
) -> Wording:
    """A sentence whose end is the verdict; each part in Chinese and in English."""
    ends = {Verdict.MET: met, Verdict.UNMET: unmet}.get(verdict, unknown)
    return said(begun[0] + ends[0], begun[1] + ends[1])


def amounts(money: MoneyRange) -> str:
    """A range in words: `500000-800000 CNY`, `<= 800000 CNY`, `>= 500000 CNY`."""
    if money.min is None and money.max is None:
        return money.currency
    if money.min is None:
        return f"<= {money.max} {money.currency}"
    if money.max is None:
        return f">= {money.min} {money.currency}"
    return f"{money.min}-{money.max} {money.currency}"


def modes(values: Iterable[str]) -> tuple[str, str]:
    """Modes of transfer or cooperation in both languages."""
    names = [MODES[value] for value in values]
    return "、".join(zh for zh, _ in names), ", ".join(en for _, en in names)


VISIBLE = said("双方均可查看对方的材料。", "Each side may see the other's record.")
OTHER_ORGANISATION = said("供需双方属于不同单位。", "The two records belong to different organisations.")


def trl(asked: int, offered: int | None) -> Wording:
    """Readiness asked and offered, the gap, and the stages that would close it."""
    if offered is None:
        return said(f"要求 TRL {asked}，技术未注明成熟度。", f"TRL {asked} is asked; the technology names none.")
    if offered >= asked:
        return said(
            f"要求 TRL {asked}，现为 TRL {offered}，已达到。", f"TRL {asked} is asked and {offered} offered: reached."
        )
    needed = [stage for stage in STAGES if stage[0] > offered]
    # As far as the first stage whose passing shows what is asked.
    between = [stage for stage in needed if stage[0] < asked] + [stage for stage in needed if stage[0] >= asked][:1]
    gap = asked - offered
    zh = "、".join(f"{name}（TRL {level}）" for level, name, _ in between)
    en = ", ".join(f"{name} (TRL {level})" for level, _, name in between)
    return said(
        f"要求 TRL {asked}，现为 TRL {offered}，差 {gap} 级；尚需完成：{zh}。",
        f"TRL {asked} is asked and {offered} offered, {gap} level{'s' if gap > 1 else ''} short. To be passed: {en}.",
    )


def budget(asked: MoneyRange, price: MoneyRange | None, verdict: Verdict, excess: str | None) -> Wording:
    """Whether the price lies within the budget; `excess`: how far it does not."""
    if price is None:
        return said(
            f"预算 {amounts(asked)}，技术未注明价格。", f"Budget {amounts(asked)}; the technology names no price."
        )
    zh, en = f"预算 {amounts(asked)}，报价 {amounts(price)}", f"Budget {amounts(asked)}, price {amounts(price)}"
    if asked.currency != price.currency:
        return said(f"{zh}；币种不同，不作换算。", f"{en}; the currencies differ and are not converted.")
    return _ended(
        (zh, en),
        verdict,
        met=("，在预算之内。", ": within the budget."),
        unmet=(f"，最低报价超出预算 {excess}。", f": the lowest price is {excess} above the budget."),
        unknown=("；无法判断是否在预算之内。", "; it cannot be told whether it is within the budget."),
    )


def deadline(start: date | None, months: int | None, asked: date, verdict: Verdict) -> Wording:
    """Whether the months of the plan end in time."""
    if months is None:
        return said(f"要求 {asked} 前完成，技术未注明所需月数。", f"Wanted by {asked}; the technology names no months.")
    if start is None:
        return said(
            f"要求 {asked} 前完成，计划需 {months} 个月；需求未注明起始日期。",
            f"Wanted by {asked}, and the plan takes {months} months; the demand names no start.",
        )
    zh, en = f"自 {start} 起计划需 {months} 个月", f"The plan takes {months} months from {start}"
    if verdict is Verdict.MET:
        return said(f"{zh}，可在 {asked} 前完成。", f"{en}: in time for {asked}.")
    return said(f"{zh}，将晚于 {asked}。", f"{en}: later than {asked}.")


def region(asked: str, offered: str | None, verdict: Verdict) -> Wording:
    """Whether both are in one region."""
    if offered is None:
        return said(f"需求在 {asked}，技术未注明地域。", f"The demand is in {asked}; the technology names no region.")
    if verdict is Verdict.MET:
        return said(f"同在 {asked}。", f"Both are in {asked}.")
    return said(f"需求在 {asked}，技术在 {offered}。", f"The demand is in {asked}, the technology in {offered}.")


def cooperation(asked: Iterable[str], offered: Iterable[str], verdict: Verdict) -> Wording:
    """Whether one of the ways to work together suits both."""
    (asked_zh, asked_en), (offered_zh, offered_en) = modes(asked), modes(offered)
    if not offered_zh:
        return said(
            f"希望{asked_zh}，技术未注明转让方式。", f"Asked: {asked_en}; the technology names no mode of transfer."
        )
    return _ended(
        (f"希望{asked_zh}，可提供{offered_zh}", f"Asked: {asked_en}; offered: {offered_en}"),
        verdict,
        met=("，相符。", ": they fit."),
        unmet=("，不相符。", ": they do not fit."),
        unknown=("，需当面商定。", ": to be talked about."),
    )


def strategic_field(
    asked: Sequence[StrategicField],
    common: Sequence[StrategicField],
    offered: Sequence[StrategicField],
    priority: str,
) -> Wording:
    """Which strategic fields both belong to; `priority`: what that adds in the order of what is shown."""
    zh, en = _names(common or asked)
    if common:
        return said(
            f"同属战略领域：{zh}。{priority and f'显示顺序{priority}。'}",
            f"Both belong to: {en}.{priority and f' In the order shown:{priority}.'}",
        )
    if not offered:
        return said(
            f"需求属于{zh}，技术未注明战略领域。", f"The demand belongs to {en}; the technology names no field."
        )
    other_zh, other_en = _names(offered)
    return said(f"需求属于{zh}，技术属于{other_zh}。", f"The demand belongs to {en}, the technology to {other_en}.")


def _names(fields: Iterable[StrategicField]) -> tuple[str, str]:
    names = [(means[1].zh, means[1].en) if (means := meaning(field)) else (field.code,) * 2 for field in fields]
    return "、".join(zh for zh, _ in names), ", ".join(en for _, en in names)


def target(asked: str, quoted: str | None, verdict: Verdict) -> Wording:
    """Whether the technology's own words reach a figure."""
    if quoted is None:
        return said(
            f"要求 {asked}；所示技术内容没有可对照的数值。",
            f"Asked: {asked}; what is shown of the technology gives no figure to hold against it.",
        )
    return _ended(
        (f"要求 {asked}；技术写明“{quoted}”", f"Asked: {asked}; the technology says “{quoted}”"),
        verdict,
        met=("，已达到。", ": reached."),
        unmet=("，未达到。", ": not reached."),
        unknown=("，不足以判断。", ": not enough to tell."),
    )
