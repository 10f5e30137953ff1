"""What the event core says about an envelope that is no CloudEvent, as it is said to the member that wrote it."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from shared.contracts.inbox import FieldProblem
from shared.contracts.problems import Language, Wording, in_language

TOO_LARGE = r"is \d+ bytes; at most"
"""How the event core says that a message passes the size limit (a regular expression)."""

# The beginnings of what the event core says about an envelope, in Chinese.
_ENVELOPE_ZH: Mapping[str, str] = MappingProxyType(
    {
        TOO_LARGE: "过大",
        "is missing": "必须填写",
        "has no value": "没有值",
        "appears twice": "重复出现",
        "is not UTF-8": "不是 UTF-8",
        "the Kafka key is not UTF-8": "Kafka 键不是 UTF-8",
        "a header name is not UTF-8": "消息头名称不是 UTF-8",
        "more than": "消息头数量过多",
        "headers larger": "消息头过大",
        r"only application/cloudevents\+json": "只接收 UTF-8 编码的 application/cloudevents+json",
        "only CloudEvents 1.0": "只接收 CloudEvents 1.0",
        "is not JSON": "不是有效的 JSON",
        "is not a JSON object": "必须是 JSON 对象",
        "is not a CloudEvents attribute value": "不是有效的 CloudEvents 属性值",
        "is not an attribute name": "属性名只能由 a-z 和 0-9 组成，最多 64 个字符",
        "is not base64": "不是有效的 base64",
        "stands beside data": "data 与 data_base64 只能有一个",
        "is longer": "过长",
        "cannot be read": "无法读取",
    }
)


def envelope_problem(pointer: str, message: str, language: Language | None) -> FieldProblem:
    """What the event core found wrong with an envelope; its own words stay in where no translation is known."""
    chinese = next((zh for en, zh in _ENVELOPE_ZH.items() if re.match(en, message)), "不符合 CloudEvents 规范")
    said = in_language(Wording(message, chinese), language)
    return FieldProblem(pointer=pointer[:512], code="envelope", message=said[:2000])
