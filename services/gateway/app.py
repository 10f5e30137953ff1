"""Composition root of the gateway: `python -m services.gateway` runs it."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack

import structlog

from services.gateway import metrics
from services.gateway.application import create_application
from services.gateway.inbox import Inbox
from services.gateway.limiting import MemberLimits
from services.gateway.receiving import RequestMemory
from services.gateway.server import Server, configured
from services.gateway.settings import GatewaySettings
from services.gateway.submissions import Submissions
from services.gateway.tokens import Tokens
from shared.contracts.access import GatewayTokens
from shared.runtime.health import serve_health
from shared.runtime.logging import configure_logging
from shared.runtime.settings import SettingsError, load
from shared.runtime.topics import load_topics
from shared.streaming.latest_values import follow_latest_values
from shared.streaming.log_reader import LogReader
from shared.streaming.record_writer import RecordWriter

log = structlog.get_logger(__name__)

_MB = 1024 * 1024


class Gateway:
    """Kafka on one side, HTTP on the other, and the tokens that say who may do what."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        security = settings.kafka_security
        most_bytes = settings.in_flight_mb * _MB
        self._security = security
        self._writer = RecordWriter(settings.kafka, security, most_bytes=most_bytes, seconds=settings.kafka_seconds)
        self._reader = LogReader(settings.kafka, security, seconds=settings.kafka_seconds)
        self._memory = RequestMemory(most_bytes)
        self._knows_tokens = False
        self._tokens = Tokens(lambda member: self._inbox.look_again(member))
        limits = MemberLimits(settings.rate, settings.streams)
        self._inbox = Inbox(settings, self._tokens, limits, self._reader)
        submissions = Submissions(settings, self._tokens, limits, self._memory, self._writer)
        config = configured(
            create_application(submissions, self._inbox),
            most_connections=settings.connections,
            host=settings.host,
            port=settings.port,
            ssl_certfile=settings.certificate,
            ssl_keyfile=settings.certificate_key,
        )
        self._server = Server(config, settings.head_seconds, settings.body_seconds)
        metrics.waiting_bytes.set_function(lambda: self._writer.waiting_bytes)
        metrics.received_bytes.set_function(lambda: self._memory.bytes)
        metrics.members.set_function(lambda: len(self._tokens))

    @property
    def is_ready(self) -> bool:
        """Whether it can tell members apart, take events and read inboxes."""
        serving = self._server.started and not self._server.should_exit
        return serving and self._knows_tokens and self._writer.is_ready and self._reader.is_ready

    async def run(self) -> None:
        """Serves until `stop`; then answers what is in flight."""
        async with AsyncExitStack() as stack:
            self._writer.start()
            stack.push_async_callback(self._writer.stop)
            self._reader.start()
            stack.push_async_callback(self._reader.stop)
            for work in (self._follow_tokens(), self._server.watch_connections()):
                task = asyncio.create_task(work)
                stack.callback(task.cancel)
            await stack.enter_async_context(
                serve_health(self.settings.health_host, self.settings.health_port, lambda: self.is_ready)
            )
            log.info("service_started", address=f"{self.settings.host}:{self.settings.port}")
            try:
                await self._server.serve()
            except SystemExit:  # uvicorn's way to say that it cannot listen
                where = f"{self.settings.host}:{self.settings.port}"
                raise SettingsError(
                    f"cannot listen on {where}: give another TONGTU_GATEWAY_HOST or TONGTU_GATEWAY_PORT"
                ) from None
        log.info("service_stopped")

    def stop(self) -> None:
        """Takes no more connections, ends streams, and has `run` return when every answer is given."""
        self._inbox.stop()
        self._server.should_exit = True

    async def _follow_tokens(self) -> None:
        await follow_latest_values(
            self.settings.kafka,
            self._security,
            f"{self.settings.prefix}{GatewayTokens.topic}",
            load_topics().partitions(GatewayTokens.topic),
            self._apply,
            self._tokens_known,
        )

    def _apply(self, key: bytes | None, value: bytes | None) -> None:
        refused = self._tokens.apply(key, value)
        if refused is not None:
            log.error(
                "member_shut_out", member=refused.member, reason="its tokens cannot be read", errors=refused.errors
            )

    def _tokens_known(self) -> None:
        self._knows_tokens = True


async def main() -> None:
    """Runs until told to stop. Raises SettingsError where the environment is wrong."""
    settings = load(GatewaySettings)
    configure_logging("gateway", settings.log_level)
    gateway = Gateway(settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, gateway.stop)
    await gateway.run()
