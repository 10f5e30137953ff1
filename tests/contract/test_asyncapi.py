"""The AsyncAPI document holds everything that members send and receive, nothing else, and is what it claims to be."""

import base64
import hashlib
import hmac
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from shared.asyncapi.files import FILE, differing_files
from shared.asyncapi.json_messages import EXAMPLE_SECRET
from shared.asyncapi.packages import PackagesError, installed, parsed
from shared.asyncapi.schemas import PLACE
from shared.asyncapi.wording import TITLES
from shared.contracts.example import load_examples
from shared.contracts.generate import CONTRACTS
from shared.runtime.topics import load_topics

TEXT = FILE.read_text(encoding="utf-8")
DOCUMENT: dict[str, Any] = yaml.safe_load(TEXT)
MESSAGES: dict[str, dict[str, Any]] = DOCUMENT["components"]["messages"]
EXAMPLES = [(name, example) for name, message in MESSAGES.items() for example in message["examples"]]
MODELS = {contract.name: contract.model for contract in CONTRACTS}
BOXES = {
    topic.name.rpartition(".")[2]: [
        (carried.type, carried.schema_file.removesuffix(".json")) for carried in topic.carries
    ]
    for topic in load_topics().declared
    if "{member}" in topic.name
}
CARRIED = [(box, *carried) for box, types in BOXES.items() for carried in types]
# What draft 07 does not know, or reads in another way than 2020-12.
NEWER = {
    *("$defs", "$dynamicRef", "prefixItems", "unevaluatedProperties", "unevaluatedItems", "dependentSchemas"),
    *("dependentRequired", "minContains", "maxContains", "discriminator", "$anchor", "$id", "$schema"),
}


def validator(schema: dict[str, Any]) -> Draft7Validator:
    """Of a schema in the document; its pointers lead into the document."""
    return Draft7Validator({"allOf": [schema], "components": DOCUMENT["components"]})


def places(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
        for each in part.values():
            yield from places(each)
    elif isinstance(part, list):
        for each in part:
            yield from places(each)


def pointers(part: Any) -> set[str]:
    return {place["$ref"] for place in places(part) if isinstance(place.get("$ref"), str)}


def messages_of(channel: str) -> set[str]:
    return set(DOCUMENT["channels"][channel]["messages"])


def test_checked_in_document_is_that_of_topics_models_and_examples() -> None:
    assert [*differing_files()] == [], "run: python -m shared.contracts.generate"


@pytest.mark.parametrize(("box", "type", "contract"), CARRIED, ids=[contract for _, _, contract in CARRIED])
def test_every_type_that_members_send_or_receive_is_told(box: str, type: str, contract: str) -> None:
    message = MESSAGES[type]
    model = MODELS[contract]
    assert type in messages_of(box)
    assert message["name"] == type == message["headers"]["properties"]["ce_type"]["const"]
    assert message["payload"] == {"$ref": f"{PLACE}{model.__name__}"}
    shown = [example["payload"] for example in message["examples"]]
    valid = [example for example in load_examples(contract) if example.valid]
    assert shown == [example.value for example in valid if example.value is not None]
    withdrawals = [example for example in valid if example.value is None]
    assert (f"{type}.withdrawal" in messages_of(box)) == bool(withdrawals)
    schemas = DOCUMENT["components"]["schemas"]
    events = schemas[f"{box.capitalize()}Event"]["oneOf"]
    types = {schemas[each["$ref"].removeprefix(PLACE)]["properties"]["type"]["const"] for each in events}
    assert type in types


@pytest.mark.parametrize("message", [name for name in MESSAGES if name.startswith("tongtu.")])
def test_every_type_is_told_in_english_and_chinese(message: str) -> None:
    assert message in TITLES, "give it a title in shared/asyncapi/wording.py"
    assert MESSAGES[message]["title"] == " ".join(TITLES[message])


def test_members_send_to_the_outbox_and_receive_from_the_inbox() -> None:
    actions = {each["channel"]["$ref"].rpartition("/")[2]: each["action"] for each in DOCUMENT["operations"].values()}
    assert actions.keys() == DOCUMENT["channels"].keys() >= BOXES.keys()
    assert (actions["outbox"], actions["inbox"], actions["gatewayEvents"]) == ("send", "receive", "send")
    assert {action for channel, action in actions.items() if channel not in ("outbox", "gatewayEvents")} == {"receive"}
    for box in BOXES:
        assert DOCUMENT["channels"][box]["address"] == f"member.{{member}}.{box}"


def test_topics_are_configured_as_topics_yaml_says() -> None:
    for topic in load_topics().for_member("acme"):
        told = DOCUMENT["channels"][topic.name.rpartition(".")[2]]["bindings"]["kafka"]
        configuration = {**told["topicConfiguration"]}
        assert configuration.pop("cleanup.policy") == [topic.config["cleanup.policy"]]
        assert configuration == {name: value for name, value in topic.config.items() if name != "cleanup.policy"}
        assert (told["partitions"], told["replicas"]) == (topic.partitions, topic.replication)


def test_what_is_at_the_http_gateway_is_told_as_the_gateway_tells_it() -> None:
    addresses = {DOCUMENT["channels"][name]["address"] for name in ("gatewayEvents", "gatewayInbox", "gatewayStream")}
    assert addresses == {"/v1/events", "/v1/inbox", "/v1/inbox/stream"}


def test_nothing_internal_is_told() -> None:
    for topic in load_topics():
        alone = rf"(?<![\w.-]){re.escape(topic.name)}(?![\w.-])"
        assert not re.search(alone, TEXT), topic.name
    told = {type for types in BOXES.values() for type, _ in types}
    assert set(re.findall(r"tongtu\.[a-z.-]+\.v[0-9]+", TEXT)) == told
    models = {contract.model.__name__ for contract in CONTRACTS}
    members = {MODELS[contract].__name__ for _, _, contract in CARRIED}
    assert not (models - members) & DOCUMENT["components"]["schemas"].keys()


def test_every_schema_is_used_and_every_pointer_leads_somewhere() -> None:
    reached: set[str] = set()
    waiting = pointers({key: DOCUMENT[key] for key in ("servers", "channels", "operations")})
    while waiting:
        pointer = waiting.pop()
        target: Any = DOCUMENT
        for step in pointer.removeprefix("#/").split("/"):
            target = target[step]
        reached.add(pointer)
        waiting |= pointers(target) - reached
    components = DOCUMENT["components"]
    assert {f"#/components/{kind}/{name}" for kind, held in components.items() for name in held} <= reached


RECEIVED = [each for each in EXAMPLES if each[0] in messages_of("inbox") | {"inbox.structured", "inbox.webhook"}]


@pytest.mark.parametrize(("name", "example"), RECEIVED, ids=[f"{name}/{each['name']}" for name, each in RECEIVED])
def test_no_received_example_names_a_member_but_its_reader(name: str, example: dict[str, Any]) -> None:
    if "tongtu.mutual-interest.v1" in (name, example["payload"].get("type")):
        return  # the one message that says who the other party is
    members = re.findall(r'"(example-[a-z0-9-]+)[/"]', json.dumps(example))
    assert len(set(members)) <= 1


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[f"{name}/{each['name']}" for name, each in EXAMPLES])
def test_every_example_is_valid_by_its_own_schemas(name: str, example: dict[str, Any]) -> None:
    message = MESSAGES[name]
    validator(message["payload"]).validate(example["payload"])
    if "headers" in message:
        validator(message["headers"]).validate(example["headers"])


