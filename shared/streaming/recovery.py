"""The one way back from any failure: the assignment is taken over again, as often as it takes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from shared.streaming import metrics
from shared.streaming.options import Options

log = structlog.get_logger(__name__)


class Recovery:
    """One attempt after another, with jittered backoff, until one succeeds. A later start ends what was under way."""

    def __init__(self, group: str, options: Options, lock: asyncio.Lock) -> None:
        """The lock is held during an attempt."""
        self._group = group
        self._options = options
        self._lock = lock
        self._task: asyncio.Task[None] | None = None
        self._failures = 0

    def succeeded(self) -> None:
        """Something was processed: the next failure is the first again."""
        self._failures = 0

    def failed(self) -> None:
        """What was in force has failed, or an attempt to take it again."""
        self._failures += 1

    def start(self, attempt: Callable[[], Awaitable[None]], again: Callable[[], Awaitable[None]]) -> None:
        """Begins with `attempt`; where that fails, it goes on with `again`."""
        self.cancel()
        self._task = asyncio.create_task(self._try_for_ever(attempt, again))

    def cancel(self) -> None:
        """Gives up what is under way."""
        if self._task is not None:
            self._task.cancel()

    async def _try_for_ever(self, attempt: Callable[[], Awaitable[None]], again: Callable[[], Awaitable[None]]) -> None:
        while True:
            await asyncio.sleep(self._backoff())
            try:
                async with self._lock:
                    await attempt()
                return
            except Exception as error:
                attempt = again
                self.failed()
                metrics.infrastructure_failures.labels(self._group).inc()
                log.warning("take_over_failed", group=self._group, failures=self._failures, error=repr(error)[:300])

    def _backoff(self) -> float:
        if self._failures == 0:
            return 0.0
        limit = min(self._options.backoff_limit_seconds, self._options.backoff_seconds * 2 ** min(self._failures, 10))
        return random.uniform(0, limit)
