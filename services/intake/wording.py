"""What intake says to members, in English and Chinese: why a message was not taken, and what to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from shared.contracts.events import FieldProblem
from shared.contracts.problems import Language, Wording, in_language

FAULTS: Mapping[str, Wording] = MappingProxyType(
    {
        "source": Wording(
            "must be /members/{member} or begin with /members/{member}/: the topic says who writes",
            "必须是 /members/{member} 或以 /members/{member}/ 开头：写入者由主题确定",
        ),
        "event_id_too_long": Wording("must have at most {most} characters", "最多 {most} 个字符"),
        "type": Wording("must be one of {types}", "必须是以下之一：{types}"),
        "content_type": Wording(
            "must be application/json or a type that ends in +json", "必须是 application/json 或以 +json 结尾的类型"
        ),
        "charset": Wording("must be UTF-8, which is what JSON is written in", "必须是 UTF-8，JSON 以其书写"),
        "record_version": Wording("must be a whole number from 1 to {most}", "必须是 1 至 {most} 的整数"),
        "record_version_differs": Wording(
            "must be the version that the record itself gives", "必须与记录中的 version 一致"
        ),
        "subject_differs": Wording("must name the record that the data is about", "必须与数据中的记录编号一致"),
        "subject_needed": Wording(
            "must be the id of the record when there is no data: no data withdraws it",
            "没有数据时必须填写记录编号：没有数据表示撤回",
        ),
        "record_id": Wording(
            "must be an id of letters, digits, . _ and -, at most 80, not beginning with a sign",
            "必须是由字母、数字、. _ - 组成的编号，最多 80 个字符，不得以符号开头",
        ),
        "foreign_id": Wording("must be a local id or begin with {member}/", "必须是本成员的编号，或以 {member}/ 开头"),
        "data_needed": Wording("is required: this cannot be withdrawn", "必须填写：此类消息不能撤回"),
        "expired": Wording("must not be in the past", "不得早于今天"),
        "json_invalid": Wording("is not valid JSON: {error}", "不是有效的 JSON：{error}"),
        "json_not_a_number": Wording("NaN and Infinity are not JSON", "NaN 和 Infinity 不是有效的 JSON"),
        "json_number_too_large": Wording("holds a number that is too large", "包含过大的数字"),
        "json_too_deep": Wording("is nested more than {most} levels deep", "嵌套超过 {most} 层"),
        "json_duplicate_key": Wording("appears twice", "重复出现"),
        "too_large": Wording("is {size} bytes; at most {most} are taken", "共 {size} 字节，最多接收 {most} 字节"),
        "unknown_attribute": Wording(
            "is not a known attribute; it was kept but nothing reads it", "不是已知属性；已保留，但不会被读取"
        ),
        "id_reused": Wording(
            "was used before with other content; give every new message an id of its own",
            "此前已用于其他内容；每条新消息必须使用新的编号",
        ),
        "version_reused": Wording(
            "{version} is known with other content; give changed content a higher version",
            "版本 {version} 已存在且内容不同；内容有变更时必须提高版本号",
        ),
        "version_exhausted": Wording("cannot be counted any further", "版本号已无法继续增加"),
        "unknown_record": Wording("no such record is known", "没有此记录"),
        "not_a_party": Wording("is not the match_id of a proposal to this member", "不是发给本成员的推荐的 match_id"),
        "too_many_wait": Wording(
            "is not the match_id of any proposal made until now, and {most} answers of this member wait already",
            "不是任何已有推荐的 match_id，且本成员已有 {most} 条消息在等待",
        ),
        "unknown_match": Wording(
            "is not the match_id of any proposal made until now; it was waited for",
            "不是任何已有推荐的 match_id；等待后仍未出现",
        ),
    }
)
"""Rules of intake; names in braces are filled in."""

TITLES: Mapping[str, Wording] = MappingProxyType(
    {
        "invalid-envelope": Wording("This is not a CloudEvent that can be taken", "这不是可以接收的 CloudEvents 消息"),
        "invalid-record": Wording("The record has wrong fields", "记录中有字段不符合要求"),
        "too-large": Wording("The message is too large", "消息过大"),
        "id-reused": Wording("The message id was used before", "消息编号已被使用"),
        "version-conflict": Wording("The version is taken by other content", "该版本已被其他内容占用"),
        "unknown-record": Wording("There is no such record", "没有此记录"),
        "not-a-party": Wording("Only a party to the match can say this", "只有匹配的当事方可以提交"),
        "unknown-match": Wording("There is no such match", "没有此匹配"),
    }
)
"""Kinds of rejection; the key ends the URN of the problem details' `type`."""

DETAIL = Wording(
    "Nothing was changed. Correct what is named under errors and send it again.",
    "未作任何更改。请更正 errors 中列出的各项后重新发送。",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong: where (RFC 6901), which rule of FAULTS, and what its wording names."""

    pointer: str
    code: str
    context: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def said(self, language: Language | None) -> FieldProblem:
        """The problem in that language; in both when the member's language is not known."""
        wording = FAULTS[self.code]
        filled = Wording(wording.en.format_map(self.context), wording.zh.format_map(self.context))
        return FieldProblem(pointer=self.pointer[:512], code=self.code, message=in_language(filled, language)[:2000])


def problems_in_language(
    said: Callable[[Language], tuple[FieldProblem, ...]], language: Language | None
) -> tuple[FieldProblem, ...]:
    """Problems that can be said in either language; in both when the language is not known."""
    if language is not None:
        return said(language)
    return tuple(
        en.model_copy(update={"message": in_language(Wording(en.message, zh.message), None)[:2000]})
        for en, zh in zip(said("en"), said("zh"), strict=True)
    )
