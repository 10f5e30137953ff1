"""Notify is killed while it plans, sends and notes: no message is lost, and what comes twice comes with the same id."""

from __future__ import annotations

import asyncio
import random
import sys
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from services.notify.channels.store import DELIVERIES
from tests.integration.test_notify_channels import configure, tell
from tests.platform import Platform, eventually, topics_of
from tests.receiver import Receiver, running_receiver
from tests.sealed import keys
from tongtu.supervision.service_process import ServiceProcess

MEMBERS = ("fast", "flaky", "slow", "held")
MESSAGES = 60
"""For each member, and again when all kills are over."""
KILLS = 6
ENVIRONMENT = {
    "TONGTU_NOTIFY_PLAIN_TARGETS": "true",
    "TONGTU_NOTIFY_WEBHOOK_KEY_FILE": str(keys().private),
    "TONGTU_NOTIFY_ALLOWED_NETWORKS": "127.0.0.0/8",
    "TONGTU_NOTIFY_SEND_SECONDS": "1",
    "TONGTU_NOTIFY_RETRY_SECONDS": ",".join(["0.5"] * 30),
    "TONGTU_NOTIFY_PAUSE_SECONDS": "1",
    "TONGTU_SESSION_TIMEOUT": "2",
}

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("transactions_of_the_dead_end_soon")]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running


@pytest.fixture
def pair(platform: Platform, tmp_path: Path) -> Iterator[list[ServiceProcess]]:
    """Two notify processes that share the work, not started."""
    command = [sys.executable, "-m", "services.notify"]
    environment = platform.environment | ENVIRONMENT
    processes = [ServiceProcess(f"notify-{n}", command, environment, tmp_path) for n in (1, 2)]
    yield processes
    for process in processes:
        process.stop()


async def ready(processes: list[ServiceProcess]) -> None:
    async def all_ready() -> bool:
        return all([await asyncio.to_thread(process.readiness) == "ready" for process in processes])

    await eventually(all_ready, what="both processes")


def sent_by(process: ServiceProcess) -> float:
    """Tries that this process has made since it was started."""
    with urllib.request.urlopen(f"{process.address}/metrics", timeout=10) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    name = "tongtu_notify_delivery_attempts"
    return sum(sample.value for family in families if family.name == name for sample in family.samples)


async def test_no_message_is_lost_and_a_repetition_has_the_same_id(
    platform: Platform, receiver: Receiver, pair: list[ServiceProcess]
) -> None:
    deliveries = platform.database("notify")[DELIVERIES]
    killed = asyncio.Event()

    loop = asyncio.get_running_loop()

    def kill_both() -> None:
        for process in pair:
            process.kill()
        loop.call_soon_threadsafe(killed.set)

    async def flaky(request: web.Request, before: int) -> web.StreamResponse:
        return web.Response(status=500 if before % 3 == 0 else 200)

    async def slow(request: web.Request, before: int) -> web.StreamResponse:
        await asyncio.sleep(0.05)
        return web.Response()

    async def held(request: web.Request, before: int) -> web.StreamResponse:
        answer = web.Response()
        if before == 0:  # it has come, and the sender will never hear so
            await asyncio.to_thread(kill_both)
        elif before == 1:  # the sender may have heard it, and has not noted it
            try:
                await answer.prepare(request)
                await answer.write_eof()
            finally:  # it hangs up as soon as it knows the status, which ends this handler
                loop.run_in_executor(None, kill_both)
        return answer

    receiver.behaviours |= {"flaky": flaky, "slow": slow, "held": held}
    await platform.create_topics(dict.fromkeys([*topics_of("notify"), *(f"member.{m}.inbox" for m in MEMBERS)], 1))
    for process in pair:
        process.start()
    await ready(pair)
    for member in MEMBERS:
        await configure(platform, member, receiver.url(member))
    wanted = {member: [f"{member}-{n}" for n in range(MESSAGES)] for member in MEMBERS}

    # Between sending and noting, twice.
    for _ in range(2):
        killed.clear()
        await tell(platform, "held", *wanted["held"][:1])
        await asyncio.wait_for(killed.wait(), 60)
        for process in pair:
            process.start()

    # At any moment: while messages are planned, sent, answered and noted.
    chance = random.Random(7)
    for kill in range(KILLS):
        share = slice(kill * MESSAGES // KILLS, (kill + 1) * MESSAGES // KILLS)
        for member in MEMBERS:
            await tell(platform, member, *(wanted[member][share]))
        before = len(receiver.received)

        async def goes_on(before: int = before) -> bool:
            return len(receiver.received) > before

        if kill % 2:
            await eventually(goes_on, what="the next delivery")
        await asyncio.sleep(chance.uniform(0, 0.3))
        victim = pair[kill % 2]
        victim.kill()
        victim.start()

    async def all_delivered() -> bool:
        return outcomes(deliveries) == ["delivered"] * MESSAGES * len(MEMBERS)

    await eventually(all_delivered, what="every delivery")
    for member in MEMBERS:
        assert set(receiver.ids(member)) == set(wanted[member])
    assert receiver.ids("held")["held-0"] >= 2
    repeated = {id: count for member in MEMBERS for id, count in receiver.ids(member).items() if count > 1}
    bodies: dict[str, set[bytes]] = {}
    for each in receiver.received:
        bodies.setdefault(each.id, set()).add(each.body)
    assert len(repeated) > 0
    assert all(len(each) == 1 for each in bodies.values())

    # Nobody is killed any more: both processes send, and nothing comes twice.
    await ready(pair)
    receiver.most_in_flight.clear()
    before, at = [sent_by(process) for process in pair], len(receiver.received)
    told, counts = MESSAGES, [0.0]
    while min(counts) == 0:  # one of them may be fast enough to leave the other nothing, though not for ever
        more = range(told, told := told + MESSAGES)
        await tell(platform, "slow", *(f"slow-{n}" for n in more))
        await tell(platform, "fast", *(f"fast-{n}" for n in more))

        async def rest(told: int = told) -> bool:
            return outcomes(deliveries) == ["delivered"] * (MESSAGES * (len(MEMBERS) - 2) + 2 * told)

        await eventually(rest, what="the rest")
        counts = [sent_by(process) - b for process, b in zip(pair, before, strict=True)]
    assert max(receiver.most_in_flight.values()) <= 4  # of both together
    assert sum(counts) == 2 * (told - MESSAGES) == len(receiver.received) - at


def outcomes(deliveries: Any) -> list[str | None]:
    """Of each delivery; None: it is not finished."""
    return [each.get("outcome") for each in deliveries.find({}, {"outcome": 1})]
