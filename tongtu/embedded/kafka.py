"""One Kafka node (broker and KRaft controller in one) on a local port."""

import asyncio
import base64
import os
import re
import shutil
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from tongtu.access.broker import BrokerAccess
from tongtu.access.passwords import write_private
from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.ports import HOST, free_port, listens
from tongtu.embedded.process import Server
from tongtu.embedded.security import NodeSecurity

_LOG_CONFIGURATION = """\
status = error
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = ${sys:tongtu.log}
appender.file.filePattern = ${sys:tongtu.log}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %c{1} %m%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
"""

HEAP_MB = 512
"""What the broker's Java may take at most."""

_FIRST_ERROR = re.compile(
    r"^\S+ (?:ERROR|FATAL) \S+ (?P<line>.*)$(?:\n[\w.$]+(?:Exception|Error): (?P<exception>.*)$)?", re.MULTILINE
)


def server_properties(
    port: int, controller_port: int, data: Path, security: NodeSecurity | None = None
) -> dict[str, str]:
    """The node's whole configuration."""
    properties = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        # There is one node, so one copy of everything.
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # The defaults (50 each) cost a second at the first use of a group or a transaction.
        "offsets.topic.num.partitions": "8",
        "transaction.state.log.num.partitions": "4",
        # Held for as long as the broker runs; 128 MB by default. Topics with more than a million keys take more passes.
        "log.cleaner.dedupe.buffer.size": str(32 * 1024 * 1024),
        # A member's topics are many and small. Kafka lays out two sparse indexes for each, of 10 MB by default, and at
        # the first message a disk that reads ahead far fills them with zeros. These serve a segment of 80 MB.
        "log.index.size.max.bytes": str(256 * 1024),
        # Development and tests start and kill consumers all the time and cannot wait for minutes.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "1000",
        # A killed broker may register again only when its old session has ended: 9 s by default.
        "broker.heartbeat.interval.ms": "500",
        "broker.session.timeout.ms": "3000",
    }
    return properties | (security.properties(HOST, port, controller_port) if security else {})


def render(properties: Mapping[str, str]) -> str:
    """A Java properties file; a backslash starts an escape there."""
    return "".join(f"{name}={value.replace(chr(92), chr(92) * 2)}\n" for name, value in properties.items())


class Kafka(Server):
    """A Kafka node that keeps its data in `folder` (created and formatted at the first start); `heap` is in MB.

    `cache` is Java's ahead-of-time cache (ahead.py): used if the file is there, and made at the next stop if not.
    """

    def __init__(
        self,
        java: Path,
        jars: Path,
        folder: Path,
        logs: Path,
        port: int,
        *,
        heap: int = HEAP_MB,
        held: Sequence[int] = (),
        security: NodeSecurity | None = None,
        cache: Path | None = None,
    ):
        super().__init__("Kafka", logs / "kafka.out", held)
        self.port = port
        self._security = security
        self._controller_port = free_port(taken=[port, *([security.node_port] if security else [])])
        self._java = java
        self._jars = jars
        self._folder = folder
        self._log = logs / "kafka.log"
        self._logged_before = 0  # bytes
        self._heap = heap
        self._cache = cache

    @property
    def _configuration(self) -> Path:
        return self._folder / "server.properties"

    def _prepare(self) -> None:
        data, temporary, formatted = self._folder / "data", self._folder / "temporary", self._folder / "formatted"
        data.mkdir(parents=True, exist_ok=True)
        # The records, and where Kafka is secured the node's password, are nobody's business on this machine.
        self._folder.chmod(0o700)
        self._logged_before = self._log.stat().st_size if self._log.exists() else 0
        shutil.rmtree(temporary, ignore_errors=True)  # a killed JVM leaves the native libraries it unpacked
        temporary.mkdir()
        properties = server_properties(self.port, self._controller_port, data, self._security)
        write_private(self._configuration, render(properties))
        (self._folder / "log4j2.properties").write_text(_LOG_CONFIGURATION, encoding="utf-8")
        if formatted.exists():
            return
        # The first byte is fixed because the command takes an id that starts with "-" for an option.
        cluster = base64.urlsafe_b64encode(b"T" + uuid.uuid4().bytes[1:]).decode().rstrip("=")
        command = self._java_command("kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster)
        if self._run_to_end([*command, "-c", str(self._configuration)]):
            raise EmbeddedError(f"Kafka's data folder {data} cannot be set up: see {self._output}")
        formatted.touch()

    def _java_command(self, *arguments: str) -> list[str]:
        options = [f"-Xmx{self._heap}m", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "-XX:-UsePerfData"]
        # Java's second compiler takes more of a small machine than its code saves for a long while (ADR 31).
        options.append("-XX:TieredStopAtLevel=1")
        options.append("--sun-misc-unsafe-memory-access=allow")  # else Java 25 prints warnings about Kafka's code
        options.append(f"-Djava.io.tmpdir={self._folder / 'temporary'}")
        options.append(f"-Dlog4j2.configurationFile={self._folder / 'log4j2.properties'}")
        options.append(f"-Dtongtu.log={self._log}")
        if self._cache and self._cache.is_file():
            # One that does not fit (archives or Java changed) is ignored; what Java has to say of it helps nobody.
            options += [f"-XX:AOTCache={self._cache}", "-Xlog:aot*=off"]
        return [str(self._java), *options, "-cp", f"{self._jars}{os.sep}*", *arguments]

    def _command(self) -> Sequence[str]:
        is_recorded = self._cache and not self._cache.is_file()
        recording = [f"-XX:AOTCacheOutput={self._cache}"] if is_recorded else []
        return self._java_command(*recording, "kafka.Kafka", str(self._configuration))

    def _is_ready(self) -> bool:
        pid = self.pid
        if pid is None or not listens(pid, self.port):
            return False
        # It listens shortly before the controller lets it take part: ask for the brokers as a client would. In a
        # thread, so that a test may start it from a coroutine.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, self._lets_clients_in()).result()

    async def _lets_clients_in(self) -> bool:
        address = f"{HOST}:{self.port}"
        if self._security is None:
            return await _knows_its_broker(address)
        administrator = self._security.administrator.for_aiokafka()
        if await _knows_its_broker(address, **administrator):
            return True
        node = f"{HOST}:{self._security.node_port}"
        as_node = self._security.node.for_aiokafka() | {"sasl_mechanism": "PLAIN"}
        if await _knows_its_broker(node, **as_node):
            users = BrokerAccess.at(node, self._security.node.for_librdkafka() | {"sasl.mechanism": "PLAIN"})
            users.set_password(self._security.administrator.user, self._security.administrator.password())
        return False

    def _failure(self, printed: str) -> str:
        logged = self._log.read_bytes() if self._log.exists() else b""
        if len(logged) >= self._logged_before:  # not if log4j has begun a new file meanwhile
            logged = logged[self._logged_before :]
        # The first error is the cause, what follows is its wake; its exception says more than the line itself.
        error = _FIRST_ERROR.search(logged.decode(errors="replace"))
        lines = printed.strip().splitlines()
        problem = (error["exception"] or error["line"]) if error else lines[-1] if lines else "it ended without a word"
        return f"Kafka did not start ({problem.strip()[:200]}): see {self._log} and {self._output}"


async def _knows_its_broker(address: str, **security: Any) -> bool:
    client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=2000, **security)
    try:
        await client.bootstrap()
        return bool(client.cluster.brokers())
    except KafkaError:
        return False
    finally:
        await client.close()
