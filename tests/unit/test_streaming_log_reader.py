"""Who waits for news of a topic hears of it, whoever found out."""

from __future__ import annotations

import asyncio

from shared.streaming.log_reader import Watch


async def test_a_reader_who_is_behind_hears_of_what_another_has_read_already() -> None:
    watch = Watch()
    behind = asyncio.create_task(watch.beyond(1, 60))
    await asyncio.sleep(0)
    ahead = asyncio.create_task(watch.beyond(2, 60))
    await asyncio.wait_for(behind, 5)
    assert not ahead.done()
    ahead.cancel()


async def test_who_comes_late_does_not_wait() -> None:
    watch = Watch(end=3)
    await asyncio.wait_for(watch.beyond(2, 60), 5)
