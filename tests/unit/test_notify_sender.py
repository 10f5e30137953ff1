"""The end of a sender, at the moment at which it would go on."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from motor.motor_asyncio import AsyncIOMotorClient

from services.notify.channels.breaker import Limits
from services.notify.channels.courier import Sending
from services.notify.channels.schedule import RECOMMENDED_WAITS, Schedule
from services.notify.channels.sender import Sender
from services.notify.channels.store import DeliveryStore


@pytest.mark.parametrize("steps", range(4))
async def test_a_stop_is_not_lost_where_a_delivery_ends_just_then(steps: int) -> None:
    client: AsyncIOMotorClient[dict[str, Any]] = AsyncIOMotorClient(connect=False)
    sending = Sending(1, 1.0, Schedule(RECOMMENDED_WAITS), Limits(first_pause=timedelta(minutes=1)))
    sender = Sender(DeliveryStore(client["never-asked"]), {}, sending)
    idle = asyncio.create_task(sender._idle())  # pyright: ignore[reportPrivateUsage]
    await asyncio.sleep(0.01)
    sender._freed.set()  # pyright: ignore[reportPrivateUsage]
    for _ in range(steps):
        await asyncio.sleep(0)
    if idle.cancel():
        with pytest.raises(asyncio.CancelledError):
            await idle
