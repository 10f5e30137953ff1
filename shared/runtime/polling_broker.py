"""FastStream's broker as the core needs it: its own consumers, raw records, nothing parsed and nothing injected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage as BatchMessage

from shared.streaming.polling_consumer import PollingConsumer
from shared.streaming.processor import Processor
from shared.streaming.steady_assignor import SteadyAssignor

MAX_POLL_SECONDS = 600
METADATA_SECONDS = 3
"""How late a new topic that matches a pattern may be noticed."""
HEARTBEATS = 10
"""In a session. A rebalance waits until each instance has heard of it, which is at its next heartbeat."""
FETCH_BYTES = 16 * 1024 * 1024
PARTITION_FETCH_BYTES = 2 * 1024 * 1024


class PollingBroker(KafkaBroker):
    """FastStream's broker, reading through the core's consumers."""

    def __init__(
        self, bootstrap_servers: str, processors: Mapping[str, Processor], security: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(
            bootstrap_servers,
            logger=None,
            consumer_only=True,
            apply_types=False,  # nothing is injected, and to find that out took 0.6 ms a poll
            allow_auto_create_topics=False,
            metadata_max_age_ms=METADATA_SECONDS * 1000,
        )
        self._of_group = processors
        self._security = security or {}

    def feed(self, processor: Processor, topics: Mapping[str, Any], fetch_min_bytes: int) -> None:
        """Hands all records of `topics` (by `topics` or by `pattern`, as FastStream takes them) to the processor."""
        options = processor.options
        subscriber = self.subscriber(
            *topics.get("topics", ()),
            pattern=topics.get("pattern"),
            batch=True,
            max_records=options.max_records,
            group_id=processor.group,
            ack_policy=AckPolicy.MANUAL,
            auto_offset_reset="none",
            isolation_level="read_committed",
            listener=processor,
            partition_assignment_strategy=(SteadyAssignor,),
            parser=_raw_records,
            decoder=_as_they_came,
            session_timeout_ms=int(options.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(options.session_timeout_seconds * 1000 / HEARTBEATS),
            rebalance_timeout_ms=int(options.rebalance_timeout_seconds * 1000),
            max_poll_interval_ms=MAX_POLL_SECONDS * 1000,
            fetch_min_bytes=fetch_min_bytes,
            fetch_max_bytes=FETCH_BYTES,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        )

        async def consume(records: Sequence[ConsumerRecord[Any, Any]]) -> None:
            await processor.consume(records)

        subscriber(consume)

    async def _connect(self) -> Callable[..., AIOKafkaConsumer]:
        build: Any = await super()._connect()

        def build_polling(**arguments: Any) -> AIOKafkaConsumer:
            consumer = PollingConsumer(**{**build.keywords, **arguments, **self._security})
            self._of_group[arguments["group_id"]].attach(consumer)
            return consumer

        self.config.broker_config.builder = build_polling
        return build_polling


async def _raw_records(records: tuple[Any, ...]) -> BatchMessage:
    """FastStream's own parsing costs 22-27 us a record and fails on headers that are not text; the core does it."""
    return BatchMessage(
        raw_message=records,
        body=b"",
        headers={},
        batch_headers=[],
        reply_to="",
        content_type=None,
        message_id="-",
        correlation_id="-",
        consumer=None,  # type: ignore[arg-type]
    )


async def _as_they_came(message: Any) -> Any:
    return message.raw_message
