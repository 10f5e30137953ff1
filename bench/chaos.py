"""Two services that count, two instances of each, killed and stopped at random, MongoDB and Kafka too: is anything
lost, done twice or out of order?

`python -m bench.chaos [--events 200000] [--seconds 75] [--seed 1] [--json]`

Events are fed over SECONDS while an instance is killed (SIGKILL, restarted at once) or stopped beyond the session
timeout (SIGSTOP, SIGCONT later) every few seconds; a third of the way in MongoDB is killed and restarted, at two
thirds Kafka. Then every count is compared with what was fed, and the log between the services is audited: each event
once, in order per key, the last record of each key equal to what the writer has in its state.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
import pymongo
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from bench.counting import Counted
from bench.setting import create_topics, new_prefix, report, servers
from tongtu.embedded import Infrastructure

PARTITIONS = 4
KEYS = 997
SESSION_SECONDS = 6
STOPS_SECONDS = (1, 9, 12)
"""How long an instance is stopped: once within, twice beyond the session timeout."""
OUTAGE_SECONDS = 3
FINISH_SECONDS = 240
PADDING = "x" * 700


class Instances:
    """The services' processes, and what is done to them."""

    def __init__(self, environment: dict[str, str], folder: Path, chance: random.Random) -> None:
        self._environment = os.environ | environment
        self._folder = folder
        self._chance = chance
        self._commands = [("a", "in", "mid")] * 2 + [("b", "mid", "-")] * 2
        self._processes: list[subprocess.Popen[bytes]] = []
        self.kills = 0
        self.stops = 0

    def start(self) -> None:
        """Starts all of them."""
        self._processes = [self._start(index) for index in range(len(self._commands))]

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        name, source, output = self._commands[index]
        with (self._folder / f"{name}{index}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "bench.counting", name, source, output, str(PARTITIONS)],
                env=self._environment,
                stdout=log,
                stderr=log,
            )

    def kill_one(self) -> None:
        """SIGKILL for one of them, and a new process in its place."""
        index = self._chance.randrange(len(self._processes))
        self._processes[index].send_signal(signal.SIGCONT)
        self._processes[index].kill()
        self._processes[index].wait()
        self._processes[index] = self._start(index)
        self.kills += 1

    async def stop_one(self) -> None:
        """SIGSTOP for one of them, and SIGCONT some seconds later: a zombie, where the session ended meanwhile."""
        process = self._chance.choice(self._processes)
        process.send_signal(signal.SIGSTOP)
        self.stops += 1
        await asyncio.sleep(self._chance.choice(STOPS_SECONDS))
        process.send_signal(signal.SIGCONT)

    def end(self) -> list[int]:
        """SIGTERM for all; their exit codes."""
        for process in self._processes:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        codes: list[int] = []
        for process in self._processes:
            try:
                codes.append(process.wait(15))
            except subprocess.TimeoutExpired:
                process.kill()
                codes.append(process.wait())
        return codes

    def count_in_logs(self, *events: str) -> int:
        """Log lines of all processes that hold one of these."""
        return sum(
            any(event in line for event in events)
            for log in self._folder.glob("*.log")
            for line in log.read_text(errors="replace").splitlines()
        )


async def feed(kafka: str, topic: str, events: int, seconds: float) -> None:
    """Writes the events evenly over the time, through outages of the broker, each exactly once."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    started = time.monotonic()
    sent: list[Any] = []
    for number in range(events):
        data = orjson.dumps({"number": number, "padding": PADDING})
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(number).encode()),
            ("ce_source", b"/bench"),
            ("ce_type", Counted.type.encode()),
        ]
        sent.append(await producer.send(topic, data, key=f"k{number % KEYS}".encode(), headers=headers))
        if number % 200 == 0:
            await asyncio.sleep(max(0.0, started + number * seconds / events - time.monotonic()))
    await asyncio.gather(*sent)
    await producer.stop()


async def disturb(instances: Instances, infrastructure: Infrastructure, seconds: float, chance: random.Random) -> None:
    """Kills and stops instances until the time is over; kills MongoDB and Kafka once each, where they are ours."""
    outages: list[tuple[float, Any]] = []
    if infrastructure.mongodb is not None and infrastructure.kafka is not None:
        outages = [(seconds / 3, infrastructure.mongodb), (2 * seconds / 3, infrastructure.kafka)]
    started = time.monotonic()
    stopped: set[asyncio.Task[None]] = set()
    while time.monotonic() - started < seconds:
        await asyncio.sleep(chance.uniform(0.5, 3))
        if outages and time.monotonic() - started > outages[0][0]:
            server = outages.pop(0)[1]
            server.kill()
            await asyncio.sleep(OUTAGE_SECONDS)
            await asyncio.to_thread(server.start)
        elif chance.random() < 0.6:
            instances.kill_one()
        else:
            task = asyncio.create_task(instances.stop_one())
            stopped.add(task)
            task.add_done_callback(stopped.discard)
    await asyncio.gather(*stopped)


async def audit(kafka: str, topic: str, writer: dict[str, int]) -> tuple[int, int, int, int]:
    """Distinct events, repetitions, out of order per key, keys whose last record differs from the writer's state."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest")
    await consumer.start()
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer.assign(partitions)
    ends = await consumer.end_offsets(partitions)
    seen: collections.Counter[int] = collections.Counter()
    last: dict[str, Counted] = {}
    disordered = 0
    for partition in partitions:
        await consumer.seek_to_beginning(partition)
        while await consumer.position(partition) < ends[partition]:
            for records in (await consumer.getmany(partition, timeout_ms=500)).values():
                for record in records:
                    event = Counted.model_validate_json(record.value or b"")
                    key = (record.key or b"").decode()
                    seen[event.number] += 1
                    if key in last and not (last[key].number < event.number and last[key].count < event.count):
                        disordered += 1
                    last[key] = event
    await consumer.stop()
    differing = sum(1 for key, count in writer.items() if key not in last or last[key].count != count)
    return len(seen), sum(count - 1 for count in seen.values()), disordered, differing


