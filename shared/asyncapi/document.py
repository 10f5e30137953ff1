"""The AsyncAPI 3 document, put together from topics.yaml, the models and the examples."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version

from shared.asyncapi import wording
from shared.asyncapi.json_messages import batch, event_schema, page, structured, webhook
from shared.asyncapi.messages import Box, Carried, JsonObject, binary_messages
from shared.asyncapi.schemas import payload_schemas, reference
from shared.asyncapi.wording import both
from shared.contracts.formats import MEMBER_ID
from shared.contracts.generate import CONTRACTS
from shared.contracts.problems import Wording
from shared.runtime.topics import Topic, Topics

_BOXES: tuple[Box, ...] = ("outbox", "inbox")


def document(topics: Topics) -> JsonObject:
    """The whole document, the same for every member."""
    boxes: dict[Box, Topic] = {box: _topic(topics, box) for box in _BOXES}
    carried = {box: tuple(_carried(topic, box)) for box, topic in boxes.items()}
    schemas = payload_schemas([each.contract.model for box in _BOXES for each in carried[box]])
    messages: dict[str, JsonObject] = {}
    channels: dict[str, JsonObject] = {}
    for box, topic in boxes.items():
        events = f"{box.capitalize()}Event"
        schemas |= {each.event_schema: event_schema(each) for each in carried[box]}
        schemas[events] = {"oneOf": [reference(each.event_schema) for each in carried[box]]}
        binary = dict(message for each in carried[box] for message in binary_messages(each))
        as_json = (_sent_as_json if box == "outbox" else _received_as_json)(carried[box], events)
        messages |= binary | as_json
        channels[box] = _topic_channel(topic, [*binary, *(["outbox.structured"] if box == "outbox" else [])])
    channels |= _http_channels()
    return {
        "asyncapi": "3.0.0",
        "id": "urn:tongtu:members",
        "info": {
            "title": "Tongtu 通途",
            "version": version("tongtu"),
            "description": both(wording.INFO),
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": channels,
        "operations": _operations(),
        "components": {
            "messages": messages,
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "login": {"type": "scramSha512", "description": both(wording.LOGIN)},
                "token": {"type": "http", "scheme": "bearer", "description": both(wording.TOKEN)},
            },
        },
    }


def _topic(topics: Topics, box: Box) -> Topic:
    return next(topic for topic in topics.declared if topic.name == f"member.{{member}}.{box}")


def _carried(topic: Topic, box: Box) -> Iterator[Carried]:
    contracts = {contract.name: contract for contract in CONTRACTS}
    for carried in topic.carries:
        yield Carried(contracts[carried.schema_file.removesuffix(".json")], box, topic.key)


def _sent_as_json(carried: Sequence[Carried], events: str) -> dict[str, JsonObject]:
    return {
        "outbox.structured": structured(carried, wording.STRUCTURED, events, "valid-zh"),
        "outbox.batch": batch(carried, events),
    }


def _received_as_json(carried: Sequence[Carried], events: str) -> dict[str, JsonObject]:
    return {
        "inbox.structured": structured(carried, wording.INBOX_EVENT, events, "valid-zh"),
        "inbox.page": page(carried, events),
        "inbox.webhook": webhook(carried, events),
    }


def _servers() -> JsonObject:
    address = {"description": both(wording.ADDRESS)}
    return {
        "kafka": {
            "host": "{address}",
            "protocol": "kafka-secure",
            "description": both(wording.KAFKA),
            "variables": {"address": {**address, "examples": ["kafka.tongtu.example:9094"]}},
            "security": [{"$ref": "#/components/securitySchemes/login"}],
        },
        "gateway": {
            "host": "{address}",
            "protocol": "https",
            "description": both(wording.GATEWAY),
            "variables": {"address": {**address, "examples": ["gateway.tongtu.example"]}},
            "security": [{"$ref": "#/components/securitySchemes/token"}],
        },
        "receiver": {
            "host": "{address}",
            "protocol": "https",
            "description": both(wording.RECEIVER),
            "variables": {"address": {"description": both(wording.RECEIVER_ADDRESS), "examples": ["erp.acme.example"]}},
        },
    }


def _channel(address: str | None, server: str, title: Wording, messages: Iterable[str]) -> JsonObject:
    return {
        "address": address,
        "title": both(title),
        "servers": [{"$ref": f"#/servers/{server}"}],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
    }


def _topic_channel(topic: Topic, messages: Iterable[str]) -> JsonObject:
    box = topic.name.rpartition(".")[2]
    kept: JsonObject = {**topic.config, "cleanup.policy": str(topic.config["cleanup.policy"]).split(",")}
    return {
        **_channel(topic.name, "kafka", wording.CHANNELS[box], messages),
        "parameters": {"member": {"description": both(wording.MEMBER), "examples": ["example-materials"]}},
        "bindings": {
            "kafka": {
                "partitions": topic.partitions,
                "replicas": topic.replication,
                "topicConfiguration": kept,
                "bindingVersion": "0.5.0",
            }
        },
    }


def _http_channels() -> dict[str, JsonObject]:
    return {
        "gatewayEvents": _channel(
            "/v1/events", "gateway", wording.CHANNELS["events"], ("outbox.structured", "outbox.batch")
        ),
        "gatewayInbox": _channel("/v1/inbox", "gateway", wording.CHANNELS["page"], ("inbox.page",)),
        "gatewayStream": _channel("/v1/inbox/stream", "gateway", wording.CHANNELS["stream"], ("inbox.structured",)),
        "webhook": _channel(None, "receiver", wording.CHANNELS["webhook"], ("inbox.webhook",)),
    }


def _operations() -> JsonObject:
    cursor = {"type": "string", "maxLength": 64, "description": both(wording.CURSOR)}
    query = {
        "cursor": cursor,
        "limit": {"type": "integer", "minimum": 1, "maximum": 500, "default": 100, "description": both(wording.LIMIT)},
        "wait": {"type": "integer", "minimum": 0, "maximum": 30, "default": 0, "description": both(wording.WAIT)},
    }
    group = {
        "type": "string",
        "pattern": f"^member\\.{MEMBER_ID.strip('^$')}\\..+$",
        "description": both(wording.GROUP),
        "examples": ["member.example-materials.erp"],
    }
    reader = {"groupId": group, "x-isolation-level": "read_committed", "bindingVersion": "0.5.0"}
    return {
        "sendToOutbox": _operation("send", "outbox", wording.SEND, wording.SEND_MORE),
        "receiveFromInbox": _operation("receive", "inbox", wording.RECEIVE, wording.RECEIVE_MORE, kafka=reader),
        "postEvents": _operation("send", "gatewayEvents", wording.POST, wording.POST_MORE, http=_http("POST")),
        "readInbox": _operation("receive", "gatewayInbox", wording.READ, wording.READ_MORE, http=_http("GET", query)),
        "followInbox": _operation(
            "receive", "gatewayStream", wording.FOLLOW, wording.FOLLOW_MORE, http=_http("GET", {"cursor": cursor})
        ),
        "receiveWebhook": _operation("receive", "webhook", wording.HOOK, wording.HOOK_MORE, http=_http("POST")),
    }


def _operation(action: str, channel: str, title: Wording, words: Wording, **bindings: JsonObject) -> JsonObject:
    operation: JsonObject = {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": both(title),
        "description": both(words),
    }
    return {**operation, "bindings": bindings} if bindings else operation


def _http(method: str, query: JsonObject | None = None) -> JsonObject:
    binding: JsonObject = {"method": method, "bindingVersion": "0.3.0"}
    return {**binding, "query": {"type": "object", "properties": query}} if query else binding
