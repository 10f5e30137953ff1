"""Sends records to a member's outbox and counts what its inbox answers."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiokafka.errors import KafkaError

from shared.contracts.base import Draft
from shared.contracts.inbox import Receipt, Rejection
from shared.streaming.event import Event
from tongtu.errors import CommandError
from tongtu.importing.field_mapping import FieldMapping, MappingError
from tongtu.importing.source_file import LINE_LIMIT, Line
from tongtu.reading import Reader
from tongtu.target import Target
from tongtu.writing import Writer, event_headers

_IN_FLIGHT = 5_000
"""Records handed over and not yet acknowledged."""
_SILENCE_SECONDS = 60.0
"""Without an answer for so long, no more are waited for."""

Problem = tuple[str, str]
"""Where and what: a JSON pointer and a sentence."""


@dataclass(slots=True)
class Result:
    """What became of the lines of a file."""

    unreadable: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    """Lines that were not sent, and why."""
    sent: int = 0
    outcomes: Counter[str] = field(default_factory=Counter[str])
    """Receipts by outcome: accepted, repeated, outdated ..."""
    warnings: Counter[Problem] = field(default_factory=Counter[Problem])
    rejected: dict[tuple[Problem, ...], list[int]] = field(default_factory=lambda: defaultdict(list))
    """Lines by what is wrong with them."""
    waiting: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    """Message id -> lines that were sent under it and not yet answered."""
    is_sent: bool = False
    """Whether all lines have been gone through."""

    @property
    def answered(self) -> int:
        """Lines that have a receipt or a rejection."""
        return self.outcomes.total() + self.rejections

    @property
    def rejections(self) -> int:
        """Lines that were rejected."""
        return sum(map(len, self.rejected.values()))

    @property
    def is_complete(self) -> bool:
        """Whether every line was sent and taken."""
        return self.is_sent and not self.unreadable and not self.rejected and not any(self.waiting.values())


class Submission:
    """One file for one member, as records of one kind."""

    def __init__(self, target: Target, member: str, model: type[Draft], mapping: FieldMapping) -> None:
        self.result = Result()
        self._target = target
        self._member = member
        self._model = model
        self._mapping = mapping
        self._source = f"/members/{member}/import"

    async def run(self, lines: Iterator[Line], wait: bool, progressed: Callable[[], None]) -> Result:
        """Sends all lines and, with `wait`, follows the inbox until each is answered or none comes any more.

        Raises CommandError if the member has no topics, or if sending failed in the middle.
        """
        inbox = f"member.{self._member}.inbox"
        async with Reader(self._target) as reader:
            if not {inbox, self._outbox} <= (await reader.topics()).keys():
                raise CommandError(
                    f"{self._member} is not a member: `tongtu members list` shows who is, `tongtu members add` adds one"
                )
            ends = await reader.ends([inbox])
            following = asyncio.create_task(self._follow(reader, inbox, ends, progressed)) if wait else None
            try:
                await self._send_all(lines, progressed)
                if following is not None:
                    await following
            finally:
                if following is not None:
                    following.cancel()
        return self.result

    @property
    def _outbox(self) -> str:
        return f"member.{self._member}.outbox"

    async def _send_all(self, lines: Iterator[Line], progressed: Callable[[], None]) -> None:
        flying: set[asyncio.Future[Any]] = set()
        failed: list[BaseException] = []

        def landed(future: asyncio.Future[Any]) -> None:
            flying.discard(future)
            if not future.cancelled() and (error := future.exception()) is not None:
                failed.append(error)

        async with Writer(self._target) as writer:
            try:
                for line in lines:
                    future = await self._send(writer, line)
                    if future is not None:
                        flying.add(future)
                        future.add_done_callback(landed)
                    if len(flying) >= _IN_FLIGHT:
                        await asyncio.wait(flying, return_when=asyncio.FIRST_COMPLETED)
                    if failed:
                        break
                    if line.number % 100 == 0:
                        progressed()
                        await asyncio.sleep(0)  # the buffer takes thousands without giving way
                if flying:
                    await asyncio.wait(flying)
            except KafkaError as error:
                failed.append(error)
        if failed:
            raise CommandError(
                f"Kafka did not take line after line ({type(failed[0]).__name__}: {failed[0]}): run it again, "
                "what was taken is not done twice"
            )
        self.result.is_sent = True
        progressed()

    async def _send(self, writer: Writer, line: Line) -> asyncio.Future[Any] | None:
        if line.fields is None:
            self.result.unreadable.append((line.number, line.problem or ""))
            return None
        try:
            record = self._mapping.record(line.fields)
            value = orjson.dumps(record)
        except (MappingError, orjson.JSONEncodeError) as error:
            self.result.unreadable.append((line.number, str(error)))
            return None
        if len(value) > LINE_LIMIT:
            self.result.unreadable.append((line.number, "is longer than 1 MiB as a record"))
            return None
        key = str(record["id"])
        id = message_id(self._model.type, key, value)
        headers = event_headers(self._model.type, self._source, id, extensions={"partitionkey": key[:256]})
        self.result.waiting[id].append(line.number)
        self.result.sent += 1
        return await writer.send(self._outbox, key.encode("utf-8", "replace"), value, headers)

    async def _follow(
        self, reader: Reader, inbox: str, ends: dict[tuple[str, int], int], progressed: Callable[[], None]
    ) -> None:
        loop = asyncio.get_running_loop()
        heard, before = loop.time(), self.result.sent
        async for event in reader.follow([inbox], positions=ends):
            if event is not None and self._hear(event):
                heard = loop.time()
            if self.result.sent != before:
                heard, before = loop.time(), self.result.sent
            if event is None:
                progressed()
                if self.result.is_sent and loop.time() - heard > _SILENCE_SECONDS:
                    return
            if self.result.is_sent and not self.result.waiting:
                progressed()
                return

    def _hear(self, event: Event[bytes]) -> bool:
        """Whether it is an answer to a line of ours."""
        if event.type not in (Receipt.type, Rejection.type) or event.data is None:
            return False
        answer = orjson.loads(event.data)
        lines = self.result.waiting.get(answer.get("event_id"))
        if not lines:
            return False
        line = lines.pop(0)
        if not lines:
            del self.result.waiting[answer["event_id"]]
        if event.type == Receipt.type:
            self.result.outcomes[answer["outcome"]] += 1
            self.result.warnings.update(_problems(answer.get("warnings")))
        else:
            problems = _problems(answer.get("errors")) or [("", answer.get("title", "rejected"))]
            self.result.rejected[tuple(problems)].append(line)
        return True


def message_id(type: str, record_id: str, value: bytes) -> str:
    """The same for the same record with the same content, so that a file may be imported again."""
    return hashlib.sha256(b"\0".join((type.encode(), record_id.encode("utf-8", "replace"), value))).hexdigest()[:40]


def _problems(entries: Sequence[dict[str, str]] | None) -> list[Problem]:
    return [(entry["pointer"], entry["message"]) for entry in entries or ()]
