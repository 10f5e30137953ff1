"""Tells a single bad record from a broken service: the share of failures over the last minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

WINDOW_SECONDS = 60.0


class FailureRate:
    """Counts valid records and handler failures of the last minute."""

    def __init__(self, share: float, minimum: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._share = share
        self._minimum = minimum
        self._clock = clock
        self._entries: deque[tuple[float, int, int]] = deque()
        self._valid = 0
        self._failed = 0

    def add(self, valid: int = 0, failed: int = 0) -> None:
        """Counts records that were dealt with, and those of them that failed for good."""
        now = self._clock()
        self._entries.append((now, valid, failed))
        self._valid += valid
        self._failed += failed
        while self._entries and self._entries[0][0] < now - WINDOW_SECONDS:
            _, old_valid, old_failed = self._entries.popleft()
            self._valid -= old_valid
            self._failed -= old_failed

    @property
    def is_alarming(self) -> bool:
        """Whether more fail than single bad records explain."""
        return self._failed >= self._minimum and self._failed > self._share * max(self._valid, 1)

    def __str__(self) -> str:
        return f"{self._failed} of {self._valid} records of the last minute failed"
