"""The deliver stage: what stands in an inbox becomes a delivery on each channel that its member wants it on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import orjson

from services.notify.channels.delivery import Channel, ChannelName, InboxEvent
from services.notify.channels.documents import Planned
from services.notify.channels.preferences import next_digest, not_before, wants
from services.notify.channels.store import DeliveryStore
from shared.contracts.channels import ChannelsConfigured, Preferences
from shared.streaming import Event, Message, UnitOfWork

INBOXES = r"^member\.[a-z0-9-]{2,40}\.inbox$"


class Planner:
    """Notes what members have configured, and plans deliveries in the transaction of the poll that meets a message."""

    def __init__(self, store: DeliveryStore, channels: Mapping[ChannelName, Channel]) -> None:
        self._store = store
        self._channels = channels

    async def note_channels(self, events: Sequence[Event[ChannelsConfigured]], work: UnitOfWork) -> list[Message]:
        """What comes into an inbox from now on goes there."""
        latest = {event.data.member if event.data else event.key or "": event.data for event in events}
        self._store.keep_channels(work, latest, datetime.now(UTC))
        return []

    async def plan(self, events: Sequence[Event[bytes]], work: UnitOfWork) -> list[Message]:
        """Plans all deliveries of these messages."""
        configured = await self._store.channels_of(work, {_member(event) for event in events})
        at_once: list[Planned] = []
        in_digests: dict[str, list[Planned]] = defaultdict(list)
        for event in events:
            configuration = configured.get(_member(event))
            if configuration is None:
                continue
            message = _message(event)
            if message is None:
                if event.data is not None:
                    work.dead_letter(event, "NotAnInboxMessage", "; ".join(each.message for each in event.problems))
                continue
            at_once += self._at_once(configuration, message)
            for planned in self._in_digests(configuration, message):
                in_digests[planned.digest_id].append(planned)
        self._store.plan(work, at_once)
        await self._plan_digests(work, in_digests, configured)
        return []

    def _at_once(self, configuration: ChannelsConfigured, message: InboxEvent) -> Iterator[Planned]:
        now = datetime.now(UTC)
        email = configuration.email
        addresses = email.addresses if email is not None and email.digest_at is None else ()
        ways: tuple[tuple[ChannelName, Sequence[str], Preferences], ...] = (
            ("webhook", ("",) if configuration.webhook else (), configuration.webhook_preferences),
            ("email", addresses, configuration.email_preferences),
        )
        for name, targets, preferences in ways:
            if targets and name in self._channels and wants(preferences, message, name):
                endpoint, due = self._channels[name].endpoint(configuration), not_before(preferences, now)
                for target in targets:
                    yield Planned(configuration.member, name, target, message, endpoint, due)

    def _in_digests(self, configuration: ChannelsConfigured, message: InboxEvent) -> Iterator[Planned]:
        email, preferences = configuration.email, configuration.email_preferences
        if email is None or email.digest_at is None or "digest" not in self._channels:
            return
        if wants(preferences, message, "digest"):
            due = next_digest(email, preferences, datetime.now(UTC))
            endpoint = self._channels["digest"].endpoint(configuration)
            for address in email.addresses:
                yield Planned(configuration.member, "digest", address, message, endpoint, due)

    async def _plan_digests(
        self, work: UnitOfWork, digests: Mapping[str, list[Planned]], configured: Mapping[str, ChannelsConfigured]
    ) -> None:
        begun = await self._store.begun_digests(work, digests) if digests else set()
        for id, planned in digests.items():
            digest = id
            if id in begun:
                planned = [_in_the_next(each, configured[each.member]) for each in planned]
                digest = planned[0].digest_id
            await self._store.plan_digest(work, digest, planned)


def _in_the_next(planned: Planned, configuration: ChannelsConfigured) -> Planned:
    assert configuration.email is not None  # or it would be in no digest
    due = next_digest(configuration.email, configuration.email_preferences, planned.due)
    return Planned(planned.member, planned.channel, planned.target, planned.event, planned.endpoint, due)


def _member(event: Event[bytes]) -> str:
    return event.topic.removeprefix("member.").removesuffix(".inbox")


def _message(event: Event[bytes]) -> InboxEvent | None:
    """None for what is no message: only services of the platform write to inboxes."""
    if event.problems or event.data is None:
        return None
    time = datetime.fromisoformat(event.time) if event.time else datetime.now(UTC)
    return InboxEvent(event.id, event.source, event.type, time, event.subject, orjson.loads(event.data))
