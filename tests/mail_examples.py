"""Inbox messages of the contract's examples as deliveries by e-mail."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from services.notify.channels.delivery import ChannelName, Delivery, InboxEvent
from shared.contracts.base import InboxMessage
from shared.contracts.events import Proposal
from shared.contracts.example import load_examples

MEMBER, ANN = "example-motors", "ann@motors.example"
DUE = datetime(2026, 3, 26, 0, 0, tzinfo=UTC)


def value_of(model: type[InboxMessage], language: str = "zh") -> dict[str, Any]:
    """The data of the contract's valid example."""
    value = next(each.value for each in load_examples(model.type) if each.name == f"valid-{language}")
    assert value is not None
    return value


def event(model: type[InboxMessage] = Proposal, number: int = 1, language: str = "zh", **changes: Any) -> InboxEvent:
    """It as it stands in the inbox, with other values where given."""
    data = value_of(model, language) | changes
    return InboxEvent(f"e{number}", "/services/notify", model.type, DUE, None, data)


def delivery(
    model: type[InboxMessage] = Proposal,
    number: int = 1,
    channel: ChannelName = "email",
    target: str = ANN,
    before: type[InboxMessage] | None = None,
    **changes: Any,
) -> Delivery:
    """It on its way to one address."""
    told = event(model, number, **changes)
    return Delivery(f"{told.id}/{channel}/{target}", MEMBER, channel, target, told, 1, DUE, before and before.type)
