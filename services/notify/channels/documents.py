"""How deliveries stand in MongoDB: the fields of their documents, read and written here alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from services.notify.channels.delivery import ChannelName, Delivered, Delivery, Failed, InboxEvent, Refused, Result

Document = dict[str, Any]
Outcome = Literal["delivered", "given-up"]


@dataclass(frozen=True, slots=True)
class Planned:
    """What the deliver stage found to be sent: one message on one channel to one target."""

    member: str
    channel: ChannelName
    target: str
    event: InboxEvent
    endpoint: str
    due: datetime

    @property
    def id(self) -> str:
        """The same however often the message is planned."""
        return "/".join(filter(None, (self.event.id, self.channel, self.target)))

    @property
    def digest_id(self) -> str:
        """Of the digest that it belongs to: one document for all that goes in one e-mail."""
        return "/".join((self.member, self.channel, self.target, self.due.isoformat(timespec="seconds")))

    def document(self) -> Document:
        """A delivery of its own, due."""
        return {**self._place(), "event": asdict(self.event), "type": self.event.type, "messages": 1}

    def digest_document(self) -> Document:
        """The digest, due; its messages stand beside it."""
        return {**self._place(), "type": self.channel}

    def message_document(self, digest: str, number: int) -> Document:
        """One message of a digest; `number` is its place in it."""
        return {
            "_id": self.id,
            "digest": digest,
            "number": number,
            "reader": reader(self.member, self.target),
            "subject": self.event.subject,
            "type": self.event.type,
            "due": self.due,
            "event": asdict(self.event),
        }

    def _place(self) -> Document:
        return {
            "member": self.member,
            "channel": self.channel,
            "target": self.target,
            "endpoint": self.endpoint,
            "first_due": self.due,
            "due": self.due,
            "attempt": 0,
            "holder": None,
            "attempts": [],
        }


def reader(member: str, target: str) -> str:
    """Who reads the digests of a member at one address."""
    return f"{member}/{target}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery or a digest that this process holds until its lease ends."""

    id: str
    member: str
    channel: ChannelName
    target: str
    endpoint: str
    attempt: int
    first_due: datetime
    event: InboxEvent | None
    """None of a digest."""
    holder: str
    interrupted: datetime | None
    """When the lease ended of a process that took it before and did not say what came of it."""

    @classmethod
    def of(cls, before: Document, holder: str) -> Claimed:
        """From the document as it stood before it was claimed."""
        event = before.get("event")
        return cls(
            before["_id"],
            before["member"],
            before["channel"],
            before["target"],
            before["endpoint"],
            before["attempt"] + 1,
            before["first_due"],
            InboxEvent(**event) if event else None,
            holder,
            before["due"] if before["holder"] else None,
        )

    def delivery(self, event: InboxEvent, before: str | None = None) -> Delivery:
        """One message of it, for a channel; `before`: see there."""
        own = "/".join(filter(None, (event.id, self.channel, self.target)))
        return Delivery(own, self.member, self.channel, self.target, event, self.attempt, self.first_due, before)

    def attempts(self, began: datetime, seconds: float, result: Result | None) -> list[Document]:
        """Entries of the delivery log: of a try that nobody finished, and of this one; None: it was cut off."""
        entries = [_entry(self.interrupted, "interrupted", None, None, None)] if self.interrupted else []
        match result:
            case Delivered(status):
                return [*entries, _entry(began, "delivered", seconds, status, None)]
            case Failed(reason, _, status):
                return [*entries, _entry(began, "failed", seconds, status, reason)]
            case Refused(reason, _, status):
                return [*entries, _entry(began, "refused", seconds, status, reason)]
            case None:
                return [*entries, _entry(began, "interrupted", seconds, None, None)]


def _entry(
    time: datetime, outcome: str, seconds: float | None, status: int | None, reason: str | None
) -> dict[str, Any]:
    return {"time": time, "outcome": outcome, "seconds": seconds, "status": status, "reason": reason}
