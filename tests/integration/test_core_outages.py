"""Kafka and MongoDB stop, stall, fail and answer nothing: everything waits, and nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest

from shared.runtime.service import Service
from shared.streaming.options import Options
from tests import ledger
from tests.infrastructure import Server, TestInfrastructure
from tests.ledger import Entry, Ledger
from tests.platform import Platform, eventually

EXCEEDED_TIME_LIMIT = 262  # MongoDB error code: not one after which the driver waits ten seconds for a primary
STALL_SECONDS = 3.0


class Feed:
    """Numbers one after the other, a few at a time, while something goes wrong."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.fed = 0

    async def some(self, count: int = 20) -> None:
        await self._platform.produce("in", ledger.entries(range(self.fed, self.fed + count)))
        self.fed += count

    async def all_is_well(self) -> None:
        await ledger.handled(self._platform, range(self.fed))
        await ledger.passed_on(self._platform, range(self.fed))
        await ledger.nothing_waits(self._platform)


@contextlib.asynccontextmanager
async def serving(platform: Platform) -> AsyncIterator[Service]:
    """The ledger over two partitions."""
    await ledger.create_topics(platform, 2)
    options = Options(backoff_limit_seconds=0.5)
    async with ledger.ledger(platform, 2, options, session_timeout=3) as service:
        service.on_topic("in", Entry, Ledger().take)
        async with platform.running(service):
            yield service


@contextlib.contextmanager
def failing(platform: Platform, mode: Mapping[str, Any] | str, **data: Any) -> Iterator[None]:
    """MongoDB fails these commands of the services (appName tongtu) as told."""
    command = {"configureFailPoint": "failCommand"}
    platform.client.admin.command(command | {"mode": mode, "data": {"appName": "tongtu", **data}})
    try:
        yield
    finally:
        platform.client.admin.command(command | {"mode": "off"})


UNKNOWN_COMMITS: dict[str, dict[str, Any]] = {
    "connection lost before the commit": {"closeConnection": True},
    "not known whether a majority has it": {
        "writeConcernError": {"code": 64, "errmsg": "waiting for replication timed out"},
        "errorLabels": ["UnknownTransactionCommitResult"],
    },
    "primary steps down": {"errorCode": 189, "errorLabels": ["UnknownTransactionCommitResult"]},
    "transaction gone": {"errorCode": 251, "errorLabels": ["TransientTransactionError"]},
    "an error that says nothing": {"errorCode": 8, "errorLabels": []},
}


@pytest.mark.parametrize("name", UNKNOWN_COMMITS)
async def test_commit_whose_result_is_unknown(platform: Platform, name: str) -> None:
    async with serving(platform):
        feed = Feed(platform)
        with failing(platform, {"times": 3}, failCommands=["commitTransaction"], **UNKNOWN_COMMITS[name]):
            for _ in range(3):
                await feed.some()
            await feed.all_is_well()


@pytest.mark.parametrize(
    "commands",
    [["bulkWrite", "update", "insert"], ["find", "getMore"], ["delete"], ["update"]],
    ids=lambda commands: "+".join(commands),
)
async def test_commands_that_fail_now_and_then(platform: Platform, commands: list[str]) -> None:
    async with serving(platform):
        feed = Feed(platform)
        with failing(platform, {"times": 8}, failCommands=commands, errorCode=EXCEEDED_TIME_LIMIT):
            for _ in range(3):
                await feed.some()
            await feed.all_is_well()


async def test_documents_that_two_instances_write_at_once(platform: Platform) -> None:
    """Each event counts in one document, so that polls of different instances conflict all the time."""
    await ledger.create_topics(platform, 2)
    handlers = [_Totals(), _Totals()]
    async with ledger.ledger(platform, 2, max_records=20) as one, ledger.ledger(platform, 2, max_records=20) as other:
        one.on_topic("in", Entry, handlers[0].take)
        other.on_topic("in", Entry, handlers[1].take)
        async with platform.running(one), platform.running(other):
            feed = Feed(platform)
            for _ in range(10):
                await feed.some(100)
            await feed.all_is_well()
    total = platform.database(ledger.SERVICE)["totals"].find_one()
    assert total == {"_id": "all", "sum": sum(range(feed.fed))}


class _Totals(Ledger):
    async def take(self, events: Any, work: Any) -> Any:
        from pymongo import UpdateOne

        totals = work.collection("totals")
        before = await totals.find_one({"_id": "all"}) or {"sum": 0}
        more = sum(event.data.number for event in events)
        totals.write([UpdateOne({"_id": "all"}, {"$set": {"sum": before["sum"] + more}}, upsert=True)])
        return await super().take(events, work)


