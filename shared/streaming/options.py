"""The core's settings, each with its unit and what it trades."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Options:
    """How one consumer group reads, processes and publishes."""

    max_records: int = 2000
    """Records in one poll, and so in one MongoDB and one Kafka transaction."""
    session_timeout_seconds: float = 10.0
    """A silent instance loses its partitions after this."""
    rebalance_timeout_seconds: float = 30.0
    drain_seconds: float = 4.0
    """What is in flight at a stop or a rebalance may take this long; then it is left to the take-over."""
    handler_seconds: float = 30.0
    """A handler call may take this long; a single record that takes longer twice is a dead letter."""
    tries: int = 5
    """Calls for a record alone before it becomes a dead letter."""
    crashes: int = 3
    """Unclean ends with one record alone in hand before it becomes a dead letter unprocessed."""
    failure_share: float = 0.05
    """Share of a minute's valid records that may fail in handlers before the service stops."""
    failure_minimum: int = 10
    """Failures in that minute below which the share says nothing."""
    tick_seconds: float = 1.0
    """How often timers are looked at and idle group offsets are moved."""
    look_again_seconds: float = 10.0
    """How often a held partition is looked at again, for an operator's decision."""
    backoff_seconds: float = 0.2
    """First wait after an infrastructure failure; doubles with jitter up to `backoff_limit_seconds`."""
    backoff_limit_seconds: float = 5.0
    transaction_seconds: float = 20.0
    """A Kafka transaction that takes longer is given up, by the broker and by us."""
    topic_gone_seconds: float = 60.0
    """A topic that Kafka does not know for this long is gone; its messages become unpublishable."""
    compression: str | None = None
    """Codec of published batches: None, "lz4", "zstd", "snappy" or "gzip"."""
    connection: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Further aiokafka arguments of every client, such as SASL credentials."""
