"""Runs the demonstration: starts what is needed, registers, submits, watches the inboxes, compares, clears up."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient

from tongtu.demonstration import scenario, view
from tongtu.demonstration.expectations import Comparison, Expectations, with_introduction
from tongtu.demonstration.introduction import chosen, introduce
from tongtu.demonstration.observed import Observed
from tongtu.embedded.lock import is_in_use
from tongtu.group_positions import group_positions, mongodb
from tongtu.output import note, say
from tongtu.reading import Reader
from tongtu.supervision.platform import platform
from tongtu.supervision.state import is_running
from tongtu.target import Target

_READY_SECONDS = 180.0
_SILENCE_SECONDS = 60.0
"""When nothing comes for so long, the rest is not waited for."""
_QUIET_SECONDS = 30.0
"""How long the services may take to finish once everything expected is there."""
_LOOK_SECONDS = 0.5


def demonstrate(home: Path, against: Target | None) -> bool:
    """True if everything came that the catalogue expects, and nothing that it rules out."""
    if against is not None:
        asyncio.run(scenario.register(against))
        return asyncio.run(_submit_and_watch(against))
    home = home / "demo"
    with _own_platform(home) as target:
        succeeded = asyncio.run(_submit_and_watch(target))
    if succeeded:
        shutil.rmtree(home, ignore_errors=True)
    else:
        note(f"the logs stay in {home / 'logs'}")
    return succeeded


@contextmanager
def _own_platform(home: Path) -> Generator[Target]:
    """A platform of the demonstration's own: with empty servers, or behind a prefix on those of the environment."""
    given = [name for name in ("TONGTU_KAFKA", "TONGTU_MONGODB") if os.environ.get(name)]
    prefix = f"demo-{uuid.uuid4().hex[:8]}." if given else ""
    if not (is_in_use(home) or is_running(home)):
        shutil.rmtree(home, ignore_errors=True)
    began = time.monotonic()
    with platform(
        home,
        prefix=prefix,
        tell=note,
        before_services=lambda target: asyncio.run(scenario.register(target)),
    ) as started:
        started.wait_until_ready(note, _READY_SECONDS)
        note(f"the platform runs after {time.monotonic() - began:.1f} s; logs in {started.logs}")
        yield started.target
        target = started.target
    if prefix:
        asyncio.run(_clear(target))


async def _submit_and_watch(target: Target) -> bool:
    submitted, malformed = scenario.submissions(), scenario.malformed()
    members = scenario.organisations()
    say(
        f"{len(members)} 家成员 members: {len(submitted)} 条成果与需求 technologies and demands, "
        f"{scenario.kinds_of_malformed()} 种错误消息 kinds of malformed messages"
    )
    expectations = Expectations(submitted)
    observed = Observed()
    inboxes = [f"member.{member.id}.inbox" for member in members]
    async with Reader(target) as reader:
        ends = await reader.ends(inboxes)
        began = time.monotonic()
        await scenario.send(target, [*submitted, *malformed])
        say(f"{len(submitted) + len(malformed)} messages in the log after {time.monotonic() - began:.1f} s")
        say()
        comparison = await _watch(reader, target, inboxes, ends, observed, expectations, began)
        view.show_matches(observed)
        view.show_example(observed)
        pair = chosen(observed)
        told = await introduce(reader, target, observed, pair) if pair is not None else {}
        seconds = time.monotonic() - began
    if pair is not None:
        view.show_introduction(pair, told)
    comparison = with_introduction(comparison, told)
    view.show_comparison(comparison)
    say()
    if comparison.is_as_expected:
        say(f"如期完成 everything came as expected, {seconds:.1f} s after the first message", "green")
    else:
        say("不符合预期 not everything came as expected", "red")
    return comparison.is_as_expected


async def _watch(
    reader: Reader,
    target: Target,
    inboxes: Sequence[str],
    ends: dict[tuple[str, int], int],
    observed: Observed,
    expectations: Expectations,
    began: float,
) -> Comparison:
    """Follows the inboxes until all is there and nothing is under way any more, or nothing comes."""
    heard = time.monotonic()
    settling: asyncio.Task[None] | None = None
    try:
        async for event in reader.follow(inboxes, from_start=True):
            if event is not None:
                heard = time.monotonic()
                assert event.record is not None
                is_new = event.record.offset >= ends[event.topic, event.record.partition]
                proposal = observed.take(event, is_new)
                if proposal is not None and proposal.technology is not None:
                    view.show_arrival(proposal, time.monotonic() - began)
                continue
            comparison = expectations.compare(observed)
            if not comparison.missing and settling is None:
                settling = asyncio.create_task(_settle(target))
            # Asked only when the inboxes are silent, so what came before the services settled has been taken in.
            if (settling is not None and settling.done()) or time.monotonic() - heard > _SILENCE_SECONDS:
                break
    finally:
        if settling is not None:
            settling.cancel()
    return expectations.compare(observed)


async def _settle(target: Target) -> None:
    """Returns when no service has anything left to process or to publish; on a busy platform after a while."""
    deadline = time.monotonic() + _QUIET_SECONDS
    quiet = 0
    while quiet < 2 and time.monotonic() < deadline:
        positions = await group_positions(target)
        busy = any(each.behind or (each.published or 0) < (each.next or 0) for each in positions)
        quiet = 0 if busy else quiet + 1
        await asyncio.sleep(_LOOK_SECONDS)


async def _clear(target: Target) -> None:
    """Deletes what stands behind the prefix."""
    assert target.prefix
    admin = AIOKafkaAdminClient(bootstrap_servers=target.kafka, **target.kafka_security)
    await admin.start()
    try:
        topics = [name for name in await admin.list_topics() if name.startswith(target.prefix)]
        await admin.delete_topics(topics)
    finally:
        await admin.close()
    async with mongodb(target) as client:
        for name in await client.list_database_names():
            if name.startswith(target.prefix.replace(".", "-")):
                await client.drop_database(name)
