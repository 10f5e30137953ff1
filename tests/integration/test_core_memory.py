"""What members send cannot fill the memory: bombs, and many records that unfold to just what is allowed."""

from __future__ import annotations

from pathlib import Path

import cramjam
import psutil
import pytest

from tests import hostile_records, ledger, raw_batches
from tests.core_worker import Worker
from tests.hostile_records import ENVELOPE
from tests.platform import Platform, eventually

MEGABYTE = 1024 * 1024


@pytest.mark.parametrize("name", ["bombs", "large records", "tiny records"])
async def test_memory_stays_flat(platform: Platform, tmp_path: Path, name: str) -> None:
    batches, records = {"bombs": bombs, "large records": large_records, "tiny records": tiny_records}[name]()
    await ledger.create_topics(platform)
    sizes = platform.database(ledger.SERVICE)["sizes"]
    process = Worker(platform.kafka, platform.mongodb, platform.prefix, tmp_path / "log", raw=True).start()
    try:
        await platform.produce("in", [ledger.entry(0)])

        async def first() -> bool:
            return sizes.count_documents({}) == 1

        await eventually(first)
        assert process.pid is not None
        before = psutil.Process(process.pid).memory_info().rss
        for data in batches:
            await raw_batches.produce(platform.kafka, platform.prefix + "in", data)
        await platform.produce("in", [ledger.entry(1)])
        expected = records + 2

        async def all_came() -> bool:
            return sizes.count_documents({}) >= expected

        await eventually(all_came, 60, f"{expected} records")
        assert sizes.count_documents({}) == sizes.count_documents({"times": 1}) == expected
        peak = _peak(process.pid)
        assert peak - before < 200 * MEGABYTE, (
            f"{before / MEGABYTE:.0f} MB before, {peak / MEGABYTE:.0f} MB at the peak"
        )
    finally:
        process.kill()
        process.join()


def bombs() -> tuple[list[bytes], int]:
    """One for each codec."""
    batches = hostile_records.bombs()
    return batches, len(batches)


def large_records() -> tuple[list[bytes], int]:
    """20 KB a batch that are 20 records of almost 1 MiB: 600 of them."""
    payload = raw_batches.body([(b"k", b" " * (MEGABYTE - 100), ENVELOPE)] * 20)
    batch = raw_batches.batch(bytes(cramjam.zstd.compress(payload)), 20, raw_batches.ZSTD)
    return [batch] * 30, 600


def tiny_records() -> tuple[list[bytes], int]:
    """300,000 records in one batch, one of which cannot be read by aiokafka: taken as one."""
    payload = raw_batches.body([(b"k", b"", [(b"\xff", b"")])] + [(None, None, [])] * 300_000)
    return [raw_batches.batch(bytes(cramjam.zstd.compress(payload)), 300_001, raw_batches.ZSTD)], 1


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")