async def test_mongodb_stalls(platform: Platform, infra: TestInfrastructure) -> None:
    mongodb = infra.servers.mongodb
    async with serving(platform):
        feed = Feed(platform)
        await feed.some()
        await _stalled(mongodb, feed)
        await feed.all_is_well()


class _Reader(Ledger):
    """Reads before it counts."""

    async def take(self, events: Any, work: Any) -> Any:
        await work.collection("totals").find_one({})
        return await super().take(events, work)


async def test_mongodb_stalls_for_longer_than_a_handler_may_take(platform: Platform, infra: TestInfrastructure) -> None:
    """A record that is alone in a poll was never the handler's to blame for."""
    mongodb = infra.servers.mongodb
    await ledger.create_topics(platform)
    options = Options(handler_seconds=STALL_SECONDS / 3, backoff_limit_seconds=0.5)
    async with ledger.ledger(platform, options=options) as service:
        service.on_topic("in", Entry, _Reader().take)
        async with platform.running(service):
            feed = Feed(platform)
            await feed.some()
            await feed.all_is_well()
            assert mongodb.pid is not None
            os.kill(mongodb.pid, signal.SIGSTOP)
            try:
                await feed.some(1)
                await asyncio.sleep(STALL_SECONDS)
            finally:
                os.kill(mongodb.pid, signal.SIGCONT)
            await feed.all_is_well()
    assert await platform.read(ledger.DEAD_LETTERS) == []


async def test_kafka_stalls(platform: Platform, infra: TestInfrastructure) -> None:
    kafka = infra.servers.kafka
    async with serving(platform) as service:
        feed = Feed(platform)
        await feed.some()
        await _stalled(kafka, feed, while_stalled=False)
        await feed.some()
        await feed.all_is_well()
        await _ready(service)


async def test_mongodb_is_killed(platform: Platform, infra: TestInfrastructure) -> None:
    mongodb = infra.servers.mongodb
    async with serving(platform) as service:
        feed = Feed(platform)
        await feed.some()
        mongodb.kill()
        await feed.some()

        async def not_ready() -> bool:
            return not service.is_ready

        await eventually(not_ready)
        await asyncio.to_thread(mongodb.start)
        await feed.some()
        await feed.all_is_well()
        await _ready(service)


async def test_kafka_is_killed(platform: Platform, infra: TestInfrastructure) -> None:
    kafka = infra.servers.kafka
    async with serving(platform) as service:
        feed = Feed(platform)
        await feed.some(200)
        kafka.kill()
        await asyncio.to_thread(kafka.start)
        await feed.some()
        await feed.all_is_well()
        await _ready(service)
        held = platform.database(ledger.SERVICE)["positions"].count_documents({"held": {"$ne": None}})
        assert held == 0


async def _ready(service: Service) -> None:
    async def ready() -> bool:
        return service.is_ready

    await eventually(ready, 40, "readiness")


async def _stalled(stalled: Server, feed: Feed, while_stalled: bool = True) -> None:
    assert stalled.pid is not None
    os.kill(stalled.pid, signal.SIGSTOP)
    until = time.monotonic() + STALL_SECONDS
    try:
        # Never cut short: what was produced and not counted would look like something handled that was never sent.
        while while_stalled and time.monotonic() < until:
            await feed.some()
        await asyncio.sleep(max(0.0, until - time.monotonic()))
    finally:
        os.kill(stalled.pid, signal.SIGCONT)


async def test_what_is_published_while_others_are_deleted_is_deleted_too(platform: Platform) -> None:
    async with serving(platform):
        feed = Feed(platform)
        await feed.some()
        await feed.all_is_well()
        with failing(platform, "alwaysOn", failCommands=["delete"], blockConnection=True, blockTimeMS=1500):
            await feed.some()
            await ledger.passed_on(platform, range(feed.fed))
            await asyncio.sleep(0.5)  # by now they are being deleted
            await feed.some()
            await ledger.passed_on(platform, range(feed.fed))  # nothing waits for that
            assert platform.database(ledger.SERVICE)["outbox"].estimated_document_count() > 0
        await feed.all_is_well()


async def test_documents_of_one_after_the_other_are_deleted_together(platform: Platform) -> None:
    def deletes() -> int:
        return platform.client.admin.command("serverStatus")["metrics"]["commands"]["delete"]["total"]

    async with serving(platform):
        feed = Feed(platform)
        await feed.some()
        await feed.all_is_well()
        before = deletes()
        for _ in range(20):
            await feed.some(1)
            await asyncio.sleep(0.05)
        await feed.all_is_well()
        assert deletes() - before <= 12
