"""Intake with two thousand members, each with an outbox and an inbox, against the same with twenty.

`python -m bench.crowd [--members 2000] [--few 20] [--events 60000] [--json]`

On one Kafka, one mongod and one intake, for few members and for many: `backlog` is events a second where the records
of each outbox lie together, `scattered` where they came one at a time from all members in turn. Both count what is
answered from the first reply until the last. `start_seconds` is from the start of the process to its first
event handled, `one_each_...` what polls cost in which each of 500 outboxes has one record, `new_member_seconds` from
the creation of a member's topics to its first receipt (the worst of three), `killed_seconds` from a start after SIGKILL
in the middle of a backlog to the first event handled (10 s of it are the session that the broker waits for),
`second_seconds` until a second instance lets records through as well, `two_instances` what both do together of one more
backlog, from when both have replied. `exact` says whether intake holds every
record once and nothing is left to publish. `load` is the machine's: above the number of its cores, only ratios count.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil
import uvloop

from bench.crowd_setting import Crowd, Watched, machine_load
from bench.setting import report, servers
from shared.contracts.access import GatewayTokens, TokenDigest
from tongtu.embedded import Infrastructure
from tongtu.embedded.infrastructure import to_standard_error
from tongtu.embedded.ports import free_port
from tongtu.members import write_registry
from tongtu.writing import Writer

LONG_SECONDS = 180.0
"""After this something is wrong."""
KAFKA_HEAP_MB = 1024
"""4,000 partitions do not fit into the embedded broker's usual 512."""
IDLE_SECONDS = 10.0
SCATTERED_EVENTS = 40_000
POLL_MEMBERS = 500
_MB = 1024 * 1024


