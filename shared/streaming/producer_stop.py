"""Stops a producer within a bound of time, whatever it still has in hand."""

from __future__ import annotations

import asyncio

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

log = structlog.get_logger(__name__)


async def stop_or_cut_off(producer: AIOKafkaProducer, seconds: float) -> bool:
    """Whether it finished what it had; one that cannot within `seconds` is cut off."""
    try:
        async with asyncio.timeout(seconds):
            await producer.stop()
    except (TimeoutError, KafkaError) as error:
        log.debug("producer_left_behind", error=repr(error))
        task = producer._sender.sender_task
        if task is not None:
            task.cancel()
        await producer.client.close()
        return False
    return True
