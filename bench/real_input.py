"""A folder of real records through `tongtu import` and all four services, undisturbed and once more under kills.

`python -m bench.real_input FOLDER [--most N] [--kills 8] [--seed 1] [--json]`

FOLDER holds demands.jsonl.gz and technologies.jsonl.gz with the fields id, title and text. After each run the latest
record of every key is compared, topic by topic: the kills (SIGKILL of the services by turns, from the first import
until all is done) must change nothing. Exit code 1 where they do; `different` says in how many keys. Left out is what a
seeker sorts a proposal by (`order`): it goes by how many other demands had the technology proposed when it was told.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import hashlib
import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import orjson
import psutil

from bench.setting import report
from bench.settling import settle
from bench.whole_platform import cpu_seconds, processes_of, whole_platform
from shared.contracts.events import Proposal, Side
from tongtu.embedded.infrastructure import to_standard_error
from tongtu.reading import Reader
from tongtu.supervision.platform import Platform
from tongtu.supervision.service_process import SERVICES
from tongtu.target import Target

SIDES = {"technology": ("sample-laboratory", "description"), "demand": ("sample-agency", "problem")}
"""Kind of record -> the member that submits it, and the field that its text becomes."""
FILES = {"technology": "technologies.jsonl.gz", "demand": "demands.jsonl.gz"}
MEMBERS = [member for member, _ in SIDES.values()]
COMPARED = ("technology.submitted", "demand.posted", "match.proposed", "risk.assessed")
INBOXES = [f"member.{member}.inbox" for member in MEMBERS]
SETTLE_SECONDS = 7200.0
KILL_EVERY = (5.0, 40.0)
"""Seconds from one kill to the next, at least and at most; killed instances wait for their session to end."""
_MB = 1024 * 1024


class Killing:
    """Kills a service now and then, by turns; the platform's supervisor starts it again."""

    def __init__(self, platform: Platform, most: int, seed: int) -> None:
        self._platform = platform
        self._most = most
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self.kills = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Kills for the duration of the block, until all kills are done."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        for service in itertools.islice(itertools.cycle(SERVICES), self._most):
            if self._over.wait(self._chance.uniform(*KILL_EVERY)):
                return
            pid = next(part.pid for part in self._platform.state.parts if part.name == service)
            if pid is not None and psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
                self.kills += 1
                to_standard_error(f"{service} was killed")


class Peaks(threading.Thread):
    """The largest resident set of each process, MB, looked at twice a second."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(daemon=True)
        self._platform = platform
        self.over = threading.Event()
        self.rss_mb: dict[str, int] = {}

    def run(self) -> None:
        """Until `over`."""
        while not self.over.wait(0.5):
            for part in list(self._platform.state.parts):
                try:
                    used = psutil.Process(part.pid).memory_info().rss // _MB if part.pid else 0
                except psutil.NoSuchProcess:
                    continue
                self.rss_mb[part.name] = max(used, self.rss_mb.get(part.name, 0))


def bring(target: Target, folder: Path, kind: str) -> str:
    """Imports one file as a member would; the command's last line."""
    member, text = SIDES[kind]
    command = [sys.executable, "-m", "tongtu", "import", str(folder / FILES[kind]), "--as", kind, "--member", member]
    done = subprocess.run(
        [*command, "--map", f"{text}=text"],
        env=os.environ | target.environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout.strip().rpartition("\n")[2]


async def end_of(target: Target) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    """By topic, how many keys stand at the end, and a digest of the latest record of each."""
    counts: dict[str, int] = {}
    ends: dict[str, dict[str, str]] = {}
    async with Reader(target) as reader:
        for topic in (*COMPARED, *INBOXES):
            state = await reader.state(topic)
            # What was told for a while and taken back depends on what came first.
            told = {key: event for key, event in state.items() if topic in COMPARED or event.type == Proposal.type}
            ends[topic] = {key: digest(event.type, event.data or b"null") for key, event in told.items()}
            counts[topic] = len(told)
        for service in SERVICES:
            counts[f"{service}.dead-letters"] = await reader.count(f"{service}.dead-letters")
    return counts, ends


def digest(type: str, data: bytes) -> str:
    """Of all that an event says but where a seeker is shown the proposal."""
    said = orjson.loads(data)
    if type == Proposal.type and said["side"] == Side.DEMAND:
        del said["order"]
    return hashlib.sha256(type.encode() + orjson.dumps(said)).hexdigest()


def run(folder: Path, kills: int, seed: int) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """One run on an empty platform: its figures, and what `end_of` found."""
    with whole_platform(MEMBERS) as platform:
        killing, peaks = Killing(platform, kills, seed), Peaks(platform)
        peaks.start()
        began = time.monotonic()
        with killing.running() if kills else nullcontext():
            imported = {kind: bring(platform.target, folder, kind) for kind in SIDES}
            answered = time.monotonic() - began
            asyncio.run(settle(platform.target, SETTLE_SECONDS, to_standard_error))
        # The last kill may have come when all was done: what it left must be taken over before the end is read.
        platform.wait_until_ready(to_standard_error, 120)
        asyncio.run(settle(platform.target, SETTLE_SECONDS))
        seconds = time.monotonic() - began
        peaks.over.set()
        used = {} if kills else {name: round(spent) for name, spent in cpu_seconds(processes_of(platform)).items()}
        counts, ends = asyncio.run(end_of(platform.target))
    figures = {
        "imported": imported,
        "imported_seconds": round(answered),
        "seconds": round(seconds),
        "kills": killing.kills,
        "cpu_seconds": used,
        "peak_rss_mb": peaks.rss_mb,
        "counts": counts,
    }
    return figures, ends


def differences(calm: Mapping[str, Mapping[str, str]], shaken: Mapping[str, Mapping[str, str]]) -> dict[str, int]:
    """Of each topic whose end is not the same, in how many keys it is not."""
    keys = {topic: len({key for key, _ in calm[topic].items() ^ shaken[topic].items()}) for topic in calm}
    return {topic: count for topic, count in keys.items() if count}


@contextmanager
def limited(folder: Path, most: int | None) -> Iterator[Path]:
    """The folder, or where there is a limit one with the first records of each file."""
    if most is None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as into:
        for name in FILES.values():
            with gzip.open(folder / name, "rb") as whole, gzip.open(Path(into) / name, "wb") as part:
                part.writelines(itertools.islice(whole, most))
        yield Path(into)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--most", type=int, help="only the first so many records of each file")
    parser.add_argument("--kills", type=int, default=8, help="of all services together, in the second run")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="only the last line")
    arguments = parser.parse_args()
    # Else each run would make a key of its own, and the ids of matches would differ.
    os.environ["TONGTU_MATCHING_SECRET"] = "the same match ids in both runs"  # noqa: S105 (keeps nothing secret here)
    with limited(arguments.folder, arguments.most) as folder:
        calm, ends = run(folder, 0, arguments.seed)
        if not arguments.kills:
            report({"calm": calm})
            return
        shaken, ends_after = run(folder, arguments.kills, arguments.seed)
    different = differences(ends, ends_after)
    report({"calm": calm, "shaken": shaken, "different": different})
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
