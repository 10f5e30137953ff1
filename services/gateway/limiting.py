"""How much one member may ask for: events in a second, streams at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from services.gateway import metrics
from services.gateway.problems import Problem


class MemberLimits:
    """The limits of every member, each counted on its own."""

    def __init__(self, rate: int, streams: int) -> None:
        self._rate = RateLimitItemPerSecond(rate)
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._streams = streams
        self._open: Counter[str] = Counter()

    def count(self, member: str, events: int = 1) -> None:
        """Counts events or reads. Raises Problem where they are too many."""
        if events and not self._limiter.hit(self._rate, member, cost=events):
            raise Problem("too-many-requests", headers={"retry-after": "1"})

    @contextmanager
    def stream(self, member: str) -> Iterator[None]:
        """A stream or a waiting read, for the duration of the block. Raises Problem where too many are open."""
        if self._open[member] >= self._streams:
            raise Problem("too-many-streams", headers={"retry-after": "5"}, context={"most": self._streams})
        self._open[member] += 1
        metrics.streams.inc()
        try:
            yield
        finally:
            metrics.streams.dec()
            self._open[member] -= 1
            if not self._open[member]:
                del self._open[member]
