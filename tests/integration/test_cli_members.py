"""The registry at the command line: who is a member, and never again under the same id."""

import json
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from tests.command_line import CommandLine
from tests.platform import Platform

STEEL = ("members", "add", "steel-works", "--name-zh", "示例钢铁集团", "--name-en", "Sample Steel")


@pytest.fixture
def tongtu(platform: Platform) -> CommandLine:
    command_line = CommandLine.on(platform)
    command_line.run("topics", "apply")
    return command_line


async def entries(platform: Platform) -> list[ConsumerRecord[Any, Any]]:
    return sorted(await platform.read("organisation.registered"), key=lambda record: record.timestamp)


def value_of(record: ConsumerRecord[Any, Any]) -> Any:
    return json.loads(record.value or b"")


async def test_a_member_gets_its_topics_and_everybody_is_told(platform: Platform, tongtu: CommandLine) -> None:
    printed = tongtu.run(
        *STEEL,
        *("--kind", "enterprise", "--uscc", "9111 0000 6000 3734 1L", "--region", "CN-LN", "--language", "zh"),
        *("--contact", "张三，zhang@example.org, +86 24 1234"),
    )
    assert "writes member.steel-works.outbox, reads member.steel-works.inbox" in printed
    (record,) = await entries(platform)
    assert record.key == b"steel-works"
    headers = dict(record.headers)
    assert headers["ce_type"] == b"tongtu.organisation.registered.v1"
    assert headers["ce_source"] == b"/registry"
    assert headers["ce_subject"] == headers["ce_partitionkey"] == b"steel-works"
    assert value_of(record) == {
        "id": "steel-works",
        "version": 1,
        "names": {"zh": "示例钢铁集团", "en": "Sample Steel"},
        "kind": "enterprise",
        "uscc": "91110000600037341L",
        "region": "CN-LN",
        "languages": ["zh"],
        "contacts": [{"name": "张三", "email": "zhang@example.org", "phone": "+86 24 1234"}],
    }
    assert await platform.read("member.steel-works.outbox") == []
    assert await platform.read("member.steel-works.inbox") == []
    (listed,) = tongtu.json("members", "list")
    assert listed["uscc"] == "91110000600037341L"
    assert "示例钢铁集团" in tongtu.run("members", "list")


async def test_an_entry_is_replaced_only_when_asked(platform: Platform, tongtu: CommandLine) -> None:
    tongtu.run(*STEEL)
    assert "exactly this entry" in tongtu.run(*STEEL)
    assert "--replace" in tongtu.refusal(*STEEL, "--region", "CN-LN")
    assert len(await entries(platform)) == 1
    assert "version 2" in tongtu.run(*STEEL, "--region", "CN-LN", "--replace")
    assert value_of((await entries(platform))[-1])["version"] == 2


async def test_an_id_is_never_used_again(platform: Platform, tongtu: CommandLine) -> None:
    assert "is not a member" in tongtu.refusal("members", "remove", "steel-works")
    tongtu.run(*STEEL)
    tongtu.run("members", "remove", "steel-works")
    removal = (await entries(platform))[-1]
    assert (removal.key, removal.value) == (b"steel-works", None)
    assert dict(removal.headers)["ce_recordversion"] == b"2"
    assert tongtu.json("members", "list") == []
    assert "never used again" in tongtu.refusal(*STEEL)
    assert "never used again" in tongtu.refusal("members", "remove", "steel-works")
    assert len(await entries(platform)) == 2


async def test_topics_are_applied_for_members_too(platform: Platform, tongtu: CommandLine) -> None:
    tongtu.run(*STEEL)
    await platform.delete_topics("member.steel-works.inbox")
    missing = {each["topic"]: each["partitions"] for each in tongtu.json("topics", "list")}
    assert missing["member.steel-works.outbox"] == 1
    assert missing["member.steel-works.inbox"] is None
    assert "created  " + platform.prefix + "member.steel-works.inbox" in tongtu.run("topics", "apply")
    assert "0 created, 0 altered" in tongtu.run("topics", "apply")


async def test_a_partition_count_is_never_changed(platform: Platform) -> None:
    await platform.create_topics({"match.proposed": 3})
    refused = CommandLine.on(platform).refusal("topics", "apply")
    assert "match.proposed has 3 and should have 4" in refused
