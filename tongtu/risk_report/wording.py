"""What a report says in Chinese and in English: names of figures, stages, inputs, assumptions, and how numbers look."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal, NamedTuple

from tongtu.output import money, percent

Language = Literal["zh", "en"]


class Said(NamedTuple):
    """The same in both languages; names in braces are filled in."""

    zh: str
    en: str


STAGES: Mapping[str, Said] = MappingProxyType(
    {
        "laboratory_proof": Said("小试", "laboratory proof"),
        "prototype": Said("样机", "prototype"),
        "pilot": Said("中试", "pilot"),
        "demonstration": Said("示范", "demonstration"),
        "first_production": Said("首次量产", "first production"),
        "market": Said("进入市场", "market"),
        "other": Said("其他阶段", "another stage"),
    }
)
NAMES: Mapping[str, Said] = MappingProxyType(
    {
        "trl": Said("技术成熟度（TRL）", "readiness (TRL)"),
        "success": Said("通过概率", "success"),
        "months": Said("工期", "months"),
        "capital": Said("投资额", "capital"),
        "annual_revenue": Said("年收入", "yearly revenue"),
        "annual_cost": Said("年成本", "yearly cost"),
        "price": Said("技术价格", "price of the technology"),
        "value": Said("成果价值", "value of the solution"),
        "budget": Said("需求预算", "the demand's budget"),
        "estimate_class": Said("估算等级（AACE）", "estimate class (AACE)"),
        "estimate": Said("费用估算误差", "accuracy of the estimate"),
        "estimate_coverage": Said("误差区间的覆盖率", "coverage of that range"),
        "months_log_sd": Said("工期的对数标准差", "log deviation of months"),
        "schedule_slip": Said("工期延误", "schedule slip"),
        "cost_weight": Said("费用权重", "weight of cost"),
        "production_years": Said("生产年限", "years of production"),
        "discount_rate": Said("折现率", "discount rate"),
        "chance": Said("通过概率", "chance of passing"),
        "correlations": Said("相关系数", "correlations"),
        "low": Said("下限", "low end"),
        "high": Said("上限", "high end"),
        "left_out": Said("未计入", "left out"),
    }
)
UNITS: Mapping[str, Said] = MappingProxyType(
    {
        "months": Said("个月", "months"),
        "years": Said("年", "years"),
        "weight": Said("", ""),
        "probability": Said("", ""),
        "AACE class": Said("级", ""),
        "per year": Said("每年", "per year"),
        "share of the estimate": Said("占估算值的比例", "share of the estimate"),
        "share of the planned months": Said("占计划工期的比例", "share of the planned months"),
        "standard deviation of the logarithm": Said("对数标准差", "standard deviation of the logarithm"),
    }
)
VALUES: Mapping[str, Said] = MappingProxyType(
    {
        "no gate passed": Said("未通过任何关口", "no gate passed"),
        "the demand's budget": Said("取需求预算", "the demand's budget"),
    }
)
KNOWN_AS: Mapping[str, Said] = MappingProxyType(
    {
        "prior, not evidence": Said("先验，并非证据", "prior, not evidence"),
        "published, read at its source": Said("已发表，已核对原文", "published, read at its source"),
        "published, as a third party restates it": Said(
            "已发表，转引自第三方", "published, as a third party restates it"
        ),
        "assumption, not verified": Said("假设，未经核实", "assumption, not verified"),
    }
)
"""How the sources of assumptions begin; a citation after it stays in its own language."""

_BETA = re.compile(r"mean of a Beta prior that weighs as much as (\S+) outcomes")
_CORRELATION = re.compile(r"(\w+) with (\w+) (-?[\d.]+)")


def named(code: str, language: Language) -> str:
    """A code word of the contracts, such as `months.pilot`, in words; what is not known here stays as it is."""
    words = [_word(part, language) for part in code.split(".")]
    return ("：" if language == "zh" else ": ").join(words)


def field_named(pointer: str, precision: str, language: Language) -> str:
    """A field of the records, such as /technology/plan/capital, in words."""
    name = named(pointer.rpartition("/")[2], language)
    return f"{name}{'：3 级' if language == 'zh' else ': 3'}" if precision == "class_3" else name


def is_known(code: str) -> bool:
    """Whether every part of a code word has a name here."""
    return all(part in NAMES or part in STAGES for part in code.split("."))


def _word(part: str, language: Language) -> str:
    said = STAGES.get(part) or NAMES.get(part)
    return getattr(said, language) if said else part.replace("_", " ")


def unit(written: str | None, language: Language) -> str:
    """The unit of an assumption."""
    if written is None:
        return ""
    if found := _BETA.fullmatch(written):
        return f"Beta 均值，相当于 {found[1]} 个结果" if language == "zh" else f"Beta mean, worth {found[1]} outcomes"
    return getattr(UNITS.get(written, Said(written, written)), language)


def value(written: float | str, language: Language) -> str:
    """The value of an assumption."""
    if isinstance(written, str):
        pairs = _CORRELATION.findall(written)
        if pairs:
            joined = "与" if language == "zh" else " with "
            said = [f"{named(one, language)}{joined}{named(other, language)} {number}" for one, other, number in pairs]
            return ("；" if language == "zh" else "; ").join(said)
        return getattr(VALUES.get(written, Said(written, written)), language)
    return f"{written:,.4g}"


def source(written: str, language: Language) -> str:
    """The source of an assumption: how well it is known in the reader's language, then the citation as it is."""
    known, _, citation = written.partition(": ")
    for begun, words in KNOWN_AS.items():
        known = known.replace(begun, getattr(words, language))
    known = known.replace("; ", "；") if language == "zh" else known
    citation = citation.removeprefix("assumption: ")
    return f"{known}{'：' if language == 'zh' else ': '}{citation}" if citation else known


def amount(text: str, currency: str, language: Language) -> str:
    """Money in at most four figures: 1,230 万 CNY, 12.3 M CNY; decimal string in."""
    if language == "en":
        return money(text, currency)
    number = Decimal(text)
    for size, name in ((Decimal(10**12), "万亿"), (Decimal(10**8), "亿"), (Decimal(10**4), "万")):
        if abs(number) >= size:
            scaled = number / size
            decimals = 0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2
            return f"{scaled:,.{decimals}f} {name} {currency}".replace("-", "−").rstrip()
    return f"{number:,.0f} {currency}".replace("-", "−").rstrip()


def share(written: float, language: Language) -> str:
    """A share as a whole percentage, set as the language does: 12%, 12 %."""
    return percent(written).replace(" ", "") if language == "zh" else percent(written)
