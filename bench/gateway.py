"""The HTTP gateway against the same without our code: bare FastAPI on uvicorn that produces what it gets to Kafka.

`python -m bench.gateway [--seconds 4] [--rounds 3] [--connections 1,50,500] [--json]`

Both are a process of one worker on uvloop and httptools, both answer when all replicas have acknowledged, both get the
same binary CloudEvents of about 1 KB from the same clients, who keep their connections and send one after the other.
The contenders take turns within each round, because the machine is not theirs alone; each figure is the median of the
rounds. `core` and `bare` are events a second with 50 connections, `ratio` the one by the other; `cpu_ratio` is the same
told by the processor time that each server takes for an event.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import multiprocessing
import os
import secrets
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from aiokafka import AIOKafkaProducer

from bench.setting import new_prefix, report, servers
from shared.contracts.access import GatewayTokens, TokenDigest
from shared.runtime.topics import apply_topics, load_topics
from tongtu.embedded.ports import free_port

MEMBERS = 25
"""Each with an outbox of its own, so that no single partition is the limit."""
WARM_SECONDS = 1.0
READY_SECONDS = 60.0
CLIENTS = 1
"""Processes that send. The clients are plain sockets, so that they do not cost what the server should have."""
_DATA = json.dumps({"id": "bench", "title": "coating", "description": "x" * 900}).encode()


@dataclass
class Outcome:
    """What the clients of one turn saw."""

    answered: int = 0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list[float])
    cpu_seconds: float = 0.0
    """Of the server, which tells contenders apart also where others use the machine."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", default="1,50,500", help="numbers of connections, with commas")
    parser.add_argument("--json", action="store_true", help="only the last line")
    arguments = parser.parse_args()
    numbers = [int(number) for number in arguments.connections.split(",")]
    prefix = new_prefix()
    tokens = {f"bench-{number:02}": secrets.token_urlsafe(32) for number in range(MEMBERS)}
    with servers() as infrastructure:
        kafka = infrastructure.addresses.kafka
        asyncio.run(prepare(kafka, prefix, tokens))
        with contenders(kafka, prefix) as running:
            turns = take_turns(running, tokens, numbers, arguments.rounds, arguments.seconds)
    figures = summarised(turns, numbers)
    report(figures)


async def prepare(kafka: str, prefix: str, tokens: Mapping[str, str]) -> None:
    """Topics of the members, and their tokens."""
    topics = load_topics()
    await apply_topics(kafka, [*topics, *(topic for member in tokens for topic in topics.for_member(member))], prefix)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for member, token in tokens.items():
            digest = {"id": "bench", "sha256": hashlib.sha256(token.encode()).hexdigest()}
            entry = TokenDigest.model_validate({**digest, "created": "2026-01-01T00:00:00Z"})
            value = GatewayTokens(member=member, version=1, tokens=(entry,))
            topic = prefix + GatewayTokens.topic
            await producer.send_and_wait(topic, value.model_dump_json().encode(), key=member.encode())
    finally:
        await producer.stop()


@contextlib.contextmanager
def contenders(kafka: str, prefix: str) -> Iterator[dict[str, tuple[int, psutil.Process]]]:
    """Both servers, ready; port and process by name."""
    ports = {name: free_port() for name in ("core", "bare", "health")}
    environment = os.environ | {
        "TONGTU_KAFKA": kafka,
        "TONGTU_PREFIX": prefix,
        "TONGTU_LOG": "error",
        "TONGTU_HEALTH_PORT": str(ports["health"]),
        "TONGTU_GATEWAY_PORT": str(ports["core"]),
        # The limits are counted as always; they are only set so high that a benchmark does not meet them.
        "TONGTU_GATEWAY_RATE": "1000000",
    }
    core = [sys.executable, "-m", "services.gateway"]
    bare = [sys.executable, "-m", "bench.bare_gateway", kafka, prefix, str(ports["bare"])]
    processes = [subprocess.Popen(command, env=environment) for command in (core, bare)]
    try:
        wait_for(f"http://127.0.0.1:{ports['health']}/ready")
        wait_for(f"http://127.0.0.1:{ports['bare']}/ready")
        yield {
            name: (ports[name], psutil.Process(process.pid))
            for name, process in zip(("core", "bare"), processes, strict=True)
        }
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(30)


