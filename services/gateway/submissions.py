"""POST /v1/events: takes events in, and answers when Kafka has acknowledged them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.gateway import metrics
from services.gateway.envelope import BATCHED, STRUCTURED, Fault, Submission, read_batch, read_binary, read_structured
from services.gateway.limiting import MemberLimits
from services.gateway.problems import Problem, accepted_language
from services.gateway.receiving import RequestMemory, read_body
from services.gateway.requests import Head, read_head
from services.gateway.settings import GatewaySettings
from services.gateway.tokens import Tokens
from shared.streaming.record import RECORD_LIMIT
from shared.streaming.record_writer import NoRoomError, NotAcknowledgedError, RecordWriter

EVENT_BYTES = RECORD_LIMIT + 64 * 1024
"""Of a structured event, whose envelope is in the body; the record itself is checked again."""
BATCH_BYTES = 4 * 1024 * 1024

_accepted = metrics.answers.labels("submit", 202)


class Submissions:
    """Takes events in for the member whose token was shown."""

    def __init__(
        self,
        settings: GatewaySettings,
        tokens: Tokens,
        limits: MemberLimits,
        memory: RequestMemory,
        writer: RecordWriter,
    ) -> None:
        self._settings = settings
        self._tokens = tokens
        self._limits = limits
        self._memory = memory
        self._writer = writer
        self._too_large = {"event": RECORD_LIMIT, "batch": BATCH_BYTES, "events": settings.batch}

    async def take(self, request: Request) -> Response:
        """202 with what was accepted. Raises Problem."""
        head = read_head(request, self._tokens)
        member = head.caller.member
        self._limits.count(member)
        batched = head.content_type.startswith(BATCHED)
        with self._memory.share() as share:
            body = await read_body(
                request.receive,
                head.content_length,
                share,
                most=BATCH_BYTES if batched else EVENT_BYTES,
                limits=self._too_large,
            )
            submissions = self._read(request, head, body, batched)
            self._limits.count(member, max(len(submissions) - 1, 0))
            await self._write(member, submissions)
        _accepted.inc()
        metrics.events_accepted.inc(len(submissions))
        return Response(orjson.dumps({"events": _told(submissions)}), 202, media_type="application/json")

    def _read(self, request: Request, head: Head, body: bytes, batched: bool) -> Sequence[Submission]:
        """What the request holds, without a fault. Raises Problem."""
        member = head.caller.member
        faults: list[Fault] = []
        submissions: Sequence[Submission] = ()
        if batched:
            batch = read_batch(body, member, self._settings.batch)
            if batch is None:
                raise Problem("too-large", context=self._too_large)
            if isinstance(batch, Fault):
                faults.append(batch)
            else:
                submissions = batch
        elif head.content_type.startswith(STRUCTURED):
            submissions = [read_structured(body, head.content_type, member)]
        else:
            submissions = [read_binary(request.scope["headers"], body, member)]
        for each in submissions:
            faults += each.faults
            if each.is_too_large:
                raise Problem("too-large", context=self._too_large)
        if faults:
            language = accepted_language(request.headers.get("accept-language", ""))
            raise Problem(_kind(faults), [fault.said(language) for fault in faults])
        return submissions

    async def _write(self, member: str, submissions: Sequence[Submission]) -> None:
        began = time.perf_counter()
        topic = f"{self._settings.prefix}member.{member}.outbox"
        try:
            if submissions:
                await self._writer.write(topic, [each.entry for each in submissions])
        except NoRoomError:
            raise Problem("unavailable", headers={"retry-after": "2"}) from None
        except NotAcknowledgedError as error:
            told = _told(submissions, error.acknowledged)
            raise Problem("not-acknowledged", headers={"retry-after": "2"}, more={"events": told}) from None
        metrics.acknowledge_seconds.observe(time.perf_counter() - began)


def _kind(faults: Sequence[Fault]) -> str:
    if any(fault.code == "source" for fault in faults):
        return "foreign-source"
    if any(fault.pointer.endswith("/content-type") for fault in faults):
        return "unsupported-media-type"
    return "invalid-envelope"


def _told(submissions: Sequence[Submission], acknowledged: Sequence[bool] | None = None) -> list[dict[str, Any]]:
    """What became of each event, in the order in which they came."""
    return [
        {
            "id": each.id,
            "source": each.source,
            "status": "accepted" if acknowledged is None or acknowledged[position] else "unknown",
        }
        for position, each in enumerate(submissions)
    ]
