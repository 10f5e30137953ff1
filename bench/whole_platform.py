"""Kafka, MongoDB and the four services as `tongtu up` runs them, empty, for one benchmark."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.setting import new_prefix
from shared.contracts.events import OrganisationKind, OrganisationRegistered
from tongtu import members as registry
from tongtu.embedded.home import default_home
from tongtu.embedded.infrastructure import to_standard_error
from tongtu.supervision.platform import Platform, platform
from tongtu.target import Target
from tongtu.writing import Writer

READY_SECONDS = 180.0


@contextmanager
def whole_platform(members: Sequence[str]) -> Generator[Platform]:
    """The platform, ready, with these members registered; gone at the end.

    Servers that TONGTU_KAFKA and TONGTU_MONGODB name are used instead, behind a prefix.
    """
    parent = default_home()
    parent.mkdir(parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        with platform(
            home,
            prefix=new_prefix(),
            tell=to_standard_error,
            before_services=lambda target: asyncio.run(_register(target, members)),
        ) as started:
            started.wait_until_ready(to_standard_error, READY_SECONDS)
            yield started
    finally:
        shutil.rmtree(home, ignore_errors=True)


def processes_of(platform: Platform) -> dict[str, psutil.Process]:
    """What runs on this machine, by name: the services, and the servers where they are the embedded ones."""
    return {part.name: psutil.Process(part.pid) for part in platform.state.parts if part.pid is not None}


def cpu_seconds(processes: Mapping[str, psutil.Process]) -> dict[str, float]:
    """What each process has used until now, user and system."""
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


def cpu_percent(before: Mapping[str, float], after: Mapping[str, float], seconds: float) -> dict[str, float]:
    """The use between two readings, in percent of one core."""
    return {name: round(100 * (used - before[name]) / seconds, 1) for name, used in after.items()}


async def _register(target: Target, members: Sequence[str]) -> None:
    await registry.create_topics(target, list(members))
    async with Writer(target) as writer:
        for member in members:
            names = {"zh": f"样例 {member}", "en": f"Sample {member}"}
            kind = OrganisationKind.ENTERPRISE
            await registry.publish(
                writer, OrganisationRegistered(id=member, version=1, names=names, kind=kind, languages=("zh", "en"))
            )
