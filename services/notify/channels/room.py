"""Shares out what one process sends at a time, so that endpoints that do not answer hold back none that do."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

from services.notify.channels.documents import Document

LINGERING = 3
"""As many times what is sent at a time may linger beside it."""


@dataclass(slots=True, eq=False)
class Place:
    """What one delivery takes up."""

    endpoint: str
    lingers: bool = False


class Room:
    """What is in flight from here, by endpoint.

    An endpoint gets one message at a time until it has answered, and again after it has failed. A delivery that lingers
    makes room for another. So if many endpoints hang, others wait for the moment until those linger, and not for
    as long as a try may take.
    """

    def __init__(self, at_a_time: int, to_one: int) -> None:
        self._at_a_time = at_a_time
        self._to_one = to_one
        self._in_flight: Counter[str] = Counter()
        self._lingering = 0
        self._answering: set[str] = set()
        self._busy: dict[str, float] = {}

    @property
    def left(self) -> int:
        """Deliveries that may still be taken up."""
        return self._at_a_time + min(self._lingering, LINGERING * self._at_a_time) - self._in_flight.total()

    def where(self) -> Document:
        """Of which endpoints something may be taken up, as a condition on deliveries."""
        now = time.monotonic()
        self._busy = {endpoint: until for endpoint, until in self._busy.items() if until > now}
        full = {endpoint for endpoint in self._in_flight if self._is_full(endpoint)}
        closed = sorted(full | self._busy.keys())
        return {"endpoint": {"$nin": closed}} if closed else {}

    def take(self, endpoint: str) -> Place | None:
        """A place for one more to that endpoint, where there is room."""
        if self.left <= 0 or self._is_full(endpoint):
            return None
        self._in_flight[endpoint] += 1
        return Place(endpoint)

    def linger(self, place: Place) -> None:
        """It takes its time: others need not wait for it."""
        place.lingers = True
        self._lingering += 1

    def give_back(self, place: Place) -> None:
        """The delivery has ended, or was not taken up after all."""
        self._lingering -= place.lingers
        self._in_flight[place.endpoint] -= 1
        if not self._in_flight[place.endpoint]:
            del self._in_flight[place.endpoint]

    def answers(self, endpoint: str, answered: bool) -> None:
        """Whether the endpoint has answered as it should, at its last try."""
        (self._answering.add if answered else self._answering.discard)(endpoint)

    def is_busy(self, endpoint: str, seconds: float) -> None:
        """Others keep the endpoint busy: it is not asked for again so long."""
        self._busy[endpoint] = time.monotonic() + seconds

    def _is_full(self, endpoint: str) -> bool:
        return self._in_flight[endpoint] >= (self._to_one if endpoint in self._answering else 1)
