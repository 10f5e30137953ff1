"""Dead letters of a service: read, handed to it again, or given up."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError
from pymongo import DeleteOne

from shared.contracts.dead_letter import DeadLetter
from shared.runtime.topics import load_topics
from shared.streaming.event import Event
from tongtu.errors import CommandError
from tongtu.group_positions import database, mongodb
from tongtu.reading import Reader
from tongtu.target import Target
from tongtu.writing import Writer, event_headers

SOURCE = "/operators"
_SUFFIX = ".dead-letters"


@dataclass(frozen=True, slots=True)
class Summary:
    """A dead letter without its content; `size` is the original key and value in bytes."""

    letter: str
    error: str
    message: str
    traceback_hash: str | None
    tries: int
    first_seen: datetime
    size: int
    timestamp: int

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {**asdict(self), "first_seen": self.first_seen.isoformat()}


def topic_of(service: str) -> str:
    """The service's topic of dead letters. Raises CommandError if no such service is declared."""
    services = [topic.name.removesuffix(_SUFFIX) for topic in load_topics() if topic.name.endswith(_SUFFIX)]
    if service not in services:
        raise CommandError(f"no service is called {service}: there are {', '.join(services)}")
    return service + _SUFFIX


async def summaries(reader: Reader, service: str) -> dict[str, Summary]:
    """Every letter that was not discarded, in the order of the log."""
    found: dict[str, Summary] = {}
    async for event in reader.scan(topic_of(service)):
        key = event.key or ""
        found.pop(key, None)
        if event.data is not None:
            found[key] = _summary(event)
    return found


async def letter(reader: Reader, service: str, key: str) -> DeadLetter:
    """One letter whole. Raises CommandError if there is none of that key."""
    event = await reader.latest(topic_of(service), key)
    if event is None or event.data is None:
        raise CommandError(f"{service} has no dead letter {key}: `tongtu dead-letters list {service}` shows them")
    return DeadLetter.model_validate_json(event.data)


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was written to a service's replays, and what was not because it went through before."""

    written: list[str]
    done_before: list[str]


async def replay(target: Target, service: str, keys: Sequence[str], every: bool) -> Replayed:
    """Writes letters to the service's replays, each under its key.

    A service takes each key once. One that failed again since is forgotten there first, so that it is taken again.
    """
    done = Replayed([], [])
    topic_of(service)
    async with Reader(target) as reader, Writer(target) as writer, mongodb(target) as client:
        replayed = database(client, target, service)["replayed"]
        for key in await _chosen(reader, service, keys, every):
            whole = await letter(reader, service, key)
            taken = await replayed.find({"_id": {"$regex": f":{re.escape(key)}$"}}).to_list(None)
            if any(document["at"] > whole.first_seen for document in taken):
                done.done_before.append(key)
                continue
            if taken:
                await replayed.bulk_write([DeleteOne({"_id": each["_id"], "at": each["at"]}) for each in taken])
            headers = event_headers(DeadLetter.type, SOURCE, subject=key, extensions={"partitionkey": key})
            await writer.write(f"{service}.replays", key, whole.model_dump_json().encode(), headers)
            done.written.append(key)
    return done


async def discard(target: Target, service: str, keys: Sequence[str], every: bool) -> list[str]:
    """Writes a null record for each letter. Returns the keys."""
    async with Reader(target) as reader, Writer(target) as writer:
        chosen = await _chosen(reader, service, keys, every)
        for key in chosen:
            extensions = {"partitionkey": key}
            headers = event_headers(DeadLetter.type, SOURCE, subject=key, extensions=extensions, has_data=False)
            await writer.write(topic_of(service), key, None, headers)
        return chosen


async def _chosen(reader: Reader, service: str, keys: Sequence[str], every: bool) -> list[str]:
    if every is bool(keys):
        raise CommandError("name the letters, or give --all for every one of them")
    there = await summaries(reader, service)
    missing = [key for key in keys if key not in there]
    if missing:
        raise CommandError(
            f"{service} has no dead letter {', '.join(missing)}: `tongtu dead-letters list {service}` shows them"
        )
    return list(there) if every else list(keys)


def readable(raw: bytes | None) -> str:
    """Bytes for the terminal: text where it is text, else escaped; null apart from empty."""
    if raw is None:
        return "null"
    if not raw:
        return "(empty)"
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def _summary(event: Event[bytes]) -> Summary:
    assert event.record is not None
    assert event.data is not None
    timestamp = event.record.timestamp
    try:
        whole = DeadLetter.model_validate_json(event.data)
    except ValidationError:
        seen, size = datetime.fromtimestamp(timestamp / 1000, UTC), len(event.data)
        return Summary(event.key or "", "Unknown", "not a dead letter of ours", None, 0, seen, size, timestamp)
    size = len(whole.original.key_bytes or b"") + len(whole.original.value_bytes or b"")
    return Summary(
        whole.key, whole.error, whole.message, whole.traceback_hash, whole.tries, whole.first_seen, size, timestamp
    )
