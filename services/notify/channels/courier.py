"""One try of one delivery: asks whether its endpoint may be sent to, sends, notes what came of it."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

import structlog

from services.notify.channels import breaker, metrics
from services.notify.channels.breaker import Admission, Busy, Free, Gone, Limits, Paused
from services.notify.channels.delivery import Channel, ChannelName, Delivered, Delivery, Failed, Refused, Result
from services.notify.channels.documents import Claimed, Document
from services.notify.channels.schedule import LONGEST_DELIVERY, LONGEST_RETRY_AFTER, Schedule
from services.notify.channels.store import DeliveryStore
from shared.contracts.channels import ChannelsConfigured
from shared.streaming.patience import patiently

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sending:
    """How much is sent at a time, and how long it may take."""

    at_a_time: int
    """Of this process."""
    seconds: float
    """For one try, where a channel does not take longer."""
    schedule: Schedule
    limits: Limits

    def lease(self, seconds: float = 0) -> timedelta:
        """Long enough for a try that may take so long, and for MongoDB to take what came of it."""
        return timedelta(seconds=2 * max(self.seconds, seconds) + 5)


class Carried(Enum):
    """How the endpoint was found."""

    ANSWERED = auto()
    UNANSWERED = auto()
    """It failed, or did not answer in time."""
    BUSY = auto()
    """Others keep it busy: the delivery was put back."""
    UNTRIED = auto()


class Courier:
    """Carries deliveries that this process holds. MongoDB is waited for; a lease that ends meanwhile is not lost."""

    def __init__(self, store: DeliveryStore, channels: Mapping[ChannelName, Channel], sending: Sending) -> None:
        self._store = store
        self._channels = channels
        self._sending = sending

    async def carry(self, claimed: Claimed) -> Carried:
        """Deals with it, one way or another."""
        configuration = await patiently("read_channels", lambda: self._store.channels(claimed.member))
        if configuration is None or not _is_configured(configuration, claimed):
            await self._give_up(claimed, "the member has taken the channel away")
            return Carried.UNTRIED
        if claimed.attempt > self._sending.schedule.tries:
            await self._give_up(claimed, "no try came to an end")
            return Carried.UNTRIED
        channel = self._channels[claimed.channel]
        endpoint = channel.endpoint(configuration)
        if endpoint != claimed.endpoint:
            await patiently("move", lambda: self._store.move(claimed.member, claimed.channel, endpoint))
        slot, lease = uuid.uuid4().hex, self._sending.lease(channel.seconds)
        if channel.seconds > self._sending.seconds:
            await patiently("hold", lambda: self._store.hold(claimed, datetime.now(UTC) + lease))
        match await patiently("ask_endpoint", lambda: self._ask(endpoint, slot, lease)):
            case Free():
                return await self._send(claimed, channel, configuration, endpoint, slot)
            case Busy():
                await patiently("put_back", lambda: self._store.put_back(claimed, datetime.now(UTC)))
                return Carried.BUSY
            case Paused(until):
                await self._postpone(claimed, endpoint, until)
            case Gone():
                await self._give_up(claimed, "the endpoint has answered that it wants no more")
        return Carried.UNTRIED

    async def _send(
        self, claimed: Claimed, channel: Channel, configuration: ChannelsConfigured, endpoint: str, slot: str
    ) -> Carried:
        began, clock = datetime.now(UTC), time.monotonic()
        try:
            deliveries = await patiently("read_deliveries", lambda: self._deliveries(claimed))
            result = await self._try(channel, configuration, deliveries)
        except asyncio.CancelledError:
            # Cut off by a stop: what was sent perhaps is sent again, with the same id.
            entries = claimed.attempts(began, round(time.monotonic() - clock, 3), None)
            await self._store.put_back(claimed, datetime.now(UTC), entries)
            await self._store.change_endpoint(endpoint, breaker.given_back(slot))
            raise
        seconds = time.monotonic() - clock
        metrics.seconds.labels(claimed.channel).observe(seconds)
        await self._settle(claimed, result, began, seconds)
        await patiently("tell_endpoint", lambda: self._tell(endpoint, slot, result))
        return Carried.UNANSWERED if isinstance(result, Failed) and not result.alive else Carried.ANSWERED

    async def _deliveries(self, claimed: Claimed) -> list[Delivery]:
        if claimed.event:
            return [claimed.delivery(claimed.event)]
        events = await self._store.messages(claimed.id)
        before = await self._store.told_before(claimed, {event.subject for event in events if event.subject})
        return [claimed.delivery(event, before.get(event.subject or "")) for event in events]

    async def _try(self, channel: Channel, configuration: ChannelsConfigured, deliveries: Sequence[Delivery]) -> Result:
        try:
            async with asyncio.timeout(channel.seconds):
                return await channel.send(configuration, deliveries)
        except TimeoutError:
            return Failed("no answer in time")
        except Exception as error:
            log.exception("channel_failed")
            return Failed(f"the channel failed: {type(error).__name__}")

    async def _settle(self, claimed: Claimed, result: Result, began: datetime, seconds: float) -> None:
        now = datetime.now(UTC)
        entries = claimed.attempts(began, round(seconds, 3), result)
        metrics.attempts.labels(claimed.channel, entries[-1]["outcome"]).inc()
        match result:
            case Delivered():
                if await patiently("finish", lambda: self._store.finish(claimed, "delivered", now, entries)):
                    metrics.deliveries.labels(claimed.channel, "delivered").inc()
                    metrics.lag.labels(claimed.channel).observe((now - claimed.first_due).total_seconds())
            case Refused(reason):
                await self._give_up(claimed, reason, entries)
            case Failed(reason, retry_after):
                due = self._sending.schedule.next_try(
                    claimed.attempt, claimed.first_due, now, retry_after, random.random()
                )
                if due is None:
                    await self._give_up(claimed, f"{reason}; tried {claimed.attempt} times", entries)
                else:
                    await patiently("put_back", lambda: self._store.put_back(claimed, due, entries))

    async def _give_up(self, claimed: Claimed, reason: str, entries: Sequence[Document] = ()) -> None:
        now = datetime.now(UTC)
        if await patiently("give_up", lambda: self._store.finish(claimed, "given-up", now, entries, reason)):
            metrics.deliveries.labels(claimed.channel, "given-up").inc()
            log.warning(
                "delivery_given_up",
                delivery=claimed.id,
                member=claimed.member,
                channel=claimed.channel,
                attempt=claimed.attempt,
                reason=reason,
            )

    async def _ask(self, endpoint: str, slot: str, lease: timedelta) -> Admission:
        now = datetime.now(UTC)
        asking = breaker.asking(slot, now, now + lease, self._sending.limits)
        return breaker.answer(await self._store.change_endpoint(endpoint, asking), slot, now)

    async def _tell(self, endpoint: str, slot: str, result: Result) -> None:
        """What came of it, for whoever sends to the endpoint next. One that refuses a message is alive."""
        now = datetime.now(UTC)
        match result:
            case Failed(_, retry_after, alive=False):
                asked = now + min(retry_after, LONGEST_RETRY_AFTER) if retry_after else None
                change = breaker.failed(slot, now, asked, self._sending.limits, random.uniform(0, 0.2))
                after = await self._store.change_endpoint(endpoint, change)
                if after["pause_began"]:
                    metrics.pauses.inc()
                    log.warning("endpoint_paused", endpoint=endpoint, until=after["paused_until"].isoformat())
            case Refused(_, True):
                await self._store.change_endpoint(endpoint, breaker.gone(slot))
                await self._store.wake(endpoint, now)
            case _:
                before = await self._store.change_endpoint(endpoint, breaker.succeeded(slot), before=True)
                if before["paused_until"] is not None:
                    await self._store.wake(endpoint, now)

    async def _postpone(self, claimed: Claimed, endpoint: str, until: datetime) -> None:
        """Has all that is due for a dead endpoint wait; what has waited for days is given up."""
        now = datetime.now(UTC)
        await patiently("put_back", lambda: self._store.put_back(claimed, until, postponed=True))
        await patiently("postpone", lambda: self._store.postpone(endpoint, until))
        reason = f"its endpoint has been dead for {LONGEST_DELIVERY.days} days"
        given_up = await patiently(
            "give_up_waiting", lambda: self._store.give_up_waiting(endpoint, now - LONGEST_DELIVERY, now, reason)
        )
        if given_up:
            metrics.deliveries.labels(claimed.channel, "given-up").inc(given_up)
            log.warning("deliveries_given_up", endpoint=endpoint, deliveries=given_up, reason=reason)


def _is_configured(configuration: ChannelsConfigured, claimed: Claimed) -> bool:
    if claimed.channel == "webhook":
        return configuration.webhook is not None
    return configuration.email is not None and claimed.target in configuration.email.addresses
