"""Waits out an outage: the same call again, with jittered backoff, for as long as it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from shared.streaming.errors import is_infrastructure

log = structlog.get_logger(__name__)

LONGEST_WAIT_SECONDS = 5

T = TypeVar("T")


async def patiently(what: str, call: Callable[[], Awaitable[T]]) -> T:
    """The result of `call`, tried for ever while Kafka or MongoDB cannot be reached. Raises any other error at once."""

    async def attempt() -> T:
        return await call()

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("infrastructure_awaited", call=what, tries=state.attempt_number, error=repr(error)[:200])

    retrying = AsyncRetrying(
        wait=wait_random_exponential(0.2, max=LONGEST_WAIT_SECONDS),
        retry=retry_if_exception(is_infrastructure),
        before_sleep=tell,
    )
    return await retrying(attempt)
