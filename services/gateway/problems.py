"""What the gateway says when it does not do what was asked: problem details (RFC 9457) in English and Chinese."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import orjson
from starlette.responses import Response

from shared.contracts.inbox import MOST_ERRORS, FieldProblem
from shared.contracts.problems import Language, Wording, in_language


class Kind(NamedTuple):
    """A kind of problem; its name ends the URN of the document's `type`."""

    status: int
    title: Wording
    detail: Wording


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "invalid-envelope": Kind(
            400,
            Wording("This is not a CloudEvent that can be taken", "这不是可以接收的 CloudEvents 消息"),
            Wording(
                "Nothing was taken. Correct what is named under errors and send it again.",
                "未接收任何内容。请更正 errors 中列出的各项后重新发送。",
            ),
        ),
        "invalid-request": Kind(
            400,
            Wording("The request has wrong parameters", "请求参数有误"),
            Wording("Correct what is named under errors.", "请更正 errors 中列出的各项。"),
        ),
        "malformed-request": Kind(
            400,
            Wording("This is not HTTP that can be read", "无法解析的 HTTP 请求"),
            Wording("Nothing was taken.", "未接收任何内容。"),
        ),
        "unauthenticated": Kind(
            401,
            Wording("A valid token is needed", "需要有效的令牌"),
            Wording(
                "Send `Authorization: Bearer <token>` with the token that the registry gave to you.",
                "请在请求头中发送 Authorization: Bearer <令牌>，令牌由注册机构发放。",
            ),
        ),
        "foreign-source": Kind(
            403,
            Wording("A member speaks for itself only", "成员只能以自己的名义发送"),
            Wording(
                "Nothing was taken. The token says who sends: leave source out, or use the one that errors names.",
                "未接收任何内容。发送者由令牌确定：请省略 source，或使用 errors 中所列的值。",
            ),
        ),
        "not-found": Kind(
            404,
            Wording("There is nothing here", "此处没有内容"),
            Wording("See /openapi.json.", "请参阅 /openapi.json。"),
        ),
        "method-not-allowed": Kind(
            405,
            Wording("This cannot be done here", "不支持此方法"),
            Wording("See /openapi.json.", "请参阅 /openapi.json。"),
        ),
        "timeout": Kind(
            408,
            Wording("The request came too slowly", "请求传输过慢"),
            Wording("Nothing was taken. Send it again.", "未接收任何内容。请重新发送。"),
        ),
        "cursor-expired": Kind(
            410,
            Wording("The messages behind this cursor are no longer kept", "该游标之后的消息已不再保留"),
            Wording(
                "Go on with the cursor that `next` gives: the oldest message that is kept. What lies between is lost.",
                "请从 next 给出的游标继续：即现存最早的消息。其间的消息已无法取得。",
            ),
        ),
        "too-large": Kind(
            413,
            Wording("The request is too large", "请求过大"),
            Wording(
                "Nothing was taken. An event may have {event} bytes, a batch {batch} bytes and {events} events.",
                "未接收任何内容。单个事件最多 {event} 字节，一批最多 {batch} 字节、{events} 个事件。",
            ),
        ),
        "unsupported-encoding": Kind(
            415,
            Wording("Compressed content is not taken", "不接收压缩内容"),
            Wording("Send it without Content-Encoding.", "请不要使用 Content-Encoding。"),
        ),
        "unsupported-media-type": Kind(
            415,
            Wording("This format is not taken", "不接收此格式"),
            Wording(
                "Send application/cloudevents+json, application/cloudevents-batch+json, or headers beginning with ce-.",
                "请使用 application/cloudevents+json、application/cloudevents-batch+json，或以 ce- 开头的请求头。",
            ),
        ),
        "too-many-requests": Kind(
            429,
            Wording("Too many events in too short a time", "单位时间内的事件过多"),
            Wording(
                "Nothing was taken. Wait as long as Retry-After says.", "未接收任何内容。请按 Retry-After 等待后重试。"
            ),
        ),
        "too-many-streams": Kind(
            429,
            Wording("Too many streams are open", "打开的数据流过多"),
            Wording("Close one of them: {most} may be open.", "请先关闭一个：最多可打开 {most} 个。"),
        ),
        "header-too-large": Kind(
            431,
            Wording("The request's headers are too large", "请求头过大"),
            Wording("Nothing was taken.", "未接收任何内容。"),
        ),
        "internal": Kind(
            500,
            Wording("The gateway failed", "网关出错"),
            Wording("It is not known what became of it. Send it again.", "处理结果未知。请重新发送。"),
        ),
        "unavailable": Kind(
            503,
            Wording("The platform cannot take this now", "平台暂时无法接收"),
            Wording(
                "Nothing was taken. Wait as long as Retry-After says.", "未接收任何内容。请按 Retry-After 等待后重试。"
            ),
        ),
        "not-acknowledged": Kind(
            503,
            Wording("The platform did not acknowledge in time", "平台未及时确认"),
            Wording(
                "What `events` calls unknown may or may not have been taken. Send it again with the same id: "
                "the same id is taken once.",
                "events 中标为 unknown 的事件可能已被接收，也可能没有。"
                "请用相同的 id 重新发送：相同的 id 只会被接收一次。",
            ),
        ),
    }
)


class Problem(Exception):
    """Ends the handling of a request with this answer."""

    def __init__(
        self,
        kind: str,
        errors: Sequence[FieldProblem] = (),
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        close: bool = False,
        more: Mapping[str, Any] = MappingProxyType({}),
        context: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """`close` ends the connection, where the request has not been read to its end; `context` fills the words."""
        super().__init__(kind)
        self.kind = kind
        self.errors = errors
        self.headers = {**headers, "connection": "close"} if close else headers
        self.more = more
        self.context = context

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.kind].status

    def response(self, language: Language | None) -> Response:
        """The answer; in both languages where the reader's is not known."""
        status, title, detail = KINDS[self.kind]
        filled = Wording(detail.en.format_map(self.context), detail.zh.format_map(self.context))
        document: dict[str, Any] = {
            "type": f"urn:tongtu:problem:{self.kind}",
            "title": in_language(title, language),
            "status": status,
            "detail": in_language(filled, language),
        }
        if self.errors:
            document["errors"] = [each.model_dump() for each in self.errors[:MOST_ERRORS]]
        return Response(
            orjson.dumps(document | dict(self.more)), status, self.headers, media_type="application/problem+json"
        )


def accepted_language(header: str) -> Language | None:
    """The language that Accept-Language names first, of those spoken here; None where it names neither."""
    for part in header[:200].lower().split(","):
        tag = part.strip()[:2]
        if tag in ("zh", "en"):
            return "zh" if tag == "zh" else "en"
    return None
