"""What operators ask and decide: lag, dead letters, unpublishable messages, positions; on services that count."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from tests.command_line import CommandLine, running_service, started_service, wait_for
from tests.platform import Platform, event_headers, eventually

EVENTS = 50
HEADERS = event_headers("e", "bench.counted.v1")


def counted(number: int) -> tuple[str, bytes, Any]:
    return "k", json.dumps({"number": number}).encode(), HEADERS


def count(platform: Platform, service: str) -> int:
    document = platform.database(service)["counts"].find_one({"_id": "k"})
    return document["count"] if document else 0


@pytest.fixture
async def topics(platform: Platform) -> Platform:
    names = [f"{service}.{kind}" for service in ("risk", "notify") for kind in ("dead-letters", "replays")]
    await platform.create_topics(dict.fromkeys(["first", "second", *names], 1))
    return platform


@pytest.fixture
def chain(topics: Platform, tmp_path: Path) -> Iterator[CommandLine]:
    """risk counts what is in `first` and writes `second`, notify counts that."""
    with ExitStack() as stack:
        stack.enter_context(running_service(topics, "risk", tmp_path, "bench.counting", "risk", "first", "second", "1"))
        stack.enter_context(running_service(topics, "notify", tmp_path, "bench.counting", "notify", "second", "-", "1"))
        yield CommandLine.on(topics)


async def test_lag_is_zero_when_all_is_done_whatever_transactions_left_in_the_log(
    topics: Platform, chain: CommandLine
) -> None:
    await topics.produce("first", [counted(n) for n in range(EVENTS)])
    wait_for(lambda: count(topics, "notify") == EVENTS, "all counted")
    wait_for(lambda: not any(row["behind"] or row["unpublished"] for row in chain.json("lag")), "no lag")
    rows = {(row["group"], row["topic"]): row for row in chain.json("lag")}
    first, second = rows["tongtu.risk", "first"], rows["tongtu.notify", "second"]
    assert first["position"] == first["group_offset"] == first["end"] == EVENTS
    # Behind the last record stands the marker of the transaction that wrote it.
    assert second["end"] > EVENTS
    assert "tongtu.notify" in chain.run("lag")


async def test_lag_is_what_a_service_that_is_down_has_before_it(topics: Platform, tmp_path: Path) -> None:
    counting = ("bench.counting", "risk", "first", "-", "1")
    with running_service(topics, "risk", tmp_path, *counting):
        pass
    await topics.produce("first", [counted(n) for n in range(EVENTS)])
    tongtu = CommandLine.on(topics)
    (row,) = [row for row in tongtu.json("lag") if row["topic"] == "first"]
    assert (row["behind"], row["position"], row["end"]) == (EVENTS, 0, EVENTS)
    assert tongtu.finish("status").printed.count("risk") == 1


async def test_dead_letters_are_shown_replayed_and_discarded(topics: Platform, chain: CommandLine) -> None:
    bad = event_headers("broken", "bench.counted.v1", traceparent="00-1-2-01")
    await topics.produce("first", [counted(0), ("键", b'{"number": "\xff"}', bad), ("k", b"[]", HEADERS)])
    wait_for(lambda: len(chain.json("dead-letters", "list", "risk")) == 2, "two dead letters")
    first, second = chain.json("dead-letters", "list", "risk")
    assert (first["letter"], second["letter"]) == ("first/0/1", "first/0/2")
    assert first["size"] == len('键{"number": "x"}'.encode())
    shown = chain.run("dead-letters", "show", "risk", "first/0/1")
    assert "header      ce_id = broken" in shown
    assert '{"number": "\\xff"}' in shown
    assert "键" in shown

    assert "replayed first/0/1" in chain.run("dead-letters", "replay", "risk", "first/0/1")
    (replay,) = await topics.read_until("risk.replays", 1)
    assert replay.key == b"first/0/1"
    assert json.loads(replay.value or b"")["original"]["value"] is not None

    assert "no dead letter first/0/9" in chain.refusal("dead-letters", "discard", "risk", "first/0/9")
    chain.run("dead-letters", "discard", "risk", "first/0/2")
    letters = await topics.read("risk.dead-letters")
    assert (letters[-1].key, letters[-1].value) == (b"first/0/2", None)
    chain.run("dead-letters", "discard", "risk", "--all")
    assert chain.run("dead-letters", "list", "risk") == "risk has no dead letters\n"
    assert "no service is called x" in chain.refusal("dead-letters", "list", "x")
    assert "give --all" in chain.refusal("dead-letters", "discard", "risk")


async def test_a_letter_is_replayed_again_only_where_it_failed_again(topics: Platform, chain: CommandLine) -> None:
    await topics.produce("first", [("k", b"[]", HEADERS)])
    (letter,) = await topics.read_until("risk.dead-letters", 1)
    for failures in (1, 2):
        assert "replayed first/0/0" in chain.run("dead-letters", "replay", "risk", "first/0/0")
        await topics.read_until("risk.replays", failures)
        again = (await topics.read_until("risk.dead-letters", 1 + failures))[-1]
        assert again.key == letter.key == b"first/0/0"
        assert len(chain.json("dead-letters", "list", "risk")) == 1
    # As if the last replay had gone through: the letter in the log is older than it.
    await topics.produce("risk.dead-letters", [(letter.key, letter.value, list(letter.headers))])
    assert "skipped  first/0/0" in chain.run("dead-letters", "replay", "risk", "--all")
    assert len(await topics.read("risk.replays")) == 2


async def test_an_operator_decides_about_a_partition_whose_log_is_another_one(topics: Platform, tmp_path: Path) -> None:
    counting = ("bench.counting", "risk", "first", "-", "1")
    tongtu = CommandLine.on(topics)
    await topics.produce("first", [counted(n) for n in range(EVENTS)])
    with running_service(topics, "risk", tmp_path, *counting):
        wait_for(lambda: count(topics, "risk") == EVENTS, "all counted")
    await topics.delete_topics("first")
    await eventually(_gone(topics, "first"), what="the topic's end")
    await topics.create_topics({"first": 1})
    await topics.produce("first", [counted(n) for n in range(3)])

    def held() -> list[Any]:
        return [each for each in tongtu.json("positions", "list", "risk") if each["held"]]

    # It is not ready as long as it waits for the decision, so readiness is not waited for.
    with started_service(topics, "risk", tmp_path, *counting) as process:
        wait_for(held, "the partition is held")
        assert f"position {EVENTS} is beyond the log's end 3" in tongtu.run("positions", "list", "risk")
        assert "tongtu positions list risk" in tongtu.run("status", code=1)
        assert "has offsets 0 to 3, not 4" in tongtu.refusal("positions", "set", "risk", "first/0", "4")
        assert "no position in first/7" in tongtu.refusal("positions", "set", "risk", "first/7", "latest")
        tongtu.refusal("positions", "set", "risk", "first/0", "soon", code=2)
        epoch = held()[0]["epoch"]
        assert f"goes on in first/0 at 1 (it stood at {EVENTS})" in tongtu.run(
            "positions", "set", "risk", "first/0", "1"
        )
        wait_for(lambda: count(topics, "risk") == EVENTS + 2, "the two records from there on")
        wait_for(lambda: process.readiness() == "ready", "readiness")
    assert held() == []
    assert next(each["epoch"] for each in tongtu.json("positions", "list", "risk") if each["topic"] == "first") > epoch


async def test_messages_that_kafka_refused_are_listed(topics: Platform, tmp_path: Path) -> None:
    tongtu = CommandLine.on(topics)
    assert tongtu.run("unpublishable", "list", "risk") == "risk has published everything\n"
    topics.database("risk")["unpublishable"].insert_one(
        {
            "_id": "tongtu.risk:first/0#1.0/0/second",
            "group": "tongtu.risk",
            "reason": "MessageSizeTooLargeError: too large",
            "topic": f"{topics.prefix}second",
            "key": "键".encode(),
            "value": b"12345",
            "headers": [],
            "timestamp": 1,
        }
    )
    (entry,) = tongtu.json("unpublishable", "list", "risk")
    assert (entry["topic"], entry["key"], entry["bytes"]) == ("second", "键", 5)
    assert "MessageSizeTooLargeError" in tongtu.run("unpublishable", "list", "risk")


def _gone(platform: Platform, topic: str) -> Any:
    async def gone() -> bool:
        admin = AIOKafkaAdminClient(bootstrap_servers=platform.kafka)
        await admin.start()
        try:
            return platform.prefix + topic not in await admin.list_topics()
        finally:
            await admin.close()

    return gone
