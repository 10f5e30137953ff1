"""What the AsyncAPI document says in words, in English and Chinese, beside what models and topics.yaml say."""

from collections.abc import Mapping

from shared.contracts.problems import Wording

WITHDRAWAL = ".withdrawal"
"""Follows a type where its null record is meant."""

TITLES: Mapping[str, Wording] = {
    "tongtu.technology.submitted.v1": Wording("Submit or update a technology", "发布或更新技术"),
    "tongtu.technology.submitted.v1.withdrawal": Wording("Withdraw a technology", "撤回技术"),
    "tongtu.demand.posted.v1": Wording("Post or update a demand", "发布或更新需求"),
    "tongtu.demand.posted.v1.withdrawal": Wording("Close a demand", "关闭需求"),
    "tongtu.match.answered.v1": Wording("Answer a proposal", "答复推荐"),
    "tongtu.outcome.recorded.v1": Wording("Report an outcome", "登记结果"),
    "tongtu.outcome.recorded.v1.withdrawal": Wording("Take back an outcome", "撤回已登记的结果"),
    "tongtu.receipt.v1": Wording("Receipt: a message was taken", "回执：消息已接收"),
    "tongtu.rejection.v1": Wording("Rejection: a message was not taken", "退回：消息未被接收"),
    "tongtu.proposal.v1": Wording("Proposal: a match with its risk", "推荐：匹配及其风险"),
    "tongtu.proposal-withdrawn.v1": Wording("Proposal taken back", "推荐已撤回"),
    "tongtu.no-match.v1": Wording("No match, and what came nearest", "暂无匹配及最接近的一项"),
    "tongtu.answer-reminder.v1": Wording("Reminder: an answer is waited for", "提醒：等待您的答复"),
    "tongtu.match-declined.v1": Wording("The other party declines", "对方已谢绝"),
    "tongtu.mutual-interest.v1": Wording("Mutual interest: who the other party is", "双方均有意向：对方是谁"),
}
"""What each message is for, by its type. The model's own words, in English, stand in where one is missing."""

INFO = Wording(
    """\
What a member's own system sends and receives, from that system's point of view: *send* is what it writes, *receive*
what it gets. There is no client to install: any Kafka client and any CloudEvents SDK can take part.

- **Kafka**: a member writes to its outbox and reads its inbox. Every message is a CloudEvent 1.0: in binary mode
  (attributes in `ce_` headers, the record as the value) or, in the outbox, in structured mode
  (`application/cloudevents+json`).
- **HTTP**: the gateway takes and shows the same messages. Its OpenAPI 3.1 document is at `/openapi.json` there.
- **Webhook**: whatever comes into the inbox can be posted to an address of yours, signed.

Read with `isolation.level=read_committed`: then each message is read once and in order. Who a member is follows from
its login, never from what a message claims. Each message that is sent is answered by a receipt or a rejection in the
inbox. A reader ignores fields and types that it does not know.""",
    """\
本文档从成员自有系统的角度说明全部消息：*send* 表示由您发送，*receive* 表示由您接收。无需安装专用客户端：\
任何 Kafka 客户端、任何 CloudEvents SDK 均可接入。

- **Kafka**：成员写入发件箱（outbox），读取收件箱（inbox）。每条消息都是 CloudEvents 1.0 事件：二进制模式\
（属性写入 `ce_` 消息头，记录为消息值），发件箱也接受结构化模式（`application/cloudevents+json`）。
- **HTTP**：网关收发同样的消息，OpenAPI 3.1 文档见网关的 `/openapi.json`。
- **Webhook**：进入收件箱的消息也可以带签名推送到您指定的地址。

读取时请设置 `isolation.level=read_committed`，即可保证每条消息恰好读到一次且有序。身份由登录凭据确定，与消息内容无关。\
每条发出的消息都会在收件箱中得到回执或退回说明。遇到未知的字段或类型请忽略。""",
)

