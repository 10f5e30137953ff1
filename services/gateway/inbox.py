"""GET /v1/inbox and /v1/inbox/stream: what is in a member's inbox, to that member."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack

from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.gateway import cursor, metrics, rendering
from services.gateway.limiting import MemberLimits
from services.gateway.problems import Problem, accepted_language
from services.gateway.requests import read_head
from services.gateway.settings import GatewaySettings
from services.gateway.tokens import Caller, Tokens
from shared.contracts.inbox import FieldProblem
from shared.contracts.problems import Wording, in_language
from shared.streaming.log_reader import LogReader, LogUnavailableError, OffsetGoneError, Page

PAGE_BYTES = 1024 * 1024
"""Of records, after which a page ends; its first record may be larger."""
STREAM_RECORDS = 100
AGAIN_SECONDS = 60.0
RECONNECT_MS = 2000
_NOT_A_CURSOR = Wording("is not a cursor of this inbox", "不是此收件箱的游标")


class Inbox:
    """Reads inboxes for the members whose tokens are shown."""

    def __init__(self, settings: GatewaySettings, tokens: Tokens, limits: MemberLimits, reader: LogReader) -> None:
        self._settings = settings
        self._tokens = tokens
        self._limits = limits
        self._reader = reader
        self._stopping = False

    def stop(self) -> None:
        """Ends every stream and every wait."""
        self._stopping = True
        self._reader.wake_all()

    def look_again(self, member: str) -> None:
        """Has the member's streams see at once whether their token is still valid."""
        self._reader.wake(self._topic(member))

    async def read(self, request: Request, place: str | None, limit: int, wait: int) -> Response:
        """A page; waits up to `wait` seconds for its first message. Raises Problem."""
        caller = read_head(request, self._tokens).caller
        self._limits.count(caller.member)
        page = await self._page(caller, self._offset(request, caller, place), limit)
        if not page.records and wait:
            with self._limits.stream(caller.member):
                page = await self._first_page(caller, page, limit, wait)
        if not self._tokens.admits(caller):
            raise Problem("unauthenticated", close=True)
        metrics.answers.labels("read", 200).inc()
        metrics.events_delivered.inc(len(page.records))
        more = page.next_offset < page.end
        body = rendering.page(caller.member, page.records, page.next_offset, more)
        return Response(body, media_type="application/json", headers={"cache-control": "no-store"})

    async def stream(self, request: Request, place: str | None) -> Response:
        """Everything from the cursor on, and then what comes, until the reader, the token or the gateway goes."""
        head = read_head(request, self._tokens)
        self._limits.count(head.caller.member)
        with ExitStack() as held:
            held.enter_context(self._limits.stream(head.caller.member))
            page = await self._page(head.caller, self._offset(request, head.caller, head.last_event_id or place), 1)
            metrics.answers.labels("stream", 200).inc()
            return _Stream(self._messages(head.caller, page), held.pop_all(), self._settings)

    async def _messages(self, caller: Caller, page: Page) -> AsyncIterator[bytes]:
        yield b"retry: %d\n\n" % RECONNECT_MS
        with self._reader.watching(self._topic(caller.member)) as watch:
            while True:
                for record in page.records:
                    if not self._may_go_on(caller):
                        return
                    yield rendering.stream_message(caller.member, record)
                    metrics.events_delivered.inc()
                if page.next_offset >= page.end and self._may_go_on(caller):
                    await watch.beyond(page.next_offset, AGAIN_SECONDS)
                if not self._may_go_on(caller):
                    return
                try:
                    page = await self._reader.read(
                        self._topic(caller.member), page.next_offset, STREAM_RECORDS, PAGE_BYTES
                    )
                except LogUnavailableError:
                    await asyncio.sleep(1)
                except OffsetGoneError:
                    return  # the reader comes again with its cursor, and is told where to go on

    def _may_go_on(self, caller: Caller) -> bool:
        return not self._stopping and self._tokens.admits(caller)

    async def _first_page(self, caller: Caller, page: Page, limit: int, wait: int) -> Page:
        deadline = time.monotonic() + wait
        with self._reader.watching(self._topic(caller.member)) as watch:
            while not page.records and self._may_go_on(caller) and (left := deadline - time.monotonic()) > 0:
                if page.next_offset >= page.end:
                    await watch.beyond(page.next_offset, left)
                page = await self._page(caller, page.next_offset, limit)
        return page

    async def _page(self, caller: Caller, offset: int | None, most: int) -> Page:
        """Raises Problem."""
        try:
            return await self._reader.read(self._topic(caller.member), offset, most, PAGE_BYTES)
        except OffsetGoneError as error:
            oldest = cursor.written(caller.member, error.start)
            headers = {"link": f'</v1/inbox?cursor={oldest}>; rel="next"'}
            raise Problem("cursor-expired", headers=headers, more={"next": oldest}) from None
        except LogUnavailableError:
            raise Problem("unavailable", headers={"retry-after": "2"}) from None

    def _offset(self, request: Request, caller: Caller, place: str | None) -> int | None:
        if place is None:
            return None
        offset = cursor.read(caller.member, place)
        if offset is None:
            said = in_language(_NOT_A_CURSOR, accepted_language(request.headers.get("accept-language", "")))
            raise Problem("invalid-request", [FieldProblem(pointer="/query/cursor", code="cursor", message=said)])
        return offset

    def _topic(self, member: str) -> str:
        return f"{self._settings.prefix}member.{member}.inbox"


class _Stream(EventSourceResponse):
    """Server-sent events; gives back what it holds when it ends, however it ends."""

    def __init__(self, messages: AsyncIterator[bytes], held: ExitStack, settings: GatewaySettings) -> None:
        super().__init__(
            messages,
            ping=settings.heartbeat_seconds,
            ping_message_factory=lambda: ServerSentEvent(comment="", sep="\n"),
            send_timeout=settings.send_seconds,
        )
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            try:
                await super().__call__(scope, receive, send)
            except SendTimeoutError:
                metrics.slow_readers.inc()
