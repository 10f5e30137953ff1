"""Gets items settled: together, in halves around one that fails, or one by one after crashes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence

import structlog

from shared.streaming import metrics
from shared.streaming.errors import HandlerFailed, TooManyFailures
from shared.streaming.failure_rate import FailureRate
from shared.streaming.item import Item, Verdict
from shared.streaming.options import Options

log = structlog.get_logger(__name__)

TIMEOUTS = 2
"""Tries of a record alone that may take too long: at the first, the whole process may have been frozen."""


class Settling:
    """Carries items to a commit; what a handler fails on for good is committed as a dead letter."""

    def __init__(self, group: str, options: Options, commit: Callable[[Sequence[Item]], Awaitable[None]]) -> None:
        self._group = group
        self._options = options
        self._commit = commit
        self._rate = FailureRate(options.failure_share, options.failure_minimum)

    def count(self, items: Sequence[Item]) -> None:
        """Counts valid records before the first of them fails: ten in a row at a poll's start are not all there is."""
        self._rate.add(valid=sum(item.is_valid for item in items))

    async def settle(self, items: Sequence[Item]) -> None:
        """Processes items together; where a handler fails, in halves, until the one at fault stands alone.

        Raises TooManyFailures, Fenced or an infrastructure error.
        """
        try:
            await self._commit(items)
        except HandlerFailed as failure:
            if len(items) > 1:
                half = len(items) // 2
                await self.settle(items[:half])
                await self.settle(items[half:])
            else:
                await self._try_alone(items[0], failure)

    async def condemn(self, item: Item, verdict: Verdict) -> None:
        """Commits the item as a dead letter."""
        await self._commit([item.condemned(verdict)])

    async def _try_alone(self, item: Item, failure: HandlerFailed) -> None:
        tries = 1
        timeouts = int(isinstance(failure.__cause__, TimeoutError))
        while tries < self._options.tries and timeouts < TIMEOUTS:
            await asyncio.sleep(random.uniform(0, 0.02 * 2**tries))
            try:
                await self._commit([item])
                return
            except HandlerFailed as again:
                failure = again
                tries += 1
                timeouts += isinstance(failure.__cause__, TimeoutError)
        verdict = Verdict.of(failure.__cause__ or failure, tries)
        log.error("handler_failed", group=self._group, topic=item.origin.topic, error=verdict.error, tries=tries)
        metrics.handler_failures.labels(self._group).inc()
        await self.condemn(item, verdict)
        self._rate.add(failed=1)
        if self._rate.is_alarming:
            raise TooManyFailures(str(self._rate)) from failure
