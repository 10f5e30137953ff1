"""FastStream's defaults lose records; each of ours is set, on every subscriber."""

from __future__ import annotations

from collections.abc import Sequence

from faststream import AckPolicy
from faststream.kafka.subscriber.usecase import BatchSubscriber

from shared.runtime.polling_broker import PollingBroker
from shared.runtime.service import Service
from shared.runtime.settings import ServiceSettings
from shared.streaming import Event, Message, UnitOfWork
from shared.streaming.processor import Processor
from tests.ledger import Entry


async def handle(events: Sequence[Event[Entry]], work: UnitOfWork) -> list[Message]:
    return []


async def subscribers() -> list[BatchSubscriber]:
    """Those of a service with two consumer groups, one by names, one by a pattern; nothing is connected."""
    async with Service("risk", ServiceSettings(prefix="p.", session_timeout=12)) as service:
        service.on_topic("in", Entry, handle)
        service.stage("raw").on_raw(r"^member\.[a-z]+\.outbox$", handle)
        processors = [service._processor(stage) for stage in service._stages]
        broker = PollingBroker("127.0.0.1:1", {processor.group: processor for processor in processors})
        for processor, stage in zip(processors, service._stages, strict=True):
            broker.feed(processor, service._topics_of(stage), stage.fetch_min_bytes)
        found = sorted(broker.subscribers, key=lambda subscriber: str(getattr(subscriber, "group_id", "")))
    assert all(isinstance(subscriber, BatchSubscriber) for subscriber in found)
    return found  # type: ignore[return-value]


async def test_no_subscriber_acknowledges_resets_or_reads_what_is_not_committed() -> None:
    for subscriber in await subscribers():
        assert subscriber.ack_policy is AckPolicy.MANUAL
        settings = subscriber._connection_args
        assert settings["enable_auto_commit"] is False
        assert settings["auto_offset_reset"] == "none"
        assert settings["isolation_level"] == "read_committed"
        assert settings["check_crcs"] is True
        assert isinstance(subscriber._listener, Processor)
        assert subscriber._listener.group == subscriber.group_id


async def test_a_session_outlives_nine_lost_heartbeats_and_a_rebalance_outlives_the_draining() -> None:
    for subscriber in await subscribers():
        settings = subscriber._connection_args
        assert settings["session_timeout_ms"] == 12_000
        assert settings["heartbeat_interval_ms"] * 10 == settings["session_timeout_ms"]
        processor = subscriber._listener
        assert isinstance(processor, Processor)
        assert settings["rebalance_timeout_ms"] > 1000 * processor.options.drain_seconds


async def test_each_stage_has_a_group_of_its_own_and_reads_the_services_replays() -> None:
    named, pattern = await subscribers()
    assert (named.group_id, pattern.group_id) == ("p.tongtu.risk", "p.tongtu.risk.raw")
    assert named.topic_names == ["p.in", "p.risk.replays"]
    assert pattern.topic_names == [r"^p\.(?:member\.[a-z]+\.outbox|risk\.replays)$"]
