"""What is wrong with a message, said to the member that wrote it: every field at once, in English or Chinese."""

from collections.abc import Iterable, Mapping
from itertools import islice
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ValidationError

from shared.contracts import formats
from shared.contracts.base import escaped, unknown_fields
from shared.contracts.inbox import MOST_ERRORS, FieldProblem
from shared.contracts.values import SIGNED_AMOUNT

Language = Literal["en", "zh"]


class Wording(NamedTuple):
    """One message in both languages; names in braces are filled in from the error."""

    en: str
    zh: str


def in_language(wording: Wording, language: Language | None) -> str:
    """The words in one language; in both when the language is not known."""
    return f"{wording.en} / {wording.zh}" if language is None else getattr(wording, language)


UNKNOWN_FIELD = Wording("is not a known field; it was kept but nothing reads it", "不是已知字段；已保留，但不会被读取")
_OTHERWISE = Wording("is not valid", "无效")

_WORDINGS: Mapping[str, Wording] = MappingProxyType(
    {
        "missing": Wording("is required", "必须填写"),
        "json_invalid": Wording("is not valid JSON: {error}", "不是有效的 JSON：{error}"),
        "model_type": Wording("must be an object", "必须是对象"),
        "model_attributes_type": Wording("must be an object", "必须是对象"),
        "dict_type": Wording("must be an object", "必须是对象"),
        "tuple_type": Wording("must be an array", "必须是数组"),
        "string_type": Wording("must be a text", "必须是文本"),
        "string_unicode": Wording("must be valid Unicode", "必须是有效的 Unicode 文本"),
        "int_type": Wording("must be a whole number", "必须是整数"),
        "int_parsing": Wording("must be a whole number", "必须是整数"),
        "int_parsing_size": Wording("is too large a number", "数值过大"),
        "int_from_float": Wording("must be a whole number", "必须是整数"),
        "float_type": Wording("must be a number", "必须是数字"),
        "finite_number": Wording("must be a finite number", "必须是有限的数字"),
        "number_or_text": Wording("must be a number or a text", "必须是数字或文本"),
        "text_length": Wording("must have 1 to 500 characters", "长度必须为 1 至 500 个字符"),
        "string_too_short": Wording("must not be empty", "不能为空"),
        "string_too_long": Wording("must have at most {max_length} characters", "最多 {max_length} 个字符"),
        "too_short": Wording("must have at least {min_length} entries", "至少 {min_length} 项"),
        "too_long": Wording(
            "must have at most {max_length} entries, not {actual_length}",
            "最多 {max_length} 项，现有 {actual_length} 项",
        ),
        "greater_than_equal": Wording("must be at least {ge}", "不得小于 {ge}"),
        "less_than_equal": Wording("must be at most {le}", "不得大于 {le}"),
        "enum": Wording("must be {expected}", "必须是 {expected} 之一"),
        "iso_date": Wording("must be an ISO 8601 date such as 2026-03-31", "必须是 ISO 8601 日期，例如 2026-03-31"),
        "date_from_datetime_parsing": Wording("is not a day of the calendar", "不是有效的日期"),
        "date_parsing": Wording("is not a day of the calendar", "不是有效的日期"),
        "decimal_string": Wording(
            'must be a decimal number in quotes, such as "1200000.00"', '必须是带引号的十进制数，例如 "1200000.00"'
        ),
        "negative_amount": Wording("must not be negative", "不得为负数"),
        "amount_too_large": Wording("must have at most 15 digits before the point", "整数部分最多 15 位"),
        "currency": Wording(
            "{currency} is not an active ISO 4217 currency code", "{currency} 不是现行的 ISO 4217 货币代码"
        ),
        "max_below_min": Wording("must not be below min", "不得小于 min"),
        "end_before_start": Wording("must not be before starts_on", "不得早于 starts_on"),
        "nobody_named": Wording(
            "must name at least one member when visibility is named", "visibility 为 named 时至少要列出一个成员"
        ),
        "no_text": Wording("must be given when there is no summary", "没有 summary 时必须填写"),
        "strategic_list": Wording("must be one of {lists}", "必须是 {lists} 之一"),
        "strategic_version": Wording("must be one of {versions}", "必须是 {versions} 之一"),
        "strategic_code": Wording("must be one of {codes}", "必须是 {codes} 之一"),
        "unknown_name": Wording(
            "has a field whose name is longer than 128 characters or holds a null character",
            "含有名称超过 128 个字符或带空字符的字段",
        ),
        "unknown_number": Wording("holds a whole number of more than 64 bits", "含有超过 64 位的整数"),
        "unknown_depth": Wording("is nested more than 20 levels deep", "嵌套超过 20 层"),
        "reason_needed": Wording("must be given when the match is declined", "谢绝时必须填写原因"),
        "reason_not_needed": Wording("must be left out when the match is accepted", "接受时不得填写原因"),
        "one_subject": Wording(
            "must be given, or match_id instead, and not both", "technology_id 与 match_id 必须且只能填写一个"
        ),
    }
)

