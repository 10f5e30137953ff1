"""The gateway on real Kafka: events in, receipts out, over HTTP alone, and nothing lost or done twice in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from services.intake.app import compose
from services.intake.settings import IntakeSettings
from shared.runtime.service import Service
from shared.runtime.topics import load_topics
from tests.gateway import (
    TECHNOLOGY,
    GatewayProcess,
    binary,
    gateway,
    give_tokens,
    structured,
    technology,
    tell,
    token_of,
)
from tests.infrastructure import TestInfrastructure
from tests.platform import Platform, eventually

JSON = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"


async def run_intake(platform: Platform, stack: AsyncExitStack) -> None:
    """Intake in this process, with its topics."""
    topics = load_topics()
    names = ["technology.submitted", "demand.posted", "match.answered", "outcome.recorded", "match.proposed"]
    await platform.create_topics(
        {name: topics.partitions(name) for name in [*names, "intake.dead-letters", "intake.replays"]}
    )
    settings = platform.settings(IntakeSettings)
    service = await stack.enter_async_context(Service("intake", settings))
    compose(service, settings)
    await stack.enter_async_context(platform.running(service))


async def inbox_until(client: httpx.AsyncClient, count: int) -> list[dict[str, Any]]:
    """Reads the inbox over HTTP until so many messages have come."""
    found: list[dict[str, Any]] = []
    place: dict[str, str] = {}
    while len(found) < count:
        answer = await client.get("/v1/inbox", params={"wait": "20", **place})
        assert answer.status_code == 200, answer.text
        assert answer.json()["events"], f"{len(found)} of {count} came: {found}"
        found += answer.json()["events"]
        place = {"cursor": answer.json()["next"]}
    return found


async def test_each_binding_gets_its_receipt(platform: Platform) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(gateway(platform))
        await run_intake(platform, stack)
        client = await stack.enter_async_context(running.client("acme"))
        one = await client.post("/v1/events", json=technology("one"), headers=binary("1"))
        two = await client.post(
            "/v1/events",
            content=json.dumps(structured("2", technology("two"), source="/members/acme/erp")),
            headers={"content-type": JSON},
        )
        batch = [structured("3", technology("three")), structured("4", {"id": "four"}), structured("5", subject="two")]
        three = await client.post("/v1/events", content=json.dumps(batch), headers={"content-type": BATCH})
        assert [each.status_code for each in (one, two, three)] == [202, 202, 202]
        assert [each["id"] for each in three.json()["events"]] == ["3", "4", "5"]
        assert two.json()["events"] == [{"id": "2", "source": "/members/acme/erp", "status": "accepted"}]
        replies = await inbox_until(client, 5)
        outcomes = {each["data"]["event_id"]: each["data"].get("outcome", each["type"]) for each in replies}
        assert outcomes == {
            "1": "accepted",
            "2": "accepted",
            "3": "accepted",
            "4": "tongtu.rejection.v1",
            "5": "withdrawn",
        }
        written = await platform.read("member.acme.outbox")
        assert [record.key for record in written] == [None, None, None, None, b"two"]
        async with running.client("bolt") as other:
            assert (await other.get("/v1/inbox")).json()["events"] == []


async def test_an_event_sent_again_is_taken_once_whatever_became_of_the_answer(platform: Platform) -> None:
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(gateway(platform))
        await run_intake(platform, stack)
        data, headers = technology("one"), binary("the same")
        async with running.client("acme") as client:
            sending = asyncio.create_task(client.post("/v1/events", json=data, headers=headers))
            await eventually(lambda: _any(platform.read("member.acme.outbox")), what="the event in the log")
            running.kill()
            await asyncio.gather(sending, return_exceptions=True)
        await running.start()
        async with running.client("acme") as client:
            again = await client.post("/v1/events", json=data, headers=headers)
            assert again.status_code == 202
            replies = await inbox_until(client, 2)
        assert [each["data"]["outcome"] for each in replies] == ["accepted", "repeated"]
        assert len(await platform.read("technology.submitted")) == 1


async def _any(reading: Any) -> bool:
    return bool(await reading)


async def test_what_kafka_does_not_acknowledge_is_503_and_goes_in_later(
    platform: Platform, infra: TestInfrastructure
) -> None:
    kafka = infra.servers.kafka
    async with gateway(platform, TONGTU_GATEWAY_KAFKA_SECONDS="2") as running, running.client("acme") as client:
        assert (await client.post("/v1/events", json={}, headers=binary("before"))).status_code == 202
        kafka.kill()
        try:
            lost = await client.post("/v1/events", json={}, headers=binary("meanwhile"))
            assert lost.status_code == 503
            assert lost.json()["type"] == "urn:tongtu:problem:not-acknowledged"
            assert lost.json()["events"] == [{"id": "meanwhile", "source": "/members/acme", "status": "unknown"}]
            assert int(lost.headers["retry-after"]) > 0
            unread = await client.get("/v1/inbox")
            assert (unread.status_code, unread.json()["type"]) == (503, "urn:tongtu:problem:unavailable")
        finally:
            kafka.start()

        async def taken() -> bool:
            return (await client.post("/v1/events", json={}, headers=binary("meanwhile"))).status_code == 202

        await eventually(taken, what="the event's acceptance")
        ids = [dict(record.headers)["ce_id"] for record in await platform.read("member.acme.outbox")]
        assert set(ids) == {b"before", b"meanwhile"}

        async def read() -> bool:
            return (await client.get("/v1/inbox")).status_code == 200

        await eventually(read, what="the inbox")


async def test_too_much_in_flight_is_refused_and_memory_given_back(
    platform: Platform, infra: TestInfrastructure
) -> None:
    kafka = infra.servers.kafka
    environment = {"TONGTU_GATEWAY_KAFKA_SECONDS": "3", "TONGTU_GATEWAY_IN_FLIGHT_MB": "8"}
    async with gateway(platform, **environment) as running, running.client("acme") as client:
        assert (await client.post("/v1/events", json={}, headers=binary("before"))).status_code == 202
        kafka.kill()
        try:
            content = b'"' + b"x" * 900_000 + b'"'
            answers = await asyncio.gather(
                *(client.post("/v1/events", content=content, headers=binary(str(number))) for number in range(20))
            )
            kinds = {answer.json()["type"].rpartition(":")[2] for answer in answers}
            assert {answer.status_code for answer in answers} == {503}
            assert "unavailable" in kinds
            assert await running.metric("tongtu_gateway_waiting_bytes") <= 8 * 1024 * 1024
            assert await running.metric("tongtu_gateway_received_bytes") == 0
        finally:
            kafka.start()

        async def nothing_waits() -> bool:
            return await running.metric("tongtu_gateway_waiting_bytes") == 0

        await eventually(nothing_waits, what="every record's acknowledgement")
        assert (await client.post("/v1/events", json={}, headers=binary("after"))).status_code == 202


async def test_a_batch_with_any_fault_is_not_taken_at_all_and_every_fault_is_named(platform: Platform) -> None:
    async with gateway(platform) as running, running.client("acme") as client:
        batch = [
            structured("good", {}),
            {"specversion": "1.0", "id": "no type"},
            structured("foreign", {}, source="/members/acmeplus"),
            "no event",
            {**structured("", {}), "specversion": "2.0"},
        ]
        answer = await client.post("/v1/events", content=json.dumps(batch), headers={"content-type": BATCH})
        assert answer.status_code == 403
        assert [error["pointer"] for error in answer.json()["errors"]] == [
            "/1/type",
            "/2/source",
            "/3",
            "/4/id",
            "/4/specversion",
        ]
        assert await platform.read("member.acme.outbox") == []


async def test_problems_are_said_in_the_readers_language(platform: Platform) -> None:
    async with gateway(platform) as running, running.client("acme") as client:
        said = {}
        for language in ("zh-CN,zh;q=0.9", "en", "fr"):
            answer = await client.post("/v1/events", json={}, headers=binary("") | {"accept-language": language})
            assert answer.headers["content-type"] == "application/problem+json"
            said[language] = answer.json()["errors"][0]["message"]
        assert said == {"zh-CN,zh;q=0.9": "必须填写", "en": "is missing", "fr": "is missing / 必须填写"}


async def test_the_inbox_is_read_page_by_page_and_waited_for(platform: Platform) -> None:
    async with gateway(platform) as running, running.client("acme") as client:
        await tell(platform, "acme", 1, 2, 3)
        first = (await client.get("/v1/inbox", params={"limit": "2"})).json()
        assert ([each["id"] for each in first["events"]], first["more"]) == (["receipt-1", "receipt-2"], True)
        second = (await client.get("/v1/inbox", params={"cursor": first["next"]})).json()
        assert ([each["id"] for each in second["events"]], second["more"]) == (["receipt-3"], False)
        waiting = asyncio.create_task(client.get("/v1/inbox", params={"cursor": second["next"], "wait": "30"}))
        await eventually(lambda: _is(running, "tongtu_gateway_streams", 1), what="the wait")
        await tell(platform, "acme", 4)
        assert [each["data"]["event_id"] for each in (await waiting).json()["events"]] == ["4"]
        nothing = (await client.get("/v1/inbox", params={"cursor": (await waiting).json()["next"], "wait": "1"})).json()
        assert nothing["events"] == []


async def _is(running: GatewayProcess, metric: str, value: float) -> bool:
    return await running.metric(metric) == value


async def test_only_what_is_committed_is_read(platform: Platform) -> None:
    from aiokafka import AIOKafkaProducer

    async with gateway(platform) as running, running.client("acme") as client:
        name = f"{platform.prefix}member.acme.inbox"
        producer = AIOKafkaProducer(bootstrap_servers=platform.kafka, transactional_id=f"{platform.prefix}t")
        await producer.start()
        try:
            await producer.begin_transaction()
            await producer.send_and_wait(name, b"{}", key=b"aborted", headers=[("ce_id", b"aborted")])
            await tell(platform, "acme", 1)
            assert (await client.get("/v1/inbox")).json()["events"] == []
            await producer.abort_transaction()
        finally:
            await producer.stop()
        answer = (await client.get("/v1/inbox", params={"wait": "20"})).json()
        assert [each["id"] for each in answer["events"]] == ["receipt-1"]


async def test_a_cursor_that_retention_has_passed_says_where_to_go_on(platform: Platform) -> None:
    from aiokafka import TopicPartition
    from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

    async with gateway(platform) as running, running.client("acme") as client:
        await tell(platform, "acme", 1, 2, 3, 4)
        old = (await client.get("/v1/inbox", params={"limit": "1"})).json()["next"]
        admin = AIOKafkaAdminClient(bootstrap_servers=platform.kafka)
        await admin.start()
        try:
            partition = TopicPartition(f"{platform.prefix}member.acme.inbox", 0)
            await admin.delete_records({partition: RecordsToDelete(before_offset=3)})
        finally:
            await admin.close()
        for path in ("/v1/inbox", "/v1/inbox/stream"):
            gone = await client.get(path, params={"cursor": old})
            assert (gone.status_code, gone.json()["type"]) == (410, "urn:tongtu:problem:cursor-expired")
            follow = await client.get("/v1/inbox", params={"cursor": gone.json()["next"]})
            assert [each["id"] for each in follow.json()["events"]] == ["receipt-4"]


async def _events_of_stream(answer: httpx.Response, count: int) -> list[tuple[str, dict[str, Any]]]:
    found: list[tuple[str, dict[str, Any]]] = []
    place = ""
    async for line in answer.aiter_lines():
        name, _, value = line.partition(": ")
        if name == "id":
            place = value
        elif name == "data":
            found.append((place, json.loads(value)))
            if len(found) == count:
                break
    return found


async def test_a_stream_goes_on_where_its_reader_was(platform: Platform) -> None:
    async with gateway(platform, TONGTU_GATEWAY_HEARTBEAT_SECONDS="0.2") as running, running.client("acme") as client:
        await tell(platform, "acme", 1, 2)
        async with client.stream("GET", "/v1/inbox/stream") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            telling = asyncio.create_task(tell(platform, "acme", 3))
            seen = await asyncio.wait_for(_events_of_stream(answer, 3), 30)
            await telling
        assert [event["id"] for _, event in seen] == ["receipt-1", "receipt-2", "receipt-3"]
        async with client.stream("GET", "/v1/inbox/stream", headers={"last-event-id": seen[1][0]}) as answer:
            lines = answer.aiter_lines()
            text = [await asyncio.wait_for(anext(lines), 30) for _ in range(8)]
        assert any("receipt-3" in line for line in text)
        assert not any("receipt-2" in line for line in text)
        assert any(line.startswith(":") for line in text), "no heartbeat"


async def test_many_streams_share_the_connections_to_kafka(platform: Platform) -> None:
    import psutil

    members = [f"member-{number:02}" for number in range(20)]
    async with gateway(platform, members, TONGTU_GATEWAY_STREAMS="10") as running, AsyncExitStack() as stack:
        process = psutil.Process(running.pid)
        kafka_port = int(platform.kafka.rpartition(":")[2])
        answers: list[httpx.Response] = []
        for member in members:
            client = await stack.enter_async_context(running.client(member))
            streams = [client.stream("GET", "/v1/inbox/stream") for _ in range(5)]
            answers += [await stack.enter_async_context(stream) for stream in streams]
        readers = [asyncio.create_task(_events_of_stream(answer, 2)) for answer in answers]
        for member in members:
            await tell(platform, member, 1, 2)
        found = await asyncio.wait_for(asyncio.gather(*readers), 60)
        assert [[event["id"] for _, event in each] for each in found] == [["receipt-1", "receipt-2"]] * 100
        to_kafka = [each for each in process.net_connections("tcp") if each.raddr and each.raddr.port == kafka_port]
        assert len(to_kafka) <= 8


async def test_a_stop_answers_what_is_in_flight_and_ends_streams(platform: Platform) -> None:
    async with gateway(platform) as running, running.client("acme") as client, running.client("acme") as other:
        async with other.stream("GET", "/v1/inbox/stream") as stream:

            async def slowly() -> AsyncIterator[bytes]:
                yield b'{"title":'
                await eventually(lambda: _is(running, "tongtu_gateway_received_bytes", 9), what="half of the body")
                running.terminate()
                await eventually(lambda: _not(running.is_ready()), what="the end of readiness")
                yield b'"late"}'

            answer = await client.post("/v1/events", content=slowly(), headers=binary("in flight"))
            assert answer.status_code == 202
            assert [line async for line in stream.aiter_lines() if line.startswith("data")] == []
        assert running.wait() == 0
        assert len(await platform.read("member.acme.outbox")) == 1


async def _not(asked: Any) -> bool:
    try:
        return not await asked
    except AssertionError:
        return True


async def test_a_new_token_works_beside_the_old_one_until_that_is_taken_away(platform: Platform) -> None:
    async with gateway(platform) as running:
        await give_tokens(platform, "acme", [token_of("acme"), token_of("acme", 2)], 2)
        async with running.client("acme", token_of("acme", 2)) as new, running.client("acme") as old:

            async def works() -> bool:
                return (await new.get("/v1/inbox")).status_code == 200

            await eventually(works, what="the new token")
            assert (await old.get("/v1/inbox")).status_code == 200


@pytest.mark.parametrize("event", [structured("1", {"n": 1.0}), structured("1", {"n": 12345678901234567890123})])
async def test_a_structured_event_goes_on_as_it_was_written(platform: Platform, event: dict[str, Any]) -> None:
    async with gateway(platform) as running, running.client("acme") as client:
        body = json.dumps(event, indent=2)
        answer = await client.post("/v1/events", content=body, headers={"content-type": JSON})
        assert answer.status_code == 202
        (record,) = await platform.read("member.acme.outbox")
        assert (record.value or b"").decode() == body.replace("{", '{"source":"/members/acme",', 1)
        assert dict(record.headers)["content-type"] == JSON.encode()
        assert json.loads(record.value or b"")["type"] == TECHNOLOGY