async def wait_until(condition: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Whether the condition came true in time; a server that is away counts as not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if await condition():
                return True
        except (PyMongoError, KafkaError):
            continue
        finally:
            await asyncio.sleep(0.3)
    return False


async def run(infrastructure: Infrastructure, events: int, seconds: float, seed: int) -> dict[str, Any]:
    """One run; the figures of contracts.md."""
    chance = random.Random(seed)
    prefix = new_prefix()
    kafka, mongodb = infrastructure.addresses.kafka, infrastructure.addresses.mongodb
    own = {f"{name}.{kind}": 1 for name in "ab" for kind in ("dead-letters", "replays")}
    topics = {"in": PARTITIONS, "mid": PARTITIONS} | own
    await create_topics(kafka, {prefix + topic: count for topic, count in topics.items()})
    environment = {
        "TONGTU_KAFKA": kafka,
        "TONGTU_MONGODB": mongodb,
        "TONGTU_PREFIX": prefix,
        "TONGTU_SESSION_TIMEOUT": str(SESSION_SECONDS),
    }
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(mongodb)
    databases = {name: client[f"{prefix}tongtu-{name}".replace(".", "-")] for name in "ab"}

    def counts(name: str) -> dict[str, int]:
        return {document["_id"]: document["count"] for document in databases[name]["counts"].find()}

    async def done() -> bool:
        def both() -> bool:
            return all(sum(counts(name).values()) >= events for name in "ab") and not any(
                database["outbox"].count_documents({}) for database in databases.values()
            )

        return await asyncio.to_thread(both)

    with tempfile.TemporaryDirectory(prefix="tongtu-chaos-") as folder:
        instances = Instances(environment, Path(folder), chance)
        instances.start()
        started = time.monotonic()
        try:
            await asyncio.gather(
                feed(kafka, prefix + "in", events, seconds), disturb(instances, infrastructure, seconds, chance)
            )
            await wait_until(done, FINISH_SECONDS)
            elapsed = time.monotonic() - started
        finally:
            codes = instances.end()
        if "--keep-logs" in sys.argv:
            for log in sorted(Path(folder).glob("*.log")):
                Path(log.name).write_bytes(log.read_bytes())
        fenced = instances.count_in_logs(
            "former_owners_fenced", "partition_fenced", "ProducerFenced", "InvalidProducerEpoch"
        )
    first, second = counts("a"), counts("b")
    distinct, repeated, disordered, differing = await audit(kafka, prefix + "mid", first)
    per_key = collections.Counter(f"k{number % KEYS}" for number in range(events))
    wrong = sum(1 for key, count in per_key.items() if first.get(key) != count or second.get(key) != count)
    left = sum(database["outbox"].count_documents({}) for database in databases.values())
    for database in databases.values():
        client.drop_database(database)
    return {
        "events": events,
        "kills": instances.kills + instances.stops,
        "sigkills": instances.kills,
        "sigstops": instances.stops,
        "lost": events - distinct,
        "duplicated": repeated,
        "out_of_order": disordered,
        "counts_wrong": wrong,
        "last_records_wrong": differing,
        "fenced": fenced,
        "outbox_left": left,
        "unclean_exits": sum(code != 0 for code in codes),
        "seconds": round(elapsed, 1),
    }


def is_exact(figures: dict[str, Any]) -> bool:
    """Whether nothing was lost, done twice, out of order or left behind."""
    wrong = ("lost", "duplicated", "out_of_order", "counts_wrong", "last_records_wrong", "outbox_left")
    return all(figures[name] == 0 for name in wrong)


def main() -> int:
    """Command line; exit 1 where anything is not exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=75, help="how long events are fed and processes disturbed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep-logs", action="store_true", help="copy the processes' logs into this folder")
    parser.add_argument("--json", action="store_true", help="only the last line")
    arguments = parser.parse_args()
    with servers() as infrastructure:
        figures = uvloop.run(run(infrastructure, arguments.events, arguments.seconds, arguments.seed))
    report(figures)
    return 0 if is_exact(figures) else 1


if __name__ == "__main__":
    sys.exit(main())
