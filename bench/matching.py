"""Matching at a million records: `python -m bench.matching [--technologies N --demands N --events N --json]`.

One shard with invented records (bench.invented_rows), no Kafka and no MongoDB: what an event costs from the decoded
work record to the shortlists that it changes, second stage included. Milliseconds on the clock and, because the machine
may be busy with other things, of processor time (p50_ms, p99_ms: on the clock, of the slower kind of event). Then a
snapshot, a restart from it in a new process, and the same stream through 1, 2 and 4 shards, each a process: every
technology goes to every shard, each demand to one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from bench.invented_rows import Invented
from services.matching.embedding import ENCODER
from services.matching.keeping import Keeper
from services.matching.outcomes import Rule
from services.matching.ranking import logit
from services.matching.settings import MatchingSettings
from services.matching.shard import Change, Shard, profile_of
from services.matching.snapshots import Origin, Snapshots
from services.matching.statistics import Model
from services.matching.work import WorkRecord
from shared.contracts.events import Side

SEARCHED_FOR_FLOORS = 200
"""Demands that are searched at the start; all others get a floor of one of these, because searching 100,000 would take
half an hour."""
TECHNOLOGIES_PER_DEMAND = 10
"""In the stream through several shards."""
SHARDS = (1, 2, 4)
_FIELDS = MatchingSettings.model_fields
RULE = Rule(_FIELDS["most"].default, logit(_FIELDS["threshold"].default))


def main() -> None:
    """Prints the figures, one a line, and as the last line one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.matching", description=__doc__)
    parser.add_argument("--technologies", type=int, default=1_000_000)
    parser.add_argument("--demands", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=300, help="of each kind")
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    asked = parser.parse_args()
    threadpool_limits(1)
    figures: dict[str, Any] = {}
    for found in measure(asked.technologies, asked.demands, asked.events):
        figures |= found
        if not asked.json:
            for name, value in found.items():
                print(f"{name:>40}  {value}", flush=True)
    print(json.dumps(figures))


def measure(technologies: int, demands: int, events: int) -> Iterator[dict[str, Any]]:
    """All figures, as they are found."""
    yield {"technologies": technologies, "demands": demands, "cores": os.cpu_count()}
    started = time.perf_counter()
    invented = Invented()
    model = invented.model()
    shard = Shard(model)
    shard.restore(
        1,
        {
            side.value: {"index": invented.index(side, count, model), "gone": []}
            for side, count in ((Side.TECHNOLOGY, technologies), (Side.DEMAND, demands))
        },
    )
    set_floors(shard, invented, model)
    yield {"seconds_to_make": round(time.perf_counter() - started, 1)}
    events_found: dict[str, float] = {}
    for side in Side:
        first, *records = invented.records(side, events + 1, technologies + demands)
        handle(shard, [first])
        found = quantiles(f"{side.value}_event", records, lambda record: handle(shard, [record]))
        events_found |= found
        yield found
        yield quantiles(f"{side.value}_analysed", records, lambda record: profile_of(record, model))
    for share in (50, 99):
        yield {f"p{share}_ms": max(events_found[f"{side.value}_event_clock_p{share}_ms"] for side in Side)}
    yield {"rss_mb": memory(), "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}
    yield snapshots(shard)
    found_by_shards = {count: throughput(shard, invented, model, count, events) for count in SHARDS}
    yield {
        "per_shards": {count: rate for count, (rate, _) in found_by_shards.items()},
        "processor_ms_per_event": {count: cost for count, (_, cost) in found_by_shards.items()},
    }
    yield exactness(shard, invented, model, min(events, 20))


def set_floors(shard: Shard, invented: Invented, model: Model) -> None:
    """Gives every demand a full list's floor, as after a long life."""
    records = list(invented.records(Side.DEMAND, SEARCHED_FOR_FLOORS, 0))
    best = shard.best_for([profile_of(record, model) for record in records], RULE.most, RULE.least)
    found = [RULE.floor(tuple(entry for entry in entries if entry.logit >= RULE.least)) for entries in best]
    chance = np.random.default_rng(2)
    for demand in shard.versions.of(Side.DEMAND):
        shard.demands.set_floor(demand, found[chance.integers(len(found))])


def handle(shard: Shard, records: Sequence[WorkRecord]) -> None:
    """What the match stage computes for a poll, between reading and writing its state."""
    changes = shard.newer(Change(record.subject, record.party.version, record) for record in records)
    shard.apply(changes.values())
    outcomes = RULE.outcomes(shard, changes, RULE.newcomers(shard, changes), {})
    shard.confirm(shard.number + 1, {each.demand: RULE.floor(each.entries) for each in outcomes if each.is_changed})


def quantiles(name: str, records: Iterable[WorkRecord], work: Callable[[WorkRecord], object]) -> dict[str, float]:
    """Milliseconds for one record, median and 99 of 100, on the clock and of the processor."""
    clock: list[float] = []
    processor: list[float] = []
    for record in records:
        at, used = time.perf_counter(), time.thread_time()
        work(record)
        clock.append(1000 * (time.perf_counter() - at))
        processor.append(1000 * (time.thread_time() - used))
    return {
        f"{name}_{kind}_p{share}_ms": round(float(np.percentile(values, share)), 2)
        for kind, values in (("clock", clock), ("processor", processor))
        for share in (50, 99)
    }


def exactness(shard: Shard, invented: Invented, model: Model, count: int) -> dict[str, float]:
    """Of new demands: the proposals that scoring every pair gives too, and the nearest 50 vectors found."""
    equal, proposed, near, wanted = 0, 0, 0, 0
    for record in invented.records(Side.DEMAND, count, 0):
        asked = profile_of(record, model)
        (column,) = shard.technologies.columns([asked])
        ids = np.array(list(shard.versions.of(Side.TECHNOLOGY)))
        best = np.lexsort((ids, -column))[: RULE.most]
        exact = {(ids[row], column[row]) for row in best.tolist()}
        found = {(entry.technology, entry.logit) for entry in shard.best_for([asked], RULE.most)[0]}
        equal, proposed = equal + len(exact & found), proposed + len(exact)
        for measured, vectors in shard.technologies.nearness(asked):
            cosines = np.concatenate([plain_cosines(part, asked.vector) for part in np.array_split(vectors, 64)])
            nearest = set(np.argsort(-cosines)[:50].tolist())
            near += len(nearest & set(np.argsort(-measured)[:50].tolist()))
            wanted += len(nearest)
    return {"proposals_equal_to_exact": equal / proposed, "recall_at_50": round(near / wanted, 4)}


def plain_cosines(vectors: npt.NDArray[np.int8], vector: npt.NDArray[np.int8]) -> npt.NDArray[np.float32]:
    """By numpy's own matrix product; the length of the one vector is left out."""
    numbers = vectors.astype(np.float32)
    return numbers @ vector.astype(np.float32) / np.linalg.norm(numbers, axis=1)


def snapshots(shard: Shard) -> dict[str, float]:
    """Size, time to write, and time from the start of a new process to the first answer of a shard read from it."""
    origin = Origin("bench", "bench", ENCODER, 0)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        content = shard.arrays()
        held_up = time.perf_counter() - started
        Snapshots(Path(folder)).write(origin, shard.number, content)
        written = time.perf_counter() - started
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        del content
        demand = next(iter(shard.versions.of(Side.DEMAND)))
        used = processor_seconds_of_children()
        started = time.perf_counter()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=restart, args=(folder, origin, shard.number, demand))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit("the restart from the snapshot failed")
        restarted = time.perf_counter() - started
    return {
        "snapshot_mb": round(size / 1e6),
        "snapshot_written_seconds": round(written, 1),
        "snapshot_holds_up_ms": round(1000 * held_up, 1),
        "restart_s": round(restarted, 1),
        "restart_processor_seconds": round(processor_seconds_of_children() - used, 1),
    }


