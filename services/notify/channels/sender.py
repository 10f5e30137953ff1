"""Sends what is due: takes a delivery up by a lease, sends it, notes what came of it.

At least once, with the same id each time: a process that is killed between sending and noting leaves a lease that
ends, and whoever takes it up next sends again. No order is promised: what fails comes later than what follows it.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

import structlog

from services.notify.channels import metrics
from services.notify.channels.courier import Carried, Courier, Sending
from services.notify.channels.delivery import (
    LONGEST_REASON,
    Channel,
    ChannelName,
)
from services.notify.channels.documents import Claimed
from services.notify.channels.room import Place, Room
from services.notify.channels.store import DeliveryStore
from shared.streaming.patience import patiently

log = structlog.get_logger(__name__)

IDLE_SECONDS = 0.5
"""How long to wait where nothing is due, and before an endpoint that was busy is asked for again."""
COUNT_SECONDS = 15.0
LINGER_SECONDS = 1.0
"""A delivery that takes longer makes room for another: most receivers answer sooner, and those that hang do not."""
STOP_SECONDS = 4.0
"""What is in flight at a stop may take this long; then it is given back."""


class Sender:
    """One process's part in sending; any number of processes share the work."""

    def __init__(self, store: DeliveryStore, channels: Mapping[ChannelName, Channel], sending: Sending) -> None:
        self._store = store
        self._courier = Courier(store, channels, sending)
        self._sending = sending
        self._room = Room(sending.at_a_time, sending.limits.in_flight)
        self._in_flight: set[asyncio.Task[None]] = set()
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
            self._freed.clear()
            claimed: list[tuple[Claimed, Place]] = []
            try:
                claimed = await patiently("claim_deliveries", self._claim)
            except Exception:
                log.exception("deliveries_not_claimed")
            if not claimed:
                await self._idle()
            for each, place in claimed:
                task = asyncio.create_task(self._carry(each, place))
                self._in_flight.add(task)
                task.add_done_callback(partial(self._ended, place))

    async def _carry(self, claimed: Claimed, place: Place) -> None:
        lingering = asyncio.get_running_loop().call_later(LINGER_SECONDS, self._lingers, place)
        try:
            carried = await self._courier.carry(claimed)
        finally:
            lingering.cancel()
        if carried is Carried.BUSY:
            self._room.is_busy(claimed.endpoint, IDLE_SECONDS)
        elif carried is not Carried.UNTRIED:
            self._room.answers(claimed.endpoint, carried is Carried.ANSWERED)

    def _lingers(self, place: Place) -> None:
        self._room.linger(place)
        self._freed.set()

    async def _idle(self) -> None:
        """Until something may be due, or an endpoint has room again."""
        # Not asyncio.wait_for: in Python 3.11 that loses the cancellation of a stop where the event is set just then.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS * random.uniform(0.8, 1.2)):
                await self._freed.wait()

    def _ended(self, place: Place, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        self._room.give_back(place)
        self._freed.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease ends, and it is taken up again.
            log.error("delivery_interrupted", error=repr(error)[:LONGEST_REASON])

    async def _count_for_ever(self) -> None:
        while True:
            metrics.waiting.set(await patiently("count_deliveries", self._store.waiting))
            await asyncio.sleep(COUNT_SECONDS)

    async def _claim(self) -> list[tuple[Claimed, Place]]:
        """As much of what is due as there is room for: one read and one write, and a read where others were faster."""
        if self._room.left <= 0:
            return []
        now = datetime.now(UTC)
        due = await self._store.due(now, self._room.where(), self._room.left)
        places = {each["_id"]: place for each in due if (place := self._room.take(each["endpoint"]))}
        claimed: list[Claimed] = []
        try:
            if places:
                found = [each for each in due if each["_id"] in places]
                claimed = await self._store.claim(found, now, self._sending.lease())
            return [(each, places.pop(each.id)) for each in claimed]
        finally:
            for place in places.values():
                self._room.give_back(place)
