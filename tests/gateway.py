"""The gateway as a process on a test's platform, members with tokens, and clients that speak HTTP to it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import httpx

from shared.contracts.access import GatewayTokens
from shared.runtime.topics import load_topics
from tests.platform import Platform, event_headers, eventually
from tongtu.embedded.ports import free_port

TECHNOLOGY = "tongtu.technology.submitted.v1"
RECEIPT = "tongtu.receipt.v1"


def token_of(member: str, number: int = 1) -> str:
    """A token of that member."""
    return f"token-{number}-of-{member}-which-nobody-can-guess"


class GatewayProcess:
    """`python -m services.gateway`, and what is needed to speak to it."""

    def __init__(self, platform: Platform, **environment: str) -> None:
        """`environment` is added to what has it join the platform."""
        self.platform = platform
        self.port = free_port()
        self.health = f"http://127.0.0.1:{free_port()}"
        self._environment = {
            "TONGTU_GATEWAY_PORT": str(self.port),
            "TONGTU_HEALTH_PORT": self.health.rpartition(":")[2],
            **environment,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.printed = b""
        """What it has written to its log; known once it has ended."""

    @property
    def pid(self) -> int:
        """Process id of the gateway that runs."""
        assert self._process is not None
        return self._process.pid

    @property
    def address(self) -> str:
        """Where members reach it."""
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Starts it and waits until it is ready."""
        self._process = self.platform.start_process("services.gateway", **self._environment)
        await eventually(self.is_ready, what="the gateway's readiness")

    async def is_ready(self) -> bool:
        """Whether /ready answers 200; fails the test where it has ended."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the gateway has ended:\n{self._end().decode()}")
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"{self.health}/ready")).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def terminate(self) -> None:
        """SIGTERM; returns at once."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        assert self._process is not None
        self._end()
        return self._process.returncode

    def stop(self) -> None:
        """SIGTERM, and the end."""
        if self._process is not None and self._process.poll() is None:
            self.terminate()
            self._end()

    def _end(self) -> bytes:
        assert self._process is not None
        printed, _ = self._process.communicate(timeout=60)
        self.printed += printed
        return printed

    def client(self, member: str | None, token: str | None = None) -> httpx.AsyncClient:
        """A client with the member's token; None shows none."""
        headers = {} if member is None else {"authorization": f"Bearer {token or token_of(member)}"}
        return httpx.AsyncClient(base_url=self.address, headers=headers, timeout=30)

    async def metric(self, name: str) -> float:
        """The value of a metric, in sum over its labels."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{self.health}/metrics")).text
        values = [line.rpartition(" ")[2] for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))]
        return sum(map(float, values))


@asynccontextmanager
async def gateway(
    platform: Platform, members: Iterable[str] = ("acme", "bolt"), **environment: str
) -> AsyncIterator[GatewayProcess]:
    """The gateway and its members' topics and tokens, for the block."""
    topics = load_topics()
    names = [GatewayTokens.topic, *(topic.name for member in members for topic in topics.for_member(member))]
    await platform.create_topics({name: topics.partitions(name) for name in names}, **{"max.message.bytes": "1114112"})
    for member in members:
        await give_tokens(platform, member, [token_of(member)])
    process = GatewayProcess(platform, **environment)
    try:
        await process.start()
        yield process
    finally:
        process.stop()


async def give_tokens(platform: Platform, member: str, tokens: Sequence[str], version: int = 1) -> None:
    """What the registry writes; no tokens is a null record."""
    listed = [
        {"id": str(number), "sha256": sha256(token.encode()).hexdigest(), "created": "2026-04-01T08:30:00Z"}
        for number, token in enumerate(tokens)
    ]
    value = {"member": member, "version": version, "tokens": listed}
    headers = event_headers(f"tokens-{member}-{version}", GatewayTokens.type, "/registry")
    encoded = json.dumps(value).encode() if tokens else None
    await platform.produce(GatewayTokens.topic, [(member, encoded, headers)])


async def tell(platform: Platform, member: str, *numbers: int) -> None:
    """Writes receipts of those numbers into a member's inbox."""
    records = [
        (
            "k",
            json.dumps(
                {"event_id": str(number), "outcome": "accepted", "record": {"kind": "other", "id": "x"}}
            ).encode(),
            event_headers(f"receipt-{number}", RECEIPT, "/services/intake", subject="x"),
        )
        for number in numbers
    ]
    await platform.produce(f"member.{member}.inbox", records)


def binary(id: str, **attributes: str) -> dict[str, str]:
    """Headers of a binary event; names that are given replace those."""
    given = {"specversion": "1.0", "id": id, "type": TECHNOLOGY} | attributes
    return {f"ce-{name}": value for name, value in given.items()} | {"content-type": "application/json"}


def structured(id: str, data: Any = None, **attributes: Any) -> dict[str, Any]:
    """An event in the JSON format."""
    given = {"specversion": "1.0", "id": id, "type": TECHNOLOGY} | attributes
    return given if data is None else given | {"data": data}


def technology(id: str, **fields: Any) -> dict[str, Any]:
    """A technology that intake takes."""
    return {"id": id, "title": "Metal seals 金属密封", "summary": "Down to 20 K."} | fields


async def raw(port: int, *parts: bytes, until_end: bool = True) -> bytes:
    """What the gateway answers to these bytes, sent one after the other, until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        return await asyncio.wait_for(reader.read(-1 if until_end else 65536), 60)
    except ConnectionError:
        return b""
    finally:
        writer.close()
