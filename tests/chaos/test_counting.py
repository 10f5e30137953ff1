"""A short run of bench.chaos: instances of two counting services killed and stopped, and every count still exact."""

from __future__ import annotations

import asyncio
import random

import pytest

from bench import chaos
from tests.infrastructure import TestInfrastructure
from tests.platform import eventually
from tongtu.embedded import Infrastructure
from tongtu.embedded.lock import Addresses

EVENTS = 20_000
SECONDS = 12.0
KILLS = 6
SESSION_SECONDS = 2
STOPPED_SECONDS = SESSION_SECONDS + 2


async def disturb(
    instances: chaos.Instances, infrastructure: Infrastructure, seconds: float, chance: random.Random
) -> None:
    """One instance is stopped beyond the session timeout, while others are killed, each when somebody is at work."""
    taken = await at_work(instances, more_than=3)
    stopped = asyncio.create_task(instances.stop_one())
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0, 2) * seconds / KILLS)
        instances.kill_one()
        taken = await at_work(instances, more_than=taken)
    await stopped


async def at_work(instances: chaos.Instances, more_than: int) -> int:
    """How often assignments were taken, once that is more often than before."""

    async def taken() -> int:
        count = instances.count_in_logs("assignment_taken")
        return count if count > more_than else 0

    return await eventually(taken, what="somebody's work")


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("transactions_of_the_dead_end_soon")
async def test_every_count_is_exact_though_instances_are_killed_and_stopped(
    infra: TestInfrastructure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos, "disturb", disturb)  # the benchmark's own is longer, and kills the servers too
    monkeypatch.setattr(chaos, "SESSION_SECONDS", SESSION_SECONDS)
    monkeypatch.setattr(chaos, "STOPS_SECONDS", (STOPPED_SECONDS,))
    servers = Infrastructure(Addresses(infra.kafka, infra.mongodb), None, None)
    figures = await chaos.run(servers, EVENTS, SECONDS, seed=1)
    assert (figures["sigkills"], figures["sigstops"]) == (KILLS, 1)
    assert chaos.is_exact(figures), figures
