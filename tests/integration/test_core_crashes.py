"""A record that kills the process is set aside after some deaths, and everything else arrives exactly once."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from shared.contracts.dead_letter import DeadLetter
from tests import ledger
from tests.core_worker import Worker
from tests.platform import Platform

MOST_DEATHS = 6
"""Two before the partition is taken record by record, three with the record alone in hand, and one to spare."""


async def test_a_record_that_kills_the_process_becomes_a_dead_letter(platform: Platform, tmp_path: Path) -> None:
    await ledger.create_topics(platform, partitions=2)
    killer, total = 17, 40
    await platform.produce("in", [ledger.entry(n, f"k{n % 7}", "kill" if n == killer else "") for n in range(total)])
    good = [number for number in range(total) if number != killer]
    worker = Worker(platform.kafka, platform.mongodb, platform.prefix, tmp_path / "log", partitions=2)
    deaths = 0
    process = worker.start()
    try:
        while True:
            try:
                await ledger.handled(platform, good, 4)
                break
            except AssertionError:
                if process.exitcode is None:
                    continue
            assert process.exitcode == -signal.SIGKILL
            deaths += 1
            assert deaths <= MOST_DEATHS
            process = worker.start()
        await ledger.passed_on(platform, good)
        (record,) = await platform.read_until(ledger.DEAD_LETTERS, 1)
        letter = DeadLetter.model_validate_json(record.value)
        assert letter.error == "Crash"
        assert letter.original.value_bytes == ledger.entry(killer, order="kill")[1]
        await ledger.nothing_waits(platform)
    finally:
        process.terminate()
        await asyncio.to_thread(process.join, 10)
        process.kill()
    assert process.exitcode == 0