def processor_seconds_of_children() -> float:
    """What processes that were started and have ended have used."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def restart(folder: str, origin: Origin, number: int, demand: str) -> None:
    """In a new process: reads the shard back and searches once on each side."""
    shard = Shard(Model.load())
    Keeper(Snapshots(Path(folder))).restore(origin, shard, number)
    asked = shard.demands.get(demand)
    if asked is None:
        raise SystemExit(1)
    (best,) = shard.best_for([asked], 1)
    offered = shard.technologies.get(best[0].technology)
    if offered is None or not shard.entries_for([offered], -50, ()):
        raise SystemExit(1)


def throughput(shard: Shard, invented: Invented, model: Model, count: int, technologies: int) -> tuple[float, float]:
    """One stream that `count` shards work through at once: events a second, and the processor time of all shards
    together for one event, in milliseconds."""
    start = 10_000_000 * count
    # The first and the last are for every shard to get going with.
    stream = [
        *invented.records(Side.TECHNOLOGY, technologies + 1, start),
        *invented.records(Side.DEMAND, max(technologies // TECHNOLOGIES_PER_DEMAND, 1) + 1, start),
    ]
    events = len(stream) - 2
    context = multiprocessing.get_context("fork")
    start_of, end_of = context.Barrier(count + 1), context.Barrier(count + 1)
    used = context.Array("d", count)
    # Forked, so that all shards share the memory of the technologies that they have in common.
    processes = [
        context.Process(target=run_shard, args=(shard, model, stream, number, count, start_of, end_of, used))
        for number in range(count)
    ]
    for process in processes:
        process.start()
    start_of.wait()
    started = time.perf_counter()
    end_of.wait()
    seconds = time.perf_counter() - started
    for process in processes:
        process.join()
    return round(events / seconds, 1), round(1000 * sum(used[:]) / events, 2)


def run_shard(
    shard: Shard, model: Model, stream: list[WorkRecord], number: int, count: int, start_of: Any, end_of: Any, used: Any
) -> None:
    """One of `count` shards: forgets the demands of the others, then takes its part of the stream."""
    for demand in list(shard.versions.of(Side.DEMAND)):
        if zlib.crc32(demand.encode()) % count != number:
            shard.demands.remove(demand)
    # At the first of each kind the demands that are left are inverted anew, and pages shared with other shards copied.
    handle(shard, [stream[0]])
    handle(shard, [stream[-1]])
    start_of.wait()
    before = time.process_time()
    for record in stream[1:-1]:
        if number in record.subject.shards(count):
            handle(shard, [record])
    used[number] = time.process_time() - before
    end_of.wait()


def memory() -> int:
    """Megabytes that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 1_000_000


if __name__ == "__main__":
    main()
