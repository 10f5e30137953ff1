"""SIGKILL between any two steps of processing, publishing, taking over, letting go: nothing is lost or done twice."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path

import psutil
import pytest

from shared.streaming.options import Options
from tests import ledger
from tests.core_worker import Kill, Worker
from tests.infrastructure import TestInfrastructure
from tests.platform import Platform, eventually

pytestmark = pytest.mark.usefixtures("transactions_of_the_dead_end_soon")

PARTITIONS = 2
EVENTS = 40
MOST_DEATHS = 6
"""Two before a partition is taken record by record, three with the record alone in hand, and one to spare."""

JOURNAL = "shared.streaming.journal:Journal"
TRANSACTION = "shared.streaming.transaction:Transaction"
UNIT_OF_WORK = "shared.streaming.unit_of_work:UnitOfWork"
PUBLISHER = "shared.streaming.publisher:Publisher"
TAKE_OVER = "shared.streaming.take_over:TakeOver"
PRODUCER = "aiokafka:AIOKafkaProducer"
COMMIT = "shared.streaming.transaction:_commit"

# After a step is before the next one, so each place is named once.
PROCESSING = [
    Kill(f"{UNIT_OF_WORK}.flush", "after"),
    Kill(f"{JOURNAL}.add", "after"),
    Kill(f"{JOURNAL}.advance", "after"),
    Kill(COMMIT, "after"),
]
PUBLISHING = [
    Kill(f"{PUBLISHER}.publish", "before"),
    Kill(f"{PRODUCER}.begin_transaction", "after"),
    Kill(f"{PRODUCER}.send_batch", "after"),
    Kill(f"{PRODUCER}.send_offsets_to_transaction", "after"),
    Kill(f"{PRODUCER}.commit_transaction", "after"),
    Kill(f"{JOURNAL}.delete", "after"),
]
TAKING_OVER_FOR_THE_FIRST_TIME = [
    Kill(f"{PUBLISHER}.renew", "after"),
    Kill(f"{JOURNAL}.take_over", "after"),
    Kill(f"{JOURNAL}.confirm", "after"),
]
TAKING_OVER = [
    Kill(f"{PUBLISHER}.renew", "after"),
    Kill(f"{JOURNAL}.take_over", "after"),
    Kill(f"{PUBLISHER}.fence", "after"),
    Kill(f"{JOURNAL}.own", "after"),
    Kill(f"{TAKE_OVER}._publish_left", "after"),
    Kill(f"{TAKE_OVER}._place", "after"),
    Kill(f"{JOURNAL}.confirm", "after"),
]
TAKING_OVER_WHAT_WAS_LEFT = [
    Kill(f"{PRODUCER}.begin_transaction", "after"),
    Kill(f"{PRODUCER}.send_batch", "after"),
    Kill(f"{PRODUCER}.send_offsets_to_transaction", "after"),
    Kill(f"{PRODUCER}.commit_transaction", "after"),
    Kill(f"{JOURNAL}.delete", "after"),
]
FIRING = [
    Kill(f"{PUBLISHER}.publish", "before"),
    Kill(f"{PRODUCER}.send_batch", "after"),
    Kill(f"{JOURNAL}.delete", "before"),
    Kill(f"{JOURNAL}.delete", "after"),
]
DELETING = [Kill(f"{JOURNAL}.delete", "before"), Kill(f"{JOURNAL}.delete", "after")]
LETTING_GO = [Kill(f"{JOURNAL}.release", "before"), Kill(f"{JOURNAL}.release", "after")]

LEFT_UNPUBLISHED = Kill(f"{PUBLISHER}.publish", "before")
LEFT_OPEN = Kill(f"{PRODUCER}.send_offsets_to_transaction", "after")
LEFT_IN_THE_LOG = Kill(f"{JOURNAL}.delete", "before")


class Case:
    """A platform, an instance after the other on it, and the same question at the end of each life."""

    def __init__(self, infra: TestInfrastructure, folder: Path, timers: bool = False) -> None:
        self.platform = Platform(infra.kafka, infra.mongodb)
        self.folder = folder
        self.timers = timers
        self.fed = 0

    def start(self, kill: Kill | None = None) -> BaseProcess:
        log = self.folder / f"{self.platform.prefix}log"
        platform = self.platform
        where = (platform.kafka, platform.mongodb, platform.prefix, log)
        options = Options(tick_seconds=0.1)
        return Worker(*where, PARTITIONS, kill, timers=self.timers, options=options).start()

    async def feed(self) -> None:
        await self.platform.produce("in", ledger.entries(range(self.fed, self.fed + EVENTS)))
        self.fed += EVENTS

    async def dies(self, process: BaseProcess) -> None:
        async def dead() -> bool:
            return process.exitcode is not None

        await eventually(dead, what="the end of the process")
        assert process.exitcode == -signal.SIGKILL

    async def all_is_well(self) -> None:
        """A fresh instance brings everything to its end: each event once, in order, nothing waiting."""
        process = self.start()
        try:
            await ledger.handled(self.platform, range(self.fed))
            await ledger.passed_on(self.platform, range(self.fed))
            await ledger.nothing_waits(self.platform)
        finally:
            process.terminate()
            await asyncio.to_thread(process.join, 30)
            process.kill()
        assert process.exitcode == 0

    async def killed(self, *kills: Kill) -> None:
        """One life after the other, each ended at its place."""
        await ledger.create_topics(self.platform, PARTITIONS)
        await self.feed()
        for kill in kills:
            await self.dies(self.start(kill))
            await self.feed()
        await self.all_is_well()
        self.platform.close()

    async def stopped(self, place: Kill) -> None:
        """Stopped at its place until another instance has done everything, then woken."""
        await ledger.create_topics(self.platform, PARTITIONS)
        await self.feed()
        zombie = self.start(replace(place, signal=signal.SIGSTOP))
        try:
            assert zombie.pid is not None
            process = psutil.Process(zombie.pid)

            async def is_stopped() -> bool:
                return process.status() == psutil.STATUS_STOPPED

            await eventually(is_stopped, what="the zombie at its place")
            await self.feed()
            heir = self.start()
            try:
                await ledger.handled(self.platform, range(self.fed))
                await ledger.passed_on(self.platform, range(self.fed))
                process.resume()
                await self.feed()
                await ledger.handled(self.platform, range(self.fed))
                await ledger.passed_on(self.platform, range(self.fed))
                await ledger.nothing_waits(self.platform)
            finally:
                heir.kill()
                heir.join()
        finally:
            zombie.kill()
            zombie.join()
        await self.feed()
        await self.all_is_well()
        self.platform.close()

    async def killed_at_its_end(self, kill: Kill) -> None:
        """Told to stop, and killed while it lets go."""
        await ledger.create_topics(self.platform, PARTITIONS)
        await self.feed()
        process = self.start(kill)
        await ledger.handled(self.platform, range(self.fed))
        process.terminate()
        await self.dies(process)
        await self.feed()
        await self.all_is_well()
        self.platform.close()


async def _all(cases: Iterable[tuple[str, asyncio.Task[None]]]) -> None:
    """Side by side, because most of each is waiting for the group to notice a death."""
    named = list(cases)
    results = await asyncio.gather(*(task for _, task in named), return_exceptions=True)
    failed = {name: repr(result) for (name, _), result in zip(named, results, strict=True) if result is not None}
    assert not failed


FIRST_LIVES = [(kill,) for kill in (*PROCESSING, *PUBLISHING, *TAKING_OVER_FOR_THE_FIRST_TIME)]
SECOND_LIVES = [
    *((LEFT_UNPUBLISHED, kill) for kill in TAKING_OVER),
    *((LEFT_OPEN, kill) for kill in TAKING_OVER_WHAT_WAS_LEFT),
    *((LEFT_IN_THE_LOG, kill) for kill in DELETING),
]


@pytest.mark.parametrize(
    "lives",
    [FIRST_LIVES, SECOND_LIVES],
    ids=["processing, publishing and taking over", "taking over what a killed process left"],
)
async def test_killed_between_any_two_steps_of(
    infra: TestInfrastructure, tmp_path: Path, lives: list[tuple[Kill, ...]]
) -> None:
    await _all([(str(life[-1]), asyncio.create_task(Case(infra, tmp_path).killed(*life))) for life in lives])


async def test_timers_fire_once_though_the_process_is_killed(infra: TestInfrastructure, tmp_path: Path) -> None:
    """Their steps move no offset, so that only the sequence tells what is in the log."""
    cases = [(str(kill), Case(infra, tmp_path, timers=True).killed(kill)) for kill in FIRING]
    await _all([(name, asyncio.create_task(case)) for name, case in cases])


async def test_killed_while_letting_go(infra: TestInfrastructure, tmp_path: Path) -> None:
    cases = [(str(kill), Case(infra, tmp_path).killed_at_its_end(kill)) for kill in LETTING_GO]
    await _all([(name, asyncio.create_task(case)) for name, case in cases])


async def test_a_zombie_is_fenced_wherever_it_wakes_up(infra: TestInfrastructure, tmp_path: Path) -> None:
    places = [*PROCESSING, *PUBLISHING]
    await _all([(str(place), asyncio.create_task(Case(infra, tmp_path).stopped(place))) for place in places])


async def test_more_messages_than_one_document_holds_are_published_whole_after_a_kill(
    infra: TestInfrastructure, tmp_path: Path
) -> None:
    case = Case(infra, tmp_path)
    await ledger.create_topics(case.platform, PARTITIONS)
    case.fed = 300
    padded = [ledger.entry(n, "k", padding="x" * 60_000) for n in range(case.fed)]
    await case.platform.produce("in", padded, compression_type="gzip")
    await case.dies(case.start(LEFT_UNPUBLISHED))
    left = list(case.platform.database(ledger.SERVICE)["outbox"].find())
    assert len(left) > 1
    assert len({(document["position"], document["sequence"]) for document in left}) == 1
    await case.all_is_well()
    case.platform.close()


async def test_a_record_that_kills_the_process_becomes_a_dead_letter(infra: TestInfrastructure, tmp_path: Path) -> None:
    case = Case(infra, tmp_path)
    await ledger.create_topics(case.platform, PARTITIONS)
    killer, total = 17, 40
    records = [ledger.entry(n, f"k{n % 7}", "kill" if n == killer else "") for n in range(total)]
    await case.platform.produce("in", records)
    good = [number for number in range(total) if number != killer]
    process = case.start()
    deaths = 0

    async def through_or_dead() -> bool:
        return process.exitcode is not None or set(good) <= ledger.seen(case.platform).keys()

    try:
        while True:
            await eventually(through_or_dead)
            if process.exitcode is None:
                break
            assert process.exitcode == -signal.SIGKILL
            deaths += 1
            assert deaths <= MOST_DEATHS
            process = case.start()
        await ledger.handled(case.platform, good)
        await ledger.passed_on(case.platform, good)
        (record,) = await case.platform.read_until(ledger.DEAD_LETTERS, 1)
    finally:
        process.kill()
        process.join()
    letter = ledger.letter_of(record)
    assert letter.error == "Crash"
    assert letter.original.value_bytes == records[killer][1]
    case.platform.close()