def take_turns(
    running: Mapping[str, tuple[int, psutil.Process]],
    tokens: Mapping[str, str],
    numbers: Sequence[int],
    rounds: int,
    seconds: float,
) -> dict[tuple[str, int], list[Outcome]]:
    """Every contender with every number of connections, in turn, in as many rounds."""
    found: dict[tuple[str, int], list[Outcome]] = {}
    for number in numbers:
        for port, _ in running.values():
            attack(port, tokens, number, WARM_SECONDS)
        for turn in range(rounds):
            order = list(running.items()) if turn % 2 == 0 else list(running.items())[::-1]
            for name, (port, process) in order:
                before = process.cpu_times()
                outcome = attack(port, tokens, number, seconds)
                after = process.cpu_times()
                outcome.cpu_seconds = after.user + after.system - before.user - before.system
                found.setdefault((name, number), []).append(outcome)
    return found


def attack(port: int, tokens: Mapping[str, str], number: int, seconds: float) -> Outcome:
    """So many connections for so long, from a process of their own."""
    with multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
        return pool.apply(_attack, (port, dict(tokens), number, seconds))


def _attack(port: int, tokens: dict[str, str], number: int, seconds: float) -> Outcome:
    return asyncio.run(_run_clients(port, tokens, number, seconds))


async def _run_clients(port: int, tokens: dict[str, str], number: int, seconds: float) -> Outcome:
    outcome = Outcome()
    members = list(tokens.items())
    open_now = asyncio.Event()
    clients = [
        asyncio.create_task(_client(port, *members[index % len(members)], index, seconds, open_now, outcome))
        for index in range(number)
    ]
    began = time.perf_counter()
    open_now.set()
    await asyncio.gather(*clients)
    outcome.seconds = time.perf_counter() - began
    return outcome


async def _client(
    port: int, member: str, token: str, index: int, seconds: float, open_now: asyncio.Event, outcome: Outcome
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await open_now.wait()
    end, sent = time.perf_counter() + seconds, 0
    while (began := time.perf_counter()) < end:
        writer.write(_request(member, token, f"{index}-{sent}-{os.getpid()}"))
        sent += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        body = await reader.readexactly(length)
        if b" 202 " not in head[:16]:
            raise RuntimeError(f"answered {head[:60]!r} {body[:200]!r}")
        outcome.waits.append(time.perf_counter() - began)
        outcome.answered += 1
    writer.close()


def _request(member: str, token: str, id: str) -> bytes:
    lines = (
        "POST /v1/events HTTP/1.1",
        "host: 127.0.0.1",
        f"authorization: Bearer {token}",
        "user-agent: bench",
        "accept: */*",
        "content-type: application/json",
        f"content-length: {len(_DATA)}",
        "ce-specversion: 1.0",
        f"ce-id: {id}",
        f"ce-source: /members/{member}",
        "ce-type: tongtu.technology.submitted.v1",
        "ce-subject: bench",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + _DATA


def summarised(turns: Mapping[tuple[str, int], Sequence[Outcome]], numbers: Sequence[int]) -> dict[str, Any]:
    """The figures, by contender and number of connections."""
    rates: dict[str, dict[str, float]] = {"core": {}, "bare": {}}
    slowest: dict[str, dict[str, float]] = {"core": {}, "bare": {}}
    cpu: dict[str, dict[str, float]] = {"core": {}, "bare": {}}
    for (name, number), outcomes in turns.items():
        rates[name][str(number)] = round(statistics.median(each.answered / each.seconds for each in outcomes), 1)
        tails = [sorted(each.waits)[int(len(each.waits) * 0.99)] * 1000 for each in outcomes]
        slowest[name][str(number)] = round(statistics.median(tails), 2)
        used = [each.cpu_seconds / each.answered * 1e6 for each in outcomes]
        cpu[name][str(number)] = round(statistics.median(used), 1)
    shown = str(50 if 50 in numbers else numbers[0])
    return {
        "core": rates["core"][shown],
        "bare": rates["bare"][shown],
        "ratio": round(rates["core"][shown] / rates["bare"][shown], 3),
        "cpu_ratio": round(cpu["bare"][shown] / cpu["core"][shown], 3),
        "p99_ms": slowest["core"],
        "bare_p99_ms": slowest["bare"],
        "core_per_connections": rates["core"],
        "bare_per_connections": rates["bare"],
        "core_cpu_us": cpu["core"],
        "bare_cpu_us": cpu["bare"],
    }


def wait_for(address: str) -> None:
    """Until it answers 200. Raises TimeoutError."""
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=1):  # noqa: S310 - ours, http
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{address} does not answer")


if __name__ == "__main__":
    main()