KAFKA = Wording(
    "Kafka. SASL/SCRAM-SHA-512 over TLS; a platform that listens on one machine only may go without TLS.",
    "Kafka 接入：TLS 上的 SASL/SCRAM-SHA-512；仅在本机监听的平台可不使用 TLS。",
)
GATEWAY = Wording("The HTTP gateway, for systems that do not speak Kafka.", "HTTP 网关，供不使用 Kafka 的系统接入。")
RECEIVER = Wording("Your own system, where webhooks are posted to.", "您自己的系统：接收 Webhook 推送。")
RECEIVER_ADDRESS = Wording(
    "What `tongtu members channels` was given for you.", "由 `tongtu members channels` 为您登记的地址。"
)
ADDRESS = Wording("Told with your login.", "随登录凭据一并告知。")
LOGIN = Wording(
    "User and password as `tongtu members add` or `rotate` shows them, once. They open exactly the two topics of their "
    "member, and consumer groups whose names begin with `member.<id>.`; no transactions.",
    "用户名和密码由 `tongtu members add` 或 `rotate` 发放，只显示一次；仅可访问本成员的两个主题，以及名称以 "
    "`member.<id>.` 开头的消费者组；不可使用事务。",
)
TOKEN = Wording(
    "The token that `tongtu members add` or `rotate` shows, once.",
    "令牌由 `tongtu members add` 或 `rotate` 发放，只显示一次。",
)
MEMBER = Wording("Your member id: 2 to 40 of a-z, 0-9, hyphen.", "成员编号：2 至 40 个字符，a-z、0-9、连字符。")
GROUP = Wording(
    "Consumer group: `member.<id>.` and whatever name you like.", "消费者组：以 `member.<id>.` 开头，其余自定。"
)

CHANNELS: Mapping[str, Wording] = {
    "outbox": Wording("Your outbox", "发件箱"),
    "inbox": Wording("Your inbox", "收件箱"),
    "events": Wording("Your outbox, over HTTP", "发件箱（HTTP）"),
    "page": Wording("Your inbox, over HTTP, page by page", "收件箱（HTTP 分页）"),
    "stream": Wording("Your inbox, over HTTP, as it comes", "收件箱（HTTP 持续接收）"),
    "webhook": Wording("Your inbox, posted to you", "收件箱（Webhook 推送）"),
}

