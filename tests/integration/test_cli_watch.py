"""`watch` shows every committed event of a topic, also those that no client library can read."""

import base64
import json

from tests import raw_batches
from tests.command_line import CommandLine
from tests.hostile_records import HOSTILE, bombs
from tests.platform import Platform, event_headers

OUTBOX, OTHER = "member.steel-works.outbox", "member.grid.outbox"


async def test_events_are_followed_and_decoded(platform: Platform) -> None:
    await platform.create_topics({OUTBOX: 1, OTHER: 1})
    headers = event_headers("e1", "tongtu.technology.submitted.v1", "/members/steel-works", traceparent="00-1-2-01")
    envelope = {"specversion": "1.0", "id": "e2", "source": "/s", "type": "t", "data": {"标题": "中文"}}
    structured = [("content-type", b"application/cloudevents+json")]
    await platform.produce(OUTBOX, [("a", b'{"id": "a"}', headers)])
    with CommandLine.on(platform).lines("watch", "member.*.outbox", "--json") as first_lines:
        await platform.produce(OUTBOX, [("b", None, headers), (None, json.dumps(envelope).encode(), structured)])
        await platform.produce(OTHER, [("c", b"\xff\x00", [])])
        events = {each["topic"] + str(each["offset"]): each for each in map(json.loads, first_lines(3))}
    assert set(events) == {OUTBOX + "1", OUTBOX + "2", OTHER + "0"}  # not what was there before
    null = events[OUTBOX + "1"]
    assert (null["key"], null["id"], null["data"]) == ("b", "e1", None)
    assert null["extensions"] == {"traceparent": "00-1-2-01"}
    assert events[OUTBOX + "2"]["data"] == {"标题": "中文"}
    assert base64.b64decode(events[OTHER + "0"]["data_base64"]) == b"\xff\x00"
    assert {problem["pointer"] for problem in events[OTHER + "0"]["problems"]}


async def test_what_clients_cannot_read_hides_nothing(platform: Platform) -> None:
    await platform.create_topics({OUTBOX: 1, OTHER: 1}, **{"max.message.bytes": "2000000"})
    headers = event_headers("e1", "t")
    unfolding = bombs()
    hostile = [*(each.batch for each in HOSTILE.values()), *unfolding]
    for batch in hostile:
        await raw_batches.produce(platform.kafka, platform.prefix + OUTBOX, batch)
        await platform.produce(OUTBOX, [("good", b"{}", headers)])
    await platform.produce(OTHER, [(str(n), b"{}", headers) for n in range(3)])
    wanted = {(OTHER, 0), (OTHER, 1), (OTHER, 2), *((OUTBOX, offset) for offset in range(2 * len(hostile)))}
    for form in (("--json",), ()):
        with CommandLine.on(platform).lines("watch", OUTBOX, OTHER, "--from-start", *form) as first_lines:
            lines = first_lines(len(wanted))
        if form:
            events = list(map(json.loads, lines))
            assert sorted((each["topic"], each["offset"]) for each in events) == sorted(wanted)
            broken = sum(each.error == "Unreadable" for each in HOSTILE.values())
            assert sum("unreadable" in each for each in events) == broken + len(unfolding)
        assert len(lines) == len(wanted)
        assert not any("\udc80" <= character <= "\udcff" for line in lines for character in line)


async def test_a_line_for_people_fits_a_line(platform: Platform) -> None:
    await platform.create_topics({OUTBOX: 1})
    long = json.dumps({"id": "a", "text": "两行\n" * 500}, ensure_ascii=False).encode()
    await platform.produce(OUTBOX, [("a", long, event_headers("e1", "tongtu.technology.submitted.v1"))])
    with CommandLine.on(platform).lines("watch", OUTBOX, "--from-start") as first_lines:
        (line,) = first_lines(1)
    assert f"{OUTBOX}/0@0  tongtu.technology.submitted.v1  a  {{" in line
    assert line.endswith("…")


async def test_a_topic_that_is_not_there(platform: Platform) -> None:
    assert "no topic is called nothing.*" in CommandLine.on(platform).refusal("watch", "nothing.*")
