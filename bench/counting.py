"""A service with state that shows every event lost or done twice: it counts, and passes on what it counted.

`python -m bench.counting NAME INPUT OUTPUT PARTITIONS` reads INPUT, adds one to the count of each event's key (not
idempotent: done twice, it shows), and publishes to OUTPUT ("-" for nowhere) the key's count with the event's number.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

import uvloop
from pydantic import BaseModel
from pymongo import UpdateOne

from shared.runtime.service import Service
from shared.runtime.settings import ServiceSettings, load
from shared.streaming import Event, Message, UnitOfWork


class Counted(BaseModel):
    """Event `number` of its key was the `count`-th that the writer saw; `padding` brings it to its size."""

    type: ClassVar[str] = "bench.counted.v1"

    number: int
    count: int = 0
    padding: str = ""


class Counter:
    """Counts events per key."""

    def __init__(self, output: str | None) -> None:
        self._output = output

    async def count(self, events: Sequence[Event[Counted]], work: UnitOfWork) -> list[Message]:
        """One bulk read, one bulk write, one message an event."""
        counts = work.collection("counts")
        keys = sorted({event.key or "" for event in events})
        before = {document["_id"]: document["count"] for document in await counts.find({"_id": {"$in": keys}})}
        seen: dict[str, int] = defaultdict(int)
        messages: list[Message] = []
        for event in events:
            key = event.key or ""
            assert event.data is not None
            seen[key] += 1
            if self._output is not None:
                data = Counted(
                    number=event.data.number, count=before.get(key, 0) + seen[key], padding=event.data.padding
                )
                messages.append(Message(self._output, key, Counted.type, data, event))
        counts.write([UpdateOne({"_id": key}, {"$inc": {"count": more}}, upsert=True) for key, more in seen.items()])
        return messages


async def run(name: str, source: str, output: str | None, partitions: int) -> None:
    """Serves until SIGTERM."""
    async with Service(name, load(ServiceSettings), partitions_of=lambda _: partitions) as service:
        service.on_topic(source, Counted, Counter(output).count)
        await service.run()


def main() -> None:
    """Command line of one instance."""
    name, source, output, partitions = sys.argv[1:]
    uvloop.run(run(name, source, None if output == "-" else output, int(partitions)))


if __name__ == "__main__":
    main()