_FORMS: Mapping[str, Wording] = MappingProxyType(
    {
        formats.MEMBER_ID: Wording(
            "must be a member id: 2 to 40 of a-z, 0-9 and -", "必须是成员编号：2 至 40 个 a-z、0-9 或 - 字符"
        ),
        formats.OWN_RECORD_ID: Wording(
            "must be an id of letters, digits, . _ and -, at most 80, not beginning with a sign",
            "必须是由字母、数字、. _ - 组成的编号，最多 80 个字符，不得以符号开头",
        ),
        formats.MATCH_ID: Wording("must be the match_id of a proposal", "必须是推荐消息中的 match_id"),
        formats.LANGUAGE_TAG: Wording("must be a language tag such as zh or en", "必须是语言标签，例如 zh 或 en"),
        formats.REGION: Wording(
            "must be an ISO 3166 code such as CN or CN-GD", "必须是 ISO 3166 代码，例如 CN 或 CN-GD"
        ),
        formats.INDUSTRY_CODE: Wording(
            "must be a GB/T 4754 code such as C, C35 or 3569", "必须是 GB/T 4754 行业代码，例如 C、C35 或 3569"
        ),
        formats.URL: Wording("must be an http or https address", "必须是 http 或 https 地址"),
        SIGNED_AMOUNT: Wording(
            'must be a decimal number such as "1200000.00": at most 15 digits and 6 decimals',
            '必须是十进制数，例如 "1200000.00"：整数部分最多 15 位，小数最多 6 位',
        ),
        "^[A-Z]{3}$": Wording("must be an ISO 4217 code such as CNY", "必须是 ISO 4217 货币代码，例如 CNY"),
    }
)


def field_problems(error: ValidationError, language: Language = "en") -> tuple[FieldProblem, ...]:
    """Every wrong field that the validation found, in the order of the fields; the first 50."""
    return problems_in(error.errors(include_url=False, include_input=False), language)


def problems_in(errors: Iterable[Mapping[str, Any]], language: Language = "en") -> tuple[FieldProblem, ...]:
    """The same for what pydantic's `errors()` gave to somebody else."""
    return tuple(
        FieldProblem(pointer=_pointer(each["loc"]), code=each["type"], message=_message(each, language))
        for each in islice(errors, MOST_ERRORS)
    )


def unknown_field_warnings(read: BaseModel, language: Language = "en") -> tuple[FieldProblem, ...]:
    """One warning for each field of the message that no class declares; the first 50."""
    return tuple(
        FieldProblem(pointer=pointer[:512], code="unknown_field", message=getattr(UNKNOWN_FIELD, language))
        for pointer in islice(unknown_fields(read), MOST_ERRORS)
    )


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join(f"/{escaped(str(segment))}" for segment in location)[:512]


def _message(error: Any, language: Language) -> str:
    context: dict[str, Any] = error.get("ctx", {})
    if error["type"] == "string_pattern_mismatch":
        wording = _FORMS.get(context["pattern"], _OTHERWISE)
    else:
        wording = _WORDINGS.get(error["type"], _OTHERWISE)
    text: str = getattr(wording, language).format_map({name: _word(value, language) for name, value in context.items()})
    return text[:2_000]


def _word(value: Any, language: Language) -> str:
    return str(value).replace(" or ", "、").replace(", ", "、") if language == "zh" else str(value)
