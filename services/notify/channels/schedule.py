"""When a delivery is tried again, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

RECOMMENDED_WAITS = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""Seconds between tries: the schedule that the Standard Webhooks specification suggests, three days and a half."""
JITTER = 0.2
"""A wait is longer by up to this share, so that what failed together does not come back together."""
LONGEST_RETRY_AFTER = timedelta(days=1)
"""A receiver that asks for more gets this."""
LONGEST_DELIVERY = timedelta(days=5)
"""After its first time a delivery is tried no more, also where a dead endpoint kept it from being tried at all."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The waits between tries, in seconds."""

    waits: tuple[float, ...] = RECOMMENDED_WAITS

    @property
    def tries(self) -> int:
        """How often a delivery is tried."""
        return len(self.waits) + 1

    def next_try(
        self, attempt: int, first_due: datetime, now: datetime, retry_after: timedelta | None, chance: float
    ) -> datetime | None:
        """When to try again after try number `attempt` (the first is 1) has failed; None: give up.

        `chance` from 0 to 1 jitters the wait.
        """
        if attempt >= self.tries:
            return None
        wait = timedelta(seconds=self.waits[attempt - 1] * (1 + JITTER * chance))
        asked = min(retry_after or timedelta(0), LONGEST_RETRY_AFTER)
        due = now + max(wait, asked)
        return due if due <= first_due + LONGEST_DELIVERY else None