SEND = Wording("Write to your outbox", "写入发件箱")
SEND_MORE = Wording(
    "One partition: messages count in the order in which they stand there. A message with its headers may have 1 MiB. "
    "The same `id` from the same `source` within 30 days is a repetition and changes nothing, so send again whatever "
    "you are not sure of.",
    "仅一个分区，按写入顺序处理。单条消息连同消息头不超过 1 MiB。"
    "30 天内同一 `source` 的相同 `id` 视为重复，不产生任何变化，因此不确定时可放心重发。",
)
RECEIVE = Wording("Read your inbox", "读取收件箱")
RECEIVE_MORE = Wording(
    "With `isolation.level=read_committed`, which is not the default of every client (not of Java's). Messages are "
    "kept for 30 days. `ce_id` tells a repetition.",
    "请设置 `isolation.level=read_committed`（并非所有客户端的默认值，例如 Java 客户端）。"
    "消息保留 30 天；`ce_id` 可用于识别重复。",
)
POST = Wording("Send over HTTP", "通过 HTTP 发送")
POST_MORE = Wording(
    "Structured (one event) or batched (at most 100 events, 4 MiB); binary mode works as well (`ce-` headers). "
    "`source` may be left out. The answer is 202 when Kafka has it on all replicas; without an answer, or with 503, "
    "send the same `id` again. All answers are described in the gateway's OpenAPI document.",
    "结构化（单条）或批量（最多 100 条，4 MiB）；也支持二进制模式（`ce-` 请求头）。`source` 可省略。"
    "返回 202 表示已写入全部副本；"
    "未收到应答或收到 503 时，请用相同的 `id` 重发。全部应答见网关的 OpenAPI 文档。",
)
READ = Wording("Read the inbox over HTTP, by cursor", "通过 HTTP 按游标读取收件箱")
READ_MORE = Wording(
    "Keep `next` and go on from it. A cursor that the 30 days have passed is answered 410, with `next` to go on from.",
    "请保存 `next` 并从该处继续。超过 30 天的游标返回 410，并给出可继续的 `next`。",
)
FOLLOW = Wording("Follow the inbox over HTTP, as server-sent events", "通过 HTTP 持续接收收件箱（SSE）")
FOLLOW_MORE = Wording(
    "`id` of each server-sent event is the cursor, `data` the message. To go on, give the last one in `Last-Event-ID`.",
    "SSE 事件的 `id` 为游标，`data` 为消息；用 `Last-Event-ID` 从上次的位置继续。",
)
HOOK = Wording("Receive webhooks", "接收 Webhook")
HOOK_MORE = Wording(
    "[Standard Webhooks](https://www.standardwebhooks.com): verify the signature over the body as it came before you "
    "read it, and answer 2xx. 410 says that you want no more; anything else is tried again over days, always with the "
    "same `webhook-id`: take each id once.",
    "遵循 [Standard Webhooks](https://www.standardwebhooks.com)：先对收到的原始正文验证签名，再读取，并返回 2xx；"
    "返回 410 表示不再接收；其他情况将在数日内重试，`webhook-id` 保持不变：同一编号只处理一次。",
)
STRUCTURED = Wording(
    "Any of these as one JSON object: CloudEvents structured mode", "以上任一消息的 JSON 形式：CloudEvents 结构化模式"
)
BATCH = Wording("Several at once: CloudEvents batched mode", "一次多条：CloudEvents 批量模式")
PAGE = Wording("A page of the inbox", "收件箱的一页")
INBOX_EVENT = Wording("Any inbox message as one JSON object", "收件箱消息的 JSON 形式")
WEBHOOK = Wording("Any inbox message as one JSON object, signed", "收件箱消息的 JSON 形式，带签名")
NULL = Wording(
    "A null value (a tombstone), with the record's id in `ce_subject`. It takes a version too.",
    "消息值为空（null），并在 `ce_subject` 中写明记录编号；同样占用一个版本号。",
)
CURSOR = Wording("Where to go on; without it the oldest message.", "从何处继续；省略则从最早的消息开始。")
LIMIT = Wording("Messages at most.", "最多返回的条数。")
WAIT = Wording("Seconds to wait for a message where there is none.", "没有消息时等待的秒数。")
NEXT = Wording("The cursor to go on from, also where there are no messages.", "下次使用的游标，没有消息时也会给出。")
MORE = Wording("Whether more is there already.", "是否还有更多。")
WEBHOOK_ID = Wording("The message's own id; the same at every repetition.", "消息编号；重试时不变。")
WEBHOOK_TIMESTAMP = Wording(
    "Seconds since 1970 when this attempt was made; refuse what is older than five minutes.",
    "本次推送的 Unix 秒数；请拒绝五分钟以前的请求。",
)
WEBHOOK_SIGNATURE = Wording(
    "`v1,` and the base64 of HMAC-SHA-256 over `<webhook-id>.<webhook-timestamp>.<body>`, under your secret without "
    "`whsec_` and decoded from base64. Two, with a space between, while a secret is changed: one of them must fit.",
    "`v1,` 加上对 `<webhook-id>.<webhook-timestamp>.<正文>` 的 HMAC-SHA-256（base64）；密钥为去掉 `whsec_` 后按 base64 "
    "解码的字节。更换密钥期间有两个签名，以空格分隔，符合其一即可。",
)

ATTRIBUTES: Mapping[str, Wording] = {
    "outbox.id": Wording(
        "Yours; the same id from the same source within 30 days is a repetition and changes nothing.",
        "由您指定；30 天内同一来源的相同编号视为重复。",
    ),
    "outbox.source": Wording("`/members/<your id>` or below it.", "`/members/<成员编号>` 或其下级路径。"),
    "outbox.subject": Wording("The record's id, local or full, or the match id.", "记录编号（简写或全称）或匹配编号。"),
    "outbox.time": Wording("Told, never used for order.", "仅供参考，不用于排序。"),
    "outbox.recordversion": Wording(
        "The record's version, where the data does not say it.", "记录版本；数据中未写明时使用。"
    ),
    "inbox.id": Wording("Tells a repetition.", "用于识别重复。"),
    "inbox.source": Wording("The part of the platform that wrote it.", "写入该消息的平台服务。"),
    "inbox.subject": Wording("Your record's id, or the match id.", "您的记录编号或匹配编号。"),
    "inbox.time": Wording("When it was written.", "写入时间。"),
    "inbox.partitionkey": Wording("The Kafka key.", "Kafka 消息键。"),
    "inbox.traceparent": Wording("W3C trace context.", "W3C 链路追踪标识。"),
}
"""By where it is and the attribute's name."""


def both(wording: Wording) -> str:
    """English, then Chinese: one line where it is short, else a paragraph each."""
    between = "\n\n" if "\n" in wording.en or len(wording.en) > 100 else " "
    return f"{wording.en}{between}{wording.zh}"
