"""What is sent on and what became of it: the words that every channel shares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, TypeAlias

from shared.contracts.channels import ChannelsConfigured

ChannelName: TypeAlias = Literal["webhook", "email", "digest"]
"""`email`: each message at once; `digest`: many in one e-mail at a time of the day."""
LONGEST_REASON = 300
"""Characters."""


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """A message as it stands in the member's inbox."""

    id: str
    """The id attribute of its CloudEvent, the same in the inbox and on every channel."""
    source: str
    type: str
    time: datetime
    """In UTC."""
    subject: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message on one channel, at one try."""

    id: str
    """`<event id>/webhook`, `<event id>/email/<address>`: the same at every try, so that a repetition shows."""
    member: str
    channel: ChannelName
    target: str
    """The e-mail address: each is a delivery of its own, so that one that refuses holds back no other. Webhooks: ""."""
    event: InboxEvent
    attempt: int
    """1 at the first try."""
    first_due: datetime
    """When it was to be sent first, in UTC. Of a digest: the time of the digest that it belongs to."""
    before: str | None = None
    """Of a digest: the type of the last message about the same subject in one that was delivered to this target."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The other side has taken it."""

    status: int | None = None
    """Its answer in digits, such as an HTTP or SMTP status."""


@dataclass(frozen=True, slots=True)
class Failed:
    """To be tried again."""

    reason: str
    """Without a secret, without the text of an answer beyond LONGEST_REASON: it is kept and shown to operators."""
    retry_after: timedelta | None = None
    """What the other side asked for."""
    status: int | None = None
    alive: bool = False
    """The endpoint itself works, so this does not count against it."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No further try can succeed."""

    reason: str
    gone: bool = False
    """The other side wants no more at all: nothing is sent on this channel until it is configured anew."""
    status: int | None = None


Result: TypeAlias = Delivered | Failed | Refused


class Channel(Protocol):
    """A way to tell a member."""

    def endpoint(self, configuration: ChannelsConfigured) -> str:
        """What fails as one: the sender limits what is in flight to it, and leaves it alone while it is dead.

        A channel whose deliveries all go through one server gives the same name for every member.
        """
        ...

    @property
    def seconds(self) -> float:
        """What one try may take; then it is ended."""
        ...

    async def send(self, configuration: ChannelsConfigured, deliveries: Sequence[Delivery]) -> Result:
        """Sends them as one: a single delivery, or on `digest` all that belong to it, in the order of the inbox.

        A digest that is repeated consists of the same deliveries. The sender ends a call that takes too long; what is
        raised counts as Failed.
        """
        ...
