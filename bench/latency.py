"""How long a member's message takes to become a proposal, with its risk, in the other member's inbox.

`python -m bench.latency [--records 20000] [--rate 20] [--seconds 30] [--language en] [--json]`

Half technologies and half demands of invented text go in through the members' outboxes. When nothing is under way any
more, so many messages a second follow, technologies and demands by turns, each with a standing counterpart of another
member. Measured is from the member's call to produce to the message in this process, in a consumer of the other's
inbox with isolation.level=read_committed. Every hop is told apart: `work` ends where the event gets its time (before
the commits), `way` where it can be read by the next.

A record has a standing counterpart and, in English, hardly anything in common with the others, so that a submission
leads to one proposal (`proposals` says how many; Chinese terms share characters, and ten more pass the threshold).
`missing` counts counterparts that were not proposed. English is the default because it costs more: an English text is
embedded twice.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import psutil
import uvloop
from aiokafka import AIOKafkaProducer

from bench.hops import STAGES, Submission, Watch
from bench.invented_records import Kind, Language, Subject, record, subjects
from bench.setting import report
from bench.settling import settle
from bench.whole_platform import cpu_percent, cpu_seconds, processes_of, whole_platform
from tongtu.embedded.infrastructure import to_standard_error
from tongtu.supervision.platform import Platform
from tongtu.target import Target
from tongtu.writing import Writer, event_headers

MEMBERS = [f"sample-{number:02}" for number in range(40)]
TYPES: dict[Kind, str] = {"technology": "tongtu.technology.submitted.v1", "demand": "tongtu.demand.posted.v1"}
OTHER: dict[Kind, Kind] = {"technology": "demand", "demand": "technology"}
LOAD_SECONDS = 7200.0
LATE_SECONDS = 30.0
"""What has not come so long after the last submission is missing."""
WARM_UP = 20
"""Submissions before those that count."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A record that is there before."""

    kind: Kind
    member: str
    id: str
    subject: Subject


async def load(target: Target, count: int, language: Language, chance: random.Random) -> list[Standing]:
    """Has so many records submitted; returns when nothing is under way any more."""
    standing: list[Standing] = []
    about = subjects(language, chance)
    async with Writer(target) as writer:
        for number in range(count):
            kind: Kind = "technology" if number % 2 else "demand"
            member = chance.choice(MEMBERS)
            each = Standing(kind, member, f"{member}/{kind}-{number}", next(about))
            value = orjson.dumps(record(kind, each.id, each.subject, chance))
            headers = event_headers(TYPES[kind], f"/members/{member}", subject=each.id)
            await writer.send(f"member.{member}.outbox", each.id, value, headers)
            standing.append(each)
    await settle(target, LOAD_SECONDS, to_standard_error)
    return standing


async def submit(
    target: Target, watch: Watch, partners: Sequence[Standing], rate: float, chance: random.Random
) -> list[Submission]:
    """Submits a counterpart of each partner, evenly over the time; returns when all are in the log."""
    producer = AIOKafkaProducer(bootstrap_servers=target.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    submissions: list[Submission] = []
    sent: list[asyncio.Future[Any]] = []
    began = time.monotonic()
    for number, partner in enumerate(partners):
        kind = OTHER[partner.kind]
        member = chance.choice([each for each in MEMBERS if each != partner.member])
        id = f"{member}/new-{partner.kind}-{number}"
        draft = record(kind, id, partner.subject, chance)
        each = Submission(kind, id, partner.id, draft["title"])
        value = orjson.dumps(draft)
        headers = event_headers(TYPES[kind], f"/members/{member}", subject=each.id)
        watch.expect(each)
        await asyncio.sleep(began + number / rate - time.monotonic())
        each.produced = time.time()
        topic = target.topic(f"member.{member}.outbox")
        sent.append(await producer.send(topic, value, key=each.id.encode(), headers=headers))
        submissions.append(each)
    await asyncio.gather(*sent)
    await producer.stop()
    return submissions


async def measure(
    platform: Platform, records: int, rate: float, seconds: float, language: Language, seed: int
) -> dict[str, Any]:
    """The figures of contracts.md, and where the time goes."""
    target, processes = platform.target, processes_of(platform) | {"this": psutil.Process()}
    chance = random.Random(seed)
    began = time.monotonic()
    standing = await load(target, records, language, chance)
    loaded, load_cpu = time.monotonic() - began, cpu_seconds(processes)
    to_standard_error(f"{records} records after {loaded:.0f} s")
    count = WARM_UP + round(rate * seconds)
    if count > records:
        raise SystemExit(f"--records must be at least {count}: each submission needs a counterpart of its own")
    partners = chance.sample(standing, count)
    async with Watch(target, MEMBERS) as watch:
        before, submitting = cpu_seconds(processes), time.monotonic()
        submissions = await submit(target, watch, partners, rate, chance)
        began_waiting = time.monotonic()
        while any("told" not in each.seen for each in submissions):
            if time.monotonic() - began_waiting > LATE_SECONDS:
                break
            await asyncio.sleep(0.1)
        cpu = cpu_percent(before, cpu_seconds(processes), time.monotonic() - submitting)
        events = dict(watch.read)
    counted = submissions[WARM_UP:]
    arrived = [each for each in counted if "told" in each.seen]
    for each in counted:
        if "told" not in each.seen:
            to_standard_error(f"missing: {each.partner} was not told of {each.id}, which came to {[*each.seen]}")
    if not arrived:
        raise SystemExit("nothing arrived: see the services' logs")
    p50, p99 = milliseconds([each.seen["told"] - each.produced for each in arrived])
    return {
        "records": records,
        "rate": rate,
        "language": language,
        "p50_ms": p50,
        "p99_ms": p99,
        "submissions": len(counted),
        "missing": len(counted) - len(arrived),
        "hops": hops(arrived),
        "proposals": round(events["proposed"] / len(submissions), 2),
        "cpu_percent": cpu,
        "load_seconds": round(loaded, 1),
        "load_cpu_seconds": {name: round(used, 1) for name, used in load_cpu.items()},
    }


def hops(submissions: Sequence[Submission]) -> dict[str, dict[str, tuple[float, float]]]:
    """By stage, (p50, p99) in ms of its work (reading included) and of its commits and the way to the next reader."""
    found: dict[str, dict[str, tuple[float, float]]] = {}
    whole = [each for each in submissions if len(each.seen) == len(STAGES)]
    before = [each.produced for each in whole]
    for stage in STAGES:
        made, seen = [each.made[stage] for each in whole], [each.seen[stage] for each in whole]
        found[stage] = {
            "work": milliseconds([m - b for m, b in zip(made, before, strict=True)]),
            "way": milliseconds([s - m for s, m in zip(seen, made, strict=True)]),
        }
        before = seen
    return found


def milliseconds(seconds: Sequence[float]) -> tuple[float, float]:
    """Median and 99th percentile."""
    p50, p99 = np.percentile(np.array(seconds) * 1000, [50, 99])
    return round(float(p50), 1), round(float(p99), 1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000, help="how many stand before")
    parser.add_argument("--rate", type=float, default=20, help="submissions a second")
    parser.add_argument("--seconds", type=float, default=30, help="how long they go on")
    parser.add_argument("--language", choices=("en", "zh"), default="en", help="of the records")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="only the last line")
    arguments = parser.parse_args()
    with whole_platform(MEMBERS) as platform:
        given = (arguments.records, arguments.rate, arguments.seconds, arguments.language, arguments.seed)
        figures = uvloop.run(measure(platform, *given))
    report(figures)


if __name__ == "__main__":
    main()
