"""A service: handlers registered in one line each, run until told to stop."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import Awaitable, Callable, Collection
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import structlog
from aiokafka import TopicPartition
from faststream import FastStream
from motor.motor_asyncio import AsyncIOMotorDatabase
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from shared.contracts.base import EventData
from shared.runtime.health import serve_health
from shared.runtime.logging import configure_logging
from shared.runtime.mongodb import connect, database_of
from shared.runtime.polling_broker import PollingBroker
from shared.runtime.settings import ServiceSettings
from shared.runtime.topics import load_topics
from shared.streaming import decompression
from shared.streaming.options import Options
from shared.streaming.patience import patiently
from shared.streaming.processor import Processor, TakeOverCallback
from shared.streaming.subscription import Handler, Subscription, TimerHandler

log = structlog.get_logger(__name__)

PATIENT_FETCH_BYTES = 1024 * 1024
"""A fetch that finds less waits for more, half a second at most."""


class Stage:
    """The handlers of one consumer group."""

    def __init__(self, group: str, fetch_min_bytes: int = 1) -> None:
        self.group = group
        self.fetch_min_bytes = fetch_min_bytes
        self.subscriptions: list[Subscription] = []
        self.timer_handlers: dict[str, TimerHandler] = {}
        self.take_over_callbacks: list[TakeOverCallback] = []

    def on(self, model: type[EventData], handler: Handler) -> None:
        """Hands the events of the model's topic to `handler`, validated; what is invalid becomes a dead letter."""
        self.on_topic(model.topic, model, handler)

    def on_topic(self, topic: str, model: type[BaseModel], handler: Handler) -> None:
        """The same for a model that does not name its topic."""
        self.subscriptions.append(Subscription(handler, topic=topic, model=model))

    def on_raw(self, pattern: str, handler: Handler) -> None:
        """Hands every record of the topics that match `pattern` to `handler`, as bytes, faults and all."""
        self.subscriptions.append(Subscription(handler, pattern=re.compile(pattern)))

    def on_timer(self, name: str, handler: TimerHandler) -> None:
        """Hands timers of that name to `handler` when they are due."""
        self.timer_handlers[name] = handler

    def at_takeover(self, callback: Callable[[Collection[TopicPartition]], Awaitable[None]]) -> None:
        """Runs `callback` with the partitions whenever an assignment is taken over, before any of its records."""
        self.take_over_callbacks.append(callback)


