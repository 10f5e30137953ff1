"""Sends what is due: takes a delivery up by a lease, sends it, notes what came of it.

At least once, with the same id each time: a process that is killed between sending and noting leaves a lease that
ends, and whoever takes it up next sends again. No order is promised: what fails comes later than what follows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

import structlog

from services.notify.channels import metrics
from services.notify.channels.courier import Courier, Sending
from services.notify.channels.delivery import (
    LONGEST_REASON,
    Channel,
    ChannelName,
)
from services.notify.channels.documents import Claimed
from services.notify.channels.store import DeliveryStore
from shared.streaming.patience import patiently

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.5
"""How long to wait where nothing is due, and before an endpoint that was busy is asked for again."""
COUNT_SECONDS = 15.0
STOP_SECONDS = 4.0
"""What is in flight at a stop may take this long; then it is given back."""


class Sender:
    """One process's part in sending; any number of processes share the work."""

    def __init__(self, store: DeliveryStore, channels: Mapping[ChannelName, Channel], sending: Sending) -> None:
        self._store = store
        self._courier = Courier(store, channels, sending)
        self._sending = sending
        self._holder = uuid.uuid4().hex
        self._room = asyncio.Semaphore(sending.at_a_time)
        self._in_flight: set[asyncio.Task[None]] = set()
        self._busy: dict[str, float] = {}
        """Endpoints that other processes keep busy, and until when they are not asked for."""
        self._sent_to: Counter[str] = Counter()
        """In flight from here, by endpoint."""
        self._freed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to send; returns at once."""
        self._tasks = [asyncio.create_task(self._send_for_ever()), asyncio.create_task(self._count_for_ever())]

    async def stop(self) -> None:
        """Takes up nothing more, waits for what is in flight, gives back what takes too long."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._in_flight:
            _, left = await asyncio.wait(self._in_flight, timeout=STOP_SECONDS)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    async def _send_for_ever(self) -> None:
        while True:
            await self._room.acquire()
            claimed = None
            try:
                claimed = await patiently("claim_delivery", self._claim)
            except Exception:
                log.exception("delivery_not_claimed")
            if claimed is None:
                self._room.release()
                await self._idle()
                continue
            self._sent_to[claimed.endpoint] += 1
            task = asyncio.create_task(self._carry(claimed))
            self._in_flight.add(task)
            task.add_done_callback(partial(self._ended, claimed.endpoint))

    async def _carry(self, claimed: Claimed) -> None:
        if not await self._courier.carry(claimed):
            self._busy[claimed.endpoint] = time.monotonic() + IDLE_SECONDS

    async def _idle(self) -> None:
        """Until something may be due, or an endpoint has room again."""
        self._freed.clear()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._freed.wait(), IDLE_SECONDS * random.uniform(0.8, 1.2))

    def _ended(self, endpoint: str, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._room.release()
        self._sent_to[endpoint] -= 1
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease ends, and it is taken up again.
            log.error("delivery_interrupted", error=repr(error)[:LONGEST_REASON])

    async def _count_for_ever(self) -> None:
        while True:
            metrics.waiting.set(await patiently("count_deliveries", self._store.waiting))
            await asyncio.sleep(COUNT_SECONDS)

    async def _claim(self) -> Claimed | None:
        self._busy = {endpoint: until for endpoint, until in self._busy.items() if until > time.monotonic()}
        self._sent_to += Counter()  # without those that have come to none
        full = [endpoint for endpoint, count in self._sent_to.items() if count >= self._sending.limits.in_flight]
        return await self._store.claim(self._holder, datetime.now(UTC), self._sending.lease(), {*self._busy, *full})
