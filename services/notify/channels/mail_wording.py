"""How a mail says code words, numbers and money in Chinese and in English."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from services.notify.channels.letter import Language
from shared.contracts.code_lists import STRATEGIC_FIELDS
from shared.contracts.demand import Target
from shared.contracts.events import Check
from shared.contracts.values import MoneyRange, StrategicField


class Said(NamedTuple):
    """The same in both languages; names in braces are filled in."""

    zh: str
    en: str


WORDS: Mapping[str, Said] = MappingProxyType(
    {
        # kinds of organisations
        "enterprise": Said("企业", "enterprise"),
        "university": Said("高等院校", "university"),
        "institute": Said("研究机构", "research institute"),
        "government": Said("政府机构", "government body"),
        "investor": Said("投资机构", "investor"),
        "intermediary": Said("中介服务机构", "intermediary"),
        # protection
        "none": Said("无", "none"),
        "secret": Said("技术秘密", "secret know-how"),
        "applied": Said("已申请专利", "patent applied for"),
        "granted": Said("专利已授权", "patent granted"),
        # ways to transfer and to cooperate
        "assignment": Said("所有权转让", "assignment"),
        "exclusive_licence": Said("独占许可", "exclusive licence"),
        "sole_licence": Said("排他许可", "sole licence"),
        "non_exclusive_licence": Said("普通许可", "non-exclusive licence"),
        "joint_development": Said("合作研发", "joint development"),
        "technical_service": Said("技术服务", "technical service"),
        "consulting": Said("技术咨询", "consulting"),
        "investment": Said("投资或作价入股", "investment"),
        "commissioned": Said("委托研发", "commissioned development"),
        "licence": Said("许可", "licence"),
        "purchase": Said("购买", "purchase"),
        # levels of a need
        "national": Said("国家级", "national"),
        "industry": Said("行业级", "industry"),
        "company": Said("企业级", "company"),
        # how a target is meant
        "at_least": Said("不小于", "at least"),
        "at_most": Said("不大于", "at most"),
        "more_than": Said("大于", "more than"),
        "less_than": Said("小于", "less than"),
        "equal": Said("等于", "equal to"),
        # checks and their verdicts
        "trl": Said("技术成熟度", "readiness"),
        "budget": Said("预算", "budget"),
        "deadline": Said("期限", "deadline"),
        "region": Said("地区", "region"),
        "cooperation": Said("合作方式", "cooperation"),
        "strategic_field": Said("战略领域", "strategic field"),
        "visibility": Said("可见范围", "visibility"),
        "other_organisation": Said("不同机构", "another organisation"),
        "target": Said("指标", "target"),
        "met": Said("满足", "met"),
        "unmet": Said("不满足", "not met"),
        "unknown": Said("未知", "unknown"),
        # reasons
        "nothing_given": Said("记录未提供所需数值", "the record gives none of the numbers"),
        "incomplete": Said("记录提供的数值不足", "the record gives too few of the numbers"),
        "failed": Said("评估过程出错", "the assessment itself failed"),
        "too_early": Said("为时过早", "too early"),
        "too_expensive": Said("价格过高", "too expensive"),
        "already_solved": Said("已解决", "already solved"),
        "not_what_we_asked": Said("不是所求", "not what was asked"),
        "confidentiality": Said("保密原因", "confidentiality"),
        # kinds of records, and what became of them
        "technology": Said("技术", "technology"),
        "demand": Said("需求", "demand"),
        "answer": Said("答复", "answer"),
        "outcome": Said("结果", "outcome"),
        "accepted": Said("已接收", "accepted"),
        "withdrawn": Said("已撤回", "withdrawn"),
        "expired": Said("已到期", "expired"),
        "repeated": Said("重复，无变化", "a repetition: nothing changed"),
        "outdated": Said("已有更新的版本，无变化", "a later version is known: nothing changed"),
        "waiting": Said("等待其匹配，至多一天", "kept for its match, a day at most"),
        "other": Said("其他", "other"),
    }
)


def word(code: str, language: Language) -> str:
    """A code word of the contracts in words; one that is not known here stays as it is."""
    said = WORDS.get(code)
    return getattr(said, language) if said else code.replace("_", " ")


def words(codes: Iterable[str], language: Language) -> str:
    """Several of them."""
    return listed((word(code, language) for code in codes), language)


def listed(items: Iterable[str], language: Language) -> str:
    """Set beside each other."""
    return ("、" if language == "zh" else ", ").join(items)


def share(written: float, language: Language) -> str:
    """A share as a whole percentage, below 1 % and above 99 % with one decimal: 12%, 12 %."""
    figure = f"{written * 100:.1f}" if 0 < written < 0.01 or 0.99 < written < 1 else f"{written * 100:.0f}"
    return f"{figure}%" if language == "zh" else f"{figure} %"


_SIZES: Mapping[Language, tuple[tuple[int, str], ...]] = MappingProxyType(
    {
        "zh": ((10**12, "万亿"), (10**8, "亿"), (10**4, "万")),
        "en": ((10**9, "billion"), (10**6, "million")),
    }
)


def amount(text: str, currency: str, language: Language) -> str:
    """Money in three figures at least: 1,234 万 CNY, 12.3 million CNY; decimal string in."""
    number = Decimal(text)
    for size, name in _SIZES[language]:
        if abs(number) >= size:
            scaled = number / size
            decimals = 0 if abs(scaled) >= 100 else 1 if abs(scaled) >= 10 else 2
            return f"{scaled:,.{decimals}f} {name} {currency}".replace("-", "−")
    return f"{number:,.0f} {currency}".replace("-", "−")


def exactly(text: str, currency: str) -> str:
    """Money as it was written, with its thousands set apart."""
    whole, point, rest = text.partition(".")
    return f"{int(whole):,}{point}{rest} {currency}"


def money_range(written: MoneyRange, language: Language) -> str:
    """From, to, or both."""
    low, high = (each and exactly(each, written.currency) for each in (written.min, written.max))
    if low and high:
        return f"{low} – {high}"
    if low:
        return f"{low} 起" if language == "zh" else f"from {low}"
    if high:
        return f"至多 {high}" if language == "zh" else f"up to {high}"
    return written.currency


def field(written: StrategicField, language: Language) -> str:
    """A strategic field by its name and list."""
    codes = STRATEGIC_FIELDS.get((written.list, written.version or ""), {})
    known = codes.get(written.code)
    name: str = getattr(known, language) if known else written.code
    lists = {
        "strategic-emerging-industries": Said("战略性新兴产业", "strategic emerging industries"),
        "future-industries": Said("未来产业", "future industries"),
    }
    said = lists.get(written.list)
    of: str = getattr(said, language) if said else written.list
    version = f" {written.version}" if written.version else ""
    return f"{name}（{of}{version}）" if language == "zh" else f"{name} ({of}{version})"


def target(written: Target, language: Language) -> str:
    """One figure that a solution must reach."""
    value = written.value if isinstance(written.value, str) else f"{written.value:,.10g}"
    unit = f" {written.unit}" if written.unit else ""
    return f"{written.name} {word(written.comparator, language)} {value}{unit}"


_SIGNS = {"met": "✓", "unmet": "✗", "unknown": "?"}


def check(written: Check, language: Language) -> str:
    """A criterion with its verdict, in matching's own words where it has some."""
    base, _, number = written.criterion.partition(".")
    name = word(base, language) + (f" {number}" if number else "")
    colon, semicolon = ("：", "；") if language == "zh" else (": ", "; ")
    head = f"{_SIGNS[written.verdict]} {name}{colon}{word(written.verdict, language)}"
    if written.wording is not None:
        return f"{head}{semicolon}{getattr(written.wording, language)}"
    names = ("要求", "提供") if language == "zh" else ("asked", "offered")
    said = [f"{each} {value}" for each, value in zip(names, (written.asked, written.offered), strict=True) if value]
    return semicolon.join([head, *said])
