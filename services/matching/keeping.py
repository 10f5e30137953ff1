"""When a shard's snapshot is written, and when one is taken over."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from services.matching.shard import Shard
from services.matching.snapshots import Origin, Snapshots

log = structlog.get_logger(__name__)

SECONDS = 600.0
"""Between two snapshots of one shard. What has changed meanwhile is read from MongoDB at a restart and indexed again,
so that this bounds how much longer a restart takes than reading the snapshot."""


class Keeper:
    """Writes snapshots beside the work: what a shard holds is only ever added to, so that its arrays can be written
    while it goes on."""

    def __init__(self, snapshots: Snapshots, seconds: float = SECONDS) -> None:
        self._snapshots = snapshots
        self._seconds = seconds
        self._thread = ThreadPoolExecutor(1, "snapshots")
        self._written: dict[int, int] = {}
        """By shard, the change that its snapshot on disk or on its way there holds."""
        self._due: dict[int, float] = {}
        self._writing: Future[None] | None = None

    def is_due(self, number: int, shard: Shard) -> bool:
        """Whether a snapshot is worth writing now; not while another is being written."""
        busy = self._writing is not None and not self._writing.done()
        due = self._due.setdefault(number, time.monotonic() + self._seconds)
        return not busy and time.monotonic() >= due and self._written.get(number) != shard.number

    def write(self, origin: Origin, shard: Shard) -> None:
        """Writes a snapshot in the background; nothing in the shard may be unconfirmed."""
        if self._written.get(origin.shard) == shard.number:
            return
        self._due[origin.shard] = time.monotonic() + self._seconds
        self._written[origin.shard] = shard.number
        self._writing = self._thread.submit(self._write, origin, shard.number, shard.arrays())

    def restore(self, origin: Origin, shard: Shard, most: int) -> None:
        """Fills an empty shard from its snapshot, if there is one that holds no later change than `most`."""
        started = time.monotonic()
        found = self._snapshots.read(origin, most)
        if found is not None:
            shard.restore(*found)
            self._written[origin.shard] = shard.number
            log.info("snapshot_taken_over", shard=origin.shard, seconds=round(time.monotonic() - started, 1))

    def close(self) -> None:
        """Waits for what is being written."""
        self._thread.shutdown()

    def _write(self, origin: Origin, number: int, content: dict[str, object]) -> None:
        started = time.monotonic()
        try:
            self._snapshots.write(origin, number, content)
        except OSError as error:
            # The work goes on: a snapshot only saves time at a restart.
            log.error("snapshot_not_written", shard=origin.shard, reason=str(error))
            self._written.pop(origin.shard, None)
        else:
            log.info("snapshot_written", shard=origin.shard, seconds=round(time.monotonic() - started, 1))
