"""Whether anything is still under way on a platform."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from tongtu.group_positions import group_positions
from tongtu.target import Target

_LOOK_SECONDS = 0.3
_TELL_SECONDS = 15.0


async def is_settled(target: Target) -> bool:
    """Whether every service has processed and published all that the logs hold.

    Positions are read first, group offsets next, the logs' ends last. So where each end is a position, and each
    position a group offset, nothing was in hand when the ends were read: it would have had to come from a log.
    """
    positions = await group_positions(target)
    return bool(positions) and not any(
        each.behind or (each.published or 0) < (each.next or 0) or each.held for each in positions
    )


async def settle(target: Target, seconds: float, tell: Callable[[str], None] = lambda line: None) -> None:
    """Returns once nothing is under way; `tell` hears now and then how much is.

    Raises TimeoutError that says where the platform stands.
    """
    began = told = time.monotonic()
    while not await is_settled(target):
        await asyncio.sleep(_LOOK_SECONDS)
        if time.monotonic() - told > _TELL_SECONDS:
            told = time.monotonic()
            tell(f"after {told - began:.0f} s still to be processed: {await _behind(target) or 'nothing'}")
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not settled after {seconds:.0f} s: {await _behind(target) or 'something in hand'}")


async def _behind(target: Target) -> str:
    """How many records of each topic wait, by consumer group."""
    waiting: Counter[str] = Counter()
    for each in await group_positions(target):
        waiting[f"{each.group}: {'outboxes' if each.topic.endswith('.outbox') else each.topic}"] += each.behind
    return ", ".join(f"{name} {count}" for name, count in waiting.items() if count)
