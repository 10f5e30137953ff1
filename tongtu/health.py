"""The state of the platform as `tongtu status` tells it: processes, readiness, and what waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared.runtime.topics import load_topics
from tongtu import output
from tongtu.errors import CommandError, explained
from tongtu.supervision.service_process import readiness
from tongtu.supervision.state import PlatformState, read_state
from tongtu.target import Target, target

_DATA_SECONDS = 30.0
_DEAD_LETTERS = ".dead-letters"


@dataclass(slots=True)
class ServiceHealth:
    """What waits in one service. `lag` counts offsets, `held` partitions that wait for an operator's decision."""

    lag: int = 0
    held: int = 0
    dead_letters: int = 0
    unpublishable: int = 0


@dataclass(slots=True)
class Health:
    """Everything that `status` shows."""

    home: Path
    platform: PlatformState | None
    ready: dict[str, str] = field(default_factory=dict[str, str])
    """Part -> "ready", "not ready", "no answer", "down"."""
    services: dict[str, ServiceHealth] = field(default_factory=dict[str, ServiceHealth])
    target: Target | None = None
    problem: str | None = None
    """Why the data could not be read."""

    @property
    def is_ready(self) -> bool:
        """Whether something is there, all of it is ready, and no partition waits for a decision."""
        held = any(service.held for service in self.services.values())
        return self.problem is None and not held and all(ready == "ready" for ready in self.ready.values())

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        state = self.platform
        return {
            "running": state is not None,
            "ready": self.is_ready,
            "pid": state.pid if state else None,
            "phase": state.phase if state else None,
            "started": state.started.isoformat() if state else None,
            "home": str(self.home),
            "kafka": self.target.kafka if self.target else None,
            "prefix": self.target.prefix if self.target else None,
            "problem": self.problem,
            "parts": [{**part.model_dump(), "ready": self.ready[part.name]} for part in (state.parts if state else [])],
            "services": {
                name: {
                    "lag": each.lag,
                    "held": each.held,
                    "dead_letters": each.dead_letters,
                    "unpublishable": each.unpublishable,
                }
                for name, each in self.services.items()
            },
        }


async def gather(home: Path) -> Health:
    """Asks every process and reads what waits; never raises for what is down."""
    state = read_state(home)
    health = Health(home, state)
    if state is not None:
        answers = await asyncio.gather(
            *(asyncio.to_thread(readiness, part.address) for part in state.parts if part.address.startswith("http"))
        )
        named = iter(answers)
        for part in state.parts:
            served = part.address.startswith("http")
            answer = next(named) if served else "ready"
            health.ready[part.name] = answer if part.pid is not None else "down"
        if state.phase == "starting" and state.addresses is None:
            health.problem = "Kafka and MongoDB are starting"
            return health
    try:
        health.target = target()
        async with asyncio.timeout(_DATA_SECONDS):
            health.services = await _waiting(health.target)
    except (CommandError, OSError) as error:
        health.problem = str(error)
    except Exception as error:
        health.problem = explained(error)
        if health.problem is None:
            raise
    return health


async def _waiting(where: Target) -> dict[str, ServiceHealth]:
    from tongtu.group_positions import database, group_positions, mongodb, services_with_state
    from tongtu.reading import Reader

    names = [topic.name.removesuffix(_DEAD_LETTERS) for topic in load_topics() if topic.name.endswith(_DEAD_LETTERS)]
    async with mongodb(where) as client:
        with_state = await services_with_state(client, where)
        services = {name: ServiceHealth() for name in dict.fromkeys([*names, *with_state])}
        for name in with_state:
            services[name].unpublishable = await database(client, where, name)["unpublishable"].count_documents({})
    lag, held = Counter[str](), Counter[str]()
    for position in await group_positions(where, with_state):
        lag[position.service] += position.behind
        held[position.service] += position.held is not None
    async with Reader(where) as reader:
        existing = await reader.topics()
        for name, service in services.items():
            service.lag, service.held = lag[name], held[name]
            if f"{name}{_DEAD_LETTERS}" in existing:
                service.dead_letters = await reader.count(f"{name}{_DEAD_LETTERS}")
    return services


_STYLES = {"ready": "green", "not ready": "yellow", "no answer": "red", "down": "red"}


def show(health: Health) -> None:
    """Prints it."""
    from rich.text import Text

    state = health.platform
    if state is None:
        output.say(f"nothing was started by `tongtu up` on {health.home}")
    else:
        since = f"{state.started:%Y-%m-%d %H:%M:%S} UTC"
        output.say(f"{state.phase}, started {since}, process {state.pid}, home {health.home}")
    if health.target is not None:
        prefix = f", prefix {health.target.prefix}" if health.target.prefix else ""
        output.say(f"Kafka {health.target.kafka}{prefix}")
    for part in state.parts if state is not None else ():
        if part.serves:
            output.say(f"{part.name} {part.serves}")
    if state is not None and state.parts:
        output.say()
        rows = [
            (
                part.name,
                Text(health.ready[part.name], _STYLES.get(health.ready[part.name], "")),
                str(part.pid or ""),
                part.restarts,
                part.address,
                part.log,
            )
            for part in state.parts
        ]
        output.show(("part", "state", "process", "restarts", "address", "log"), rows, ("process", "restarts"))
        for part in state.parts:
            if part.last_end:
                times = "once" if part.restarts == 1 else f"{part.restarts} times"
                output.say(f"{part.name} ended {times} and was started again; last end: {part.last_end}", "yellow")
    if health.services:
        output.say()
        rows = [(name, s.lag, s.dead_letters, s.unpublishable, s.held) for name, s in health.services.items()]
        columns = ("service", "lag", "dead letters", "unpublishable", "held partitions")
        output.show(columns, rows, columns[1:])
        for name, service in health.services.items():
            if service.held:
                output.say(f"{name} waits for a decision: tongtu positions list {name}", "yellow")
    if health.problem:
        output.say()
        output.say(health.problem, "red")