async def intake(crowd: Crowd, events: int, servers: Mapping[str, psutil.Process], logs: Path) -> dict[str, Any]:
    """All that is measured of intake with this crowd."""
    each = max(1, events // len(crowd.members))
    backlog = await crowd.say(each)
    first = Watched("intake", crowd.target, logs)
    first.start()
    try:
        figures = {"start_seconds": await first.until(lambda: first.processed > 0, LONG_SECONDS, "a first event")}
        to_standard_error(f"  started after {figures['start_seconds']:.1f} s")
        figures["backlog"] = await _answered_a_second(backlog, first)
        to_standard_error(f"  backlog: {figures['backlog']:.0f} events/s")
        figures["scattered"] = await _scattered(crowd, first)
        to_standard_error(f"  scattered: {figures['scattered']:.0f} events/s")
        figures |= await _one_each(crowd, first)
        figures |= await _idle(first, servers)
        figures["new_member_seconds"] = await _new_member(crowd)
        figures["rss_mb"] = first.rss_mb
        to_standard_error(f"  {figures}")
        before = first.published
        await crowd.say(each)
        await first.until(lambda: first.published > before, LONG_SECONDS, "the middle of a backlog")
        first.kill()
        first.start()
        figures["killed_seconds"] = await first.until(
            lambda: first.processed > 0, LONG_SECONDS, "an event after a kill"
        )
        await _all_kept(crowd)
        figures |= await _second(crowd, first, logs, each)
        await _all_kept(crowd)
        records, waiting = crowd.kept()
        figures["exact"] = records == crowd.said and waiting == 0
    finally:
        first.stop()
    return {name: value if isinstance(value, bool) else round(value, 2) for name, value in figures.items()}


def _published(instances: Sequence[Watched]) -> int:
    return sum(each.published for each in instances)


async def _told(events: int, *instances: Watched, before: int = 0) -> None:
    """Returns when each event has led to a canonical record and a receipt, `before` messages not counted."""
    first = instances[0]
    await first.until(lambda: _published(instances) - before >= 2 * events, LONG_SECONDS, f"{events} events")


async def _answered_a_second(events: int, *instances: Watched) -> float:
    """From the first reply of each to the last of all; what was answered when the clock began does not count."""
    first = instances[0]
    await first.until(lambda: all(each.published for each in instances), LONG_SECONDS, "first replies")
    answered, began = _published(instances) / 2, time.monotonic()
    await _told(events, *instances)
    return (events - answered) / (time.monotonic() - began)


async def _scattered(crowd: Crowd, intake: Watched) -> float:
    """While intake is away, each says one thing after the other in turn; the sender's own pace does not count."""
    intake.stop()
    events = 0
    for _ in range(max(1, SCATTERED_EVENTS // len(crowd.members))):
        events += await crowd.say(1)
    intake.start()
    return await _answered_a_second(events, intake)


async def _one_each(crowd: Crowd, intake: Watched) -> dict[str, float]:
    """What polls cost in which each of many outboxes has one record, in turn with nothing else."""
    members = crowd.members[:POLL_MEMBERS]
    before, began = intake.metrics(), time.monotonic()
    for _ in range(5):
        published = intake.published
        await crowd.say(1, members)
        await _told(len(members), intake, before=published)
    after = intake.metrics()
    spent = {
        name: after[f"tongtu_{name}_seconds_sum"] - before[f"tongtu_{name}_seconds_sum"]
        for name in ("transaction", "publish")
    }
    polls = after["tongtu_transaction_seconds_count"] - before["tongtu_transaction_seconds_count"]
    return {
        "one_each_seconds": (time.monotonic() - began) / 5,
        "one_each_polls": polls / 5,
        "one_each_transaction_ms": 1000 * spent["transaction"] / 5,
        "one_each_publish_ms": 1000 * spent["publish"] / 5,
    }


async def _idle(intake: Watched, servers: Mapping[str, psutil.Process]) -> dict[str, float]:
    """Processor time while nobody says anything, in percent of a core."""
    processes = {"intake": intake.process, **servers}
    await asyncio.sleep(2)
    before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
    await asyncio.sleep(IDLE_SECONDS)
    return {
        f"idle_cpu_percent_{name}": 100 * (sum(process.cpu_times()[:2]) - before[name]) / IDLE_SECONDS
        for name, process in processes.items()
    }


async def _new_member(crowd: Crowd) -> float:
    """The worst of three, because it depends on when intake looked for topics last."""
    longest = 0.0
    for _ in range(3):
        member = await crowd.add()
        began = time.monotonic()
        await crowd.say(1, [member])
        await crowd.hear(member, LONG_SECONDS)
        longest = max(longest, time.monotonic() - began)
    return longest


async def _all_kept(crowd: Crowd) -> None:
    deadline = time.monotonic() + LONG_SECONDS
    while await asyncio.to_thread(crowd.kept) != (crowd.said, 0):
        if time.monotonic() > deadline:
            raise TimeoutError(f"intake holds {crowd.kept()} of {crowd.said} records")
        await asyncio.sleep(0.2)


async def _second(crowd: Crowd, first: Watched, logs: Path, each: int) -> dict[str, float]:
    """Seconds until both instances have their halves, and what they do together while the members write."""
    second = Watched("intake", crowd.target, logs)
    second.start()
    try:

        def shared() -> bool:
            return second.is_ready() and first.is_ready() and second.metrics()["tongtu_partitions_owned"] > 1

        seconds = await second.until(shared, LONG_SECONDS, "a second instance")
        for instance in (first, second):
            instance.stop()
        events = await crowd.say(2 * each)
        first.start()
        await first.until(lambda: first.is_ready(), LONG_SECONDS, "the first instance")
        second.start()
        return {"second_seconds": seconds, "two_instances": await _answered_a_second(events, first, second)}
    finally:
        second.stop()


async def gateway(crowd: Crowd, logs: Path) -> dict[str, Any]:
    """The gateway with a token for each member."""
    async with Writer(crowd.target) as writer:
        for member in crowd.members:
            await write_registry(writer, GatewayTokens, member, _tokens_of(member), 1)
    served = Watched("gateway", crowd.target, logs, TONGTU_GATEWAY_PORT=str(free_port()))
    served.start()
    try:
        seconds = await served.until(served.is_ready, LONG_SECONDS, "the gateway")
        return {"gateway_start_seconds": round(seconds, 2), "gateway_rss_mb": served.rss_mb}
    finally:
        served.stop()


def _tokens_of(member: str) -> bytes:
    digest = {"id": "bench", "sha256": sha256(secrets.token_bytes()).hexdigest(), "created": "2026-01-01T00:00:00Z"}
    tokens = GatewayTokens(member=member, version=1, tokens=(TokenDigest.model_validate(digest),))
    return tokens.model_dump_json().encode()


def add_member(crowd: Crowd) -> float:
    """Seconds that `tongtu members add` takes for one more."""
    began = time.monotonic()
    command = [sys.executable, "-m", "tongtu", "members", "add", "one-more", "--name-en", "One More"]
    subprocess.run(command, env=os.environ | crowd.target.environment, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


async def measure(started: Infrastructure, count: int, events: int, logs: Path) -> dict[str, Any]:
    """Everything with so many members."""
    to_standard_error(f"{count} members")
    embedded = {"kafka": started.kafka, "mongodb": started.mongodb}
    running = {name: psutil.Process(each.pid) for name, each in embedded.items() if each is not None and each.pid}
    began = time.monotonic()
    async with Crowd(started.addresses, count) as crowd:
        figures: dict[str, Any] = {"topics_seconds": round(time.monotonic() - began, 1)}
        to_standard_error(f"  topics after {figures['topics_seconds']} s")
        figures |= await intake(crowd, events, running, logs)
        figures |= await gateway(crowd, logs)
        figures["members_add_seconds"] = round(await asyncio.to_thread(add_member, crowd), 2)
        figures |= {f"{name}_rss_mb": round(each.memory_info().rss / _MB) for name, each in running.items()}
    return figures


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=2000)
    parser.add_argument("--few", type=int, default=20, help="members to compare with")
    parser.add_argument("--events", type=int, default=60_000, help="of each backlog")
    parser.add_argument("--json", action="store_true", help="only the last line")
    arguments = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it tells of each retry of each topic that is new
    with servers(kafka_heap=KAFKA_HEAP_MB) as started, tempfile.TemporaryDirectory() as logs:
        few, many = (
            uvloop.run(measure(started, count, arguments.events, Path(logs)))
            for count in (arguments.few, arguments.members)
        )
    ratios = {name: round(many[name] / few[name], 2) for name in ("backlog", "scattered")}
    report({"members": arguments.members, "load": machine_load(), "ratios": ratios, "few": few, "many": many})


if __name__ == "__main__":
    main()
