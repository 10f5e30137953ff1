"""Whether anything is still under way on a platform."""

from __future__ import annotations

import asyncio
import time

from tongtu.group_positions import group_positions
from tongtu.target import Target

_LOOK_SECONDS = 0.3


async def is_settled(target: Target) -> bool:
    """Whether every service has processed and published all that the logs hold.

    Positions are read first, group offsets next, the logs' ends last. So where each end is a position, and each
    position a group offset, nothing was in hand when the ends were read: it would have had to come from a log.
    """
    positions = await group_positions(target)
    return bool(positions) and not any(
        each.behind or (each.published or 0) < (each.next or 0) or each.held for each in positions
    )


async def settle(target: Target, seconds: float) -> None:
    """Returns once nothing is under way. Raises TimeoutError that says where the platform stands."""
    deadline = time.monotonic() + seconds
    while not await is_settled(target):
        if time.monotonic() > deadline:
            positions = [each for each in await group_positions(target) if each.behind or each.published != each.next]
            raise TimeoutError(f"not settled after {seconds:.0f} s: {positions}")
        await asyncio.sleep(_LOOK_SECONDS)