class Service(Stage):
    """One process: a name, its database, its consumer groups.

    `async with Service(name, settings) as service: service.on(Model, handler); await service.run()`
    """

    def __init__(
        self,
        name: str,
        settings: ServiceSettings,
        partitions_of: Callable[[str], int] | None = None,
        options: Options | None = None,
    ) -> None:
        """`partitions_of` gives the partition count of a topic; the default reads topics.yaml.

        `options` are the core's own; max_records, the session timeout and the login always come from the settings.
        """
        super().__init__(f"{settings.prefix}tongtu.{name}")
        self.name = name
        self.settings = settings
        self._partitions_of = partitions_of or load_topics().partitions
        self._options = options or Options()
        self._stages: list[Stage] = [self]
        self._start_callbacks: list[Callable[[], Awaitable[None]]] = []
        self._stop_callbacks: list[Callable[[], Awaitable[None]]] = []
        self._views: dict[str, Callable[[Request], Awaitable[Response]]] = {}
        self._app: FastStream | None = None
        self._failure: BaseException | None = None
        self._processors: list[Processor] = []
        self._one_in_hand = asyncio.Lock()

    async def __aenter__(self) -> Self:
        configure_logging(self.name, self.settings.log_level)
        decompression.install()
        self._client = connect(self.settings.mongodb)
        self.database: AsyncIOMotorDatabase[dict[str, Any]] = database_of(self._client, self.name, self.settings.prefix)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def stage(self, name: str, patient: bool = False) -> Stage:
        """A further consumer group of this service, with positions of its own.

        A patient one, for whose work nobody waits, polls twice a second and not at each record: a poll costs as much
        for one record as for a hundred.
        """
        stage = Stage(f"{self.group}.{name}", PATIENT_FETCH_BYTES if patient else 1)
        self._stages.append(stage)
        return stage

    def at_start(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Runs `callback` before anything is read: for indexes of the database."""
        self._start_callbacks.append(callback)

    def at_stop(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Runs `callback` at the end, while the consumer groups finish: for work of the service's own."""
        self._stop_callbacks.append(callback)

    def serve(self, path: str, answer: Callable[[Request], Awaitable[Response]]) -> None:
        """Answers GET requests at the health address, which operators alone reach."""
        self._views[path] = answer

    async def run(self) -> None:
        """Runs until SIGTERM or SIGINT, then finishes what is in flight.

        Raises TooManyFailures where the service is broken and has stopped itself.
        """
        stages = [stage for stage in self._stages if stage.subscriptions]
        self._processors = [self._processor(stage) for stage in stages]
        processors = {processor.group: processor for processor in self._processors}
        broker = PollingBroker(self.settings.kafka, processors, self.settings.kafka_security)
        for processor, stage in zip(self._processors, stages, strict=True):
            broker.feed(processor, self._topics_of(stage), stage.fetch_min_bytes)
        self._app = FastStream(broker, logger=None, on_startup=[self._prepare], on_shutdown=[self._drain])
        host, port = self.settings.health_host, self.settings.health_port
        spare_the_collector()
        async with serve_health(host, port, lambda: self.is_ready, self._views):
            log.info("service_started", stages=[processor.group for processor in self._processors])
            await self._app.run()
        log.info("service_stopped")
        if self._failure is not None:
            raise self._failure

    def stop(self) -> None:
        """Has `run` finish what is in flight and return; the same as SIGTERM."""
        if self._app is not None:
            self._app.exit()

    @property
    def is_ready(self) -> bool:
        """Whether every consumer group has taken its assignment and lets records through."""
        return bool(self._processors) and all(processor.is_ready for processor in self._processors)

    def _processor(self, stage: Stage) -> Processor:
        return Processor(
            group=stage.group,
            service=self.name,
            prefix=self.settings.prefix,
            bootstrap_servers=self.settings.kafka,
            database=self.database,
            subscriptions=stage.subscriptions,
            timer_handlers=stage.timer_handlers,
            take_over_callbacks=stage.take_over_callbacks,
            partitions_of=self._partitions_of,
            options=replace(
                self._options,
                max_records=self.settings.max_records,
                session_timeout_seconds=self.settings.session_timeout,
                connection={**self._options.connection, **self.settings.kafka_security},
            ),
            stop_service=self._fail,
            one_in_hand=self._one_in_hand,
        )

    def _topics_of(self, stage: Stage) -> dict[str, Any]:
        """What FastStream is to subscribe to: topics by name, or, as soon as one is a pattern, all by pattern."""
        prefix = self.settings.prefix
        names = [s.topic for s in stage.subscriptions if s.topic is not None] + [f"{self.name}.replays"]
        patterns = [s.pattern.pattern for s in stage.subscriptions if s.pattern is not None]
        if not patterns:
            return {"topics": [prefix + name for name in names]}
        alternatives = [pattern.removeprefix("^").removesuffix("$") for pattern in patterns] + list(
            map(re.escape, names)
        )
        return {"pattern": f"^{re.escape(prefix)}(?:{'|'.join(alternatives)})$"}

    async def _prepare(self) -> None:
        for processor in self._processors:
            await patiently("prepare", processor.prepare)
        for callback in self._start_callbacks:
            await patiently("at_start", callback)

    async def _drain(self) -> None:
        stopping = [asyncio.ensure_future(callback()) for callback in self._stop_callbacks]
        for processor in self._processors:
            await processor.stop()
        await asyncio.gather(*stopping)

    def _fail(self, error: BaseException) -> None:
        log.critical("service_stops_itself", reason=str(error))
        self._failure = error
        self.stop()


def spare_the_collector() -> None:
    """Has Python look for reference cycles less often.

    A poll makes tens of thousands of objects that all go by reference count; looking through them for cycles at the
    default threshold took a quarter of the time (bench.pipeline).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
