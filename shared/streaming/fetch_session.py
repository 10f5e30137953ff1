"""Fetches of many partitions that say only what changed since the last one (KIP-227), which aiokafka does not know.

Without a session each fetch names every partition, and the broker answers for each: with 2,000 members' outboxes 60 ms
of this process and as much of the broker's for one message. In a session the broker keeps the list; a fetch names the
partitions whose place has moved, and the answer those that have something.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.fetch import FetchRequest

_SINCE_VERSION = 11
"""The first version of the request that is made here; brokers know it since Kafka 2.3."""
_SESSION_LOST = (70, 71)
"""Kafka's error codes: the broker has dropped the session, or counts otherwise."""
_LAST_EPOCH = 2**31 - 1

Place = tuple[int, int]
"""The offset to read next, and the most bytes to send."""
Partition = tuple[str, int]


class FetchSessions:
    """Stands for a consumer's client in front of its fetcher, and turns what it sends into sessions, one a broker."""

    def __init__(self, client: AIOKafkaClient, assignment: Callable[[], object]) -> None:
        """`assignment` gives an object that is another one after each rebalance: then everything is asked for anew."""
        self._client = client
        self._assignment = assignment
        self._sessions: dict[int, _Session] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: int, request: Any, **options: Any) -> Any:
        """The broker's answer, as to the request itself. Raises KafkaError."""
        if type(request) is not FetchRequest:
            return await self._client.send(node_id, request, **options)
        session = self._sessions.setdefault(node_id, _Session())
        if session.assignment is not (assignment := self._assignment()):
            session.begin_again()
            session.assignment = assignment
        wanted = {
            (topic, partition): (offset, most_bytes)
            for topic, parts in request.topics
            for partition, offset, most_bytes in parts
        }
        response: Any = await self._ask(session, node_id, request, wanted, options)
        if response.API_VERSION >= _SINCE_VERSION and response.error_code in _SESSION_LOST:
            session.begin_again()
            response = await self._ask(session, node_id, request, wanted, options)
        return response

    async def _ask(
        self,
        session: _Session,
        node_id: int,
        request: FetchRequest,
        wanted: Mapping[Partition, Place],
        options: Mapping[str, Any],
    ) -> Any:
        try:
            response: Any = await self._client.send(node_id, _SessionRequest(request, session, wanted), **options)
        except BaseException:
            session.begin_again()  # whether the broker has seen it is not known
            raise
        session.told(response, wanted)
        return response


class _Session:
    """What a broker keeps of the partitions that are to be read."""

    def __init__(self) -> None:
        self.assignment: object = None
        self.id = 0
        self.epoch = 0
        """0 has the broker begin a session, in place of the one of that id."""
        self.known: Mapping[Partition, Place] = {}

    def begin_again(self) -> None:
        """The next fetch names everything."""
        self.epoch, self.known = 0, {}

    def told(self, response: Any, wanted: Mapping[Partition, Place]) -> None:
        """The broker has answered a fetch of these."""
        if response.API_VERSION < _SINCE_VERSION or response.session_id == 0 or response.error_code:
            self.id = 0
            self.begin_again()
            return
        self.id = response.session_id
        self.epoch = 1 if self.epoch == _LAST_EPOCH else self.epoch + 1
        self.known = wanted


class _SessionRequest(FetchRequest):
    """A fetch that names what the broker does not know yet, and what it is to forget."""

    def __init__(self, request: FetchRequest, session: _Session, wanted: Mapping[Partition, Place]) -> None:
        super().__init__(
            request._max_wait_ms,
            request._min_bytes,
            request._max_bytes,
            request._isolation_level,
            request.topics,
            request._rack_id,
        )
        self._session = session
        self._wanted = wanted

    def build(self, request_struct_class: Any) -> Any:
        """The request as it goes out."""
        if request_struct_class.API_VERSION < _SINCE_VERSION:
            return super().build(request_struct_class)
        session, known = self._session, self._session.known
        changed = [(partition, place) for partition, place in self._wanted.items() if known.get(partition) != place]
        return request_struct_class(
            -1,  # no replica
            self._max_wait_ms,
            self._min_bytes,
            self._max_bytes,
            self._isolation_level,
            session.id,
            session.epoch,
            _by_topic((topic, (number, -1, offset, -1, most)) for (topic, number), (offset, most) in changed),
            _by_topic(partition for partition in known if partition not in self._wanted),
            self._rack_id,
        )


def _by_topic(parts: Iterable[tuple[str, Any]]) -> list[tuple[str, list[Any]]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for topic, part in parts:
        found[topic].append(part)
    return list(found.items())