@pytest.mark.parametrize(("box", "type", "contract"), CARRIED, ids=[contract for _, _, contract in CARRIED])
def test_what_the_contract_refuses_the_document_refuses(box: str, type: str, contract: str) -> None:
    refused = [
        each for each in load_examples(contract) if not each.valid and not each.rule_beyond_schema and each.value
    ]
    assert refused
    for example in refused:
        assert not validator(MESSAGES[type]["payload"]).is_valid(example.value), example.name
        event = {name.removeprefix("ce_"): value for name, value in example.headers.items() if name.startswith("ce_")}
        event |= {"datacontenttype": "application/json", "data": example.value}
        assert not validator({"$ref": f"{PLACE}{box.capitalize()}Event"}).is_valid(event), example.name


def test_headers_that_are_no_cloudevent_are_refused() -> None:
    headers = validator(MESSAGES["tongtu.demand.posted.v1"]["headers"])
    good = MESSAGES["tongtu.demand.posted.v1"]["examples"][0]["headers"]
    assert headers.is_valid(good)
    assert not headers.is_valid({name: value for name, value in good.items() if name != "ce_id"})
    assert not headers.is_valid({**good, "ce_type": "tongtu.receipt.v1"})
    assert not headers.is_valid({**good, "ce_source": "/services/intake"})
    withdrawal = validator(MESSAGES["tongtu.demand.posted.v1.withdrawal"]["headers"])
    assert not withdrawal.is_valid({name: value for name, value in good.items() if name != "ce_subject"})


def test_schemas_are_in_the_dialect_of_asyncapi() -> None:
    for name, schema in DOCUMENT["components"]["schemas"].items():
        Draft7Validator.check_schema(schema)
        for place in places(schema):
            assert "$ref" not in place or len(place) == 1, name
            assert not NEWER & place.keys(), name


def test_signatures_of_the_examples_are_those_of_standard_webhooks() -> None:
    secret = base64.b64decode(EXAMPLE_SECRET.removeprefix("whsec_"))
    for example in MESSAGES["inbox.webhook"]["examples"]:
        headers, payload = example["headers"], example["payload"]
        body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
        digest = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
        assert headers["webhook-id"] == payload["id"]
        assert headers["webhook-signature"] == f"v1,{digest}"


BROKEN = {
    "action": ("action: send", "action: shout"),
    "pointer": ("#/components/schemas/DemandDraft'", "#/components/schemas/Nothing'"),
    "parameter": ("address: member.{member}.outbox", "address: member.{somebody}.outbox"),
    "schema": ("type: object", "type: thing"),
}


@pytest.fixture(scope="module")
def findings() -> dict[str, dict[str, Any]]:
    """What AsyncAPI's own parser says of the document, and of it with one thing broken."""
    try:
        installed()
    except PackagesError as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            raise
        pytest.skip(f"AsyncAPI's parser is not there: {error}")
    texts = {"whole": TEXT} | {name: TEXT.replace(*change, 1) for name, change in BROKEN.items()}
    return dict(zip(texts, parsed([*texts.values()]), strict=True))


def test_document_is_valid_by_asyncapis_own_parser(findings: dict[str, dict[str, Any]]) -> None:
    assert (findings["whole"]["valid"], findings["whole"]["problems"]) == (True, [])
    # YAML 1.1, which writes it, and YAML 1.2 differ about some words and numbers.
    assert findings["whole"]["read"] == DOCUMENT


@pytest.mark.parametrize("broken", BROKEN)
def test_broken_document_is_refused_by_it(findings: dict[str, dict[str, Any]], broken: str) -> None:
    assert BROKEN[broken][0] in TEXT
    assert findings[broken]["problems"]
    assert not findings[broken]["valid"]
