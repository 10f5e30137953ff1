"""What the platform costs while nothing happens: CPU and memory of each process.

`python -m bench.idle [--seconds 30] [--json]`

Twelve members are registered and nobody says anything. CPU is in percent of one core, memory is the resident set.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping
from typing import Any

import psutil

from bench.setting import report
from bench.settling import settle
from bench.whole_platform import cpu_percent, cpu_seconds, processes_of, whole_platform

MEMBERS = 12
SETTLE_SECONDS = 60.0
CALM_SECONDS = 10.0
"""Between the last work and the measurement: compilers and garbage collectors finish what they began."""
_MB = 1024 * 1024


def measure(processes: Mapping[str, psutil.Process], seconds: float) -> dict[str, Any]:
    """CPU (percent of a core, mean over the time) and memory (MB, at its end), in sum and by name."""
    before, began = cpu_seconds(processes), time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    cpu = cpu_percent(before, cpu_seconds(processes), elapsed)
    memory = {name: round(process.memory_info().rss / _MB) for name, process in processes.items()}
    return {
        "seconds": round(elapsed, 1),
        "cpu_percent": round(sum(cpu.values()), 1),
        "rss_mb": sum(memory.values()),
        "cpu_percent_of": cpu,
        "rss_mb_of": memory,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="how long it is watched")
    parser.add_argument("--json", action="store_true", help="only the last line")
    arguments = parser.parse_args()
    with whole_platform([f"sample-{number:02}" for number in range(MEMBERS)]) as platform:
        asyncio.run(settle(platform.target, SETTLE_SECONDS))
        time.sleep(CALM_SECONDS)
        figures = measure(processes_of(platform), arguments.seconds)
    report(figures)


if __name__ == "__main__":
    main()
