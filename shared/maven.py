"""Downloads archives from Maven repositories, once per user: what Python packages do not bring along.

The package jgo does the work; its configuration (JGO_CONFIG_FILE, else ~/.config/jgo.conf) names mirrors under
[repositories]. They come before Maven Central, and one that is named central takes its place.
"""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

Meter = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
"""From a file's name and size to what is told of each piece of it that arrived, in bytes."""
_ATTEMPTS = 3
_PARALLEL = 8  # connections


class DownloadError(Exception):
    """Says in a few words what failed."""


@dataclass(frozen=True, slots=True)
class Part:
    """An archive, by its coordinate group:name:version."""

    coordinate: str
    with_dependencies: bool = False


def kept(folder: Path, fill: Callable[[Path], None]) -> Path:
    """The folder; where it is not there yet, `fill` puts its content into an empty one that then takes its place.

    Other processes that ask for it meanwhile wait. What `fill` raises passes through, and leaves nothing behind.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            staging = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(staging, ignore_errors=True)
            try:
                staging.mkdir()
                fill(staging)
                staging.rename(folder)  # so a download cut short is never taken for a whole one
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    return folder


def download(parts: Sequence[Part], folder: Path, meter: Meter | None = None) -> None:
    """Brings the archives into the folder, each under its own name.

    Raises DownloadError where three attempts failed, ImportError where jgo is not installed.
    """
    import requests
    from jgo.config import GlobalSettings
    from jgo.constants import MAVEN_CENTRAL_URL
    from jgo.maven import Artifact, MavenContext, PythonResolver

    mirrors = GlobalSettings.load().repositories
    repositories = {**mirrors, "central": mirrors.get("central", MAVEN_CENTRAL_URL)}
    failures = (requests.RequestException, RuntimeError, SyntaxError)
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(failures),
            stop=stop_after_attempt(_ATTEMPTS),
            wait=wait_exponential(max=5),
            reraise=True,
        ):
            # From scratch: jgo takes a file that was cut short for a whole one.
            with attempt, tempfile.TemporaryDirectory(dir=folder) as cache:
                resolver = PythonResolver(progress_callback=meter)
                context = MavenContext(repo_cache=Path(cache), remote_repos=repositories, resolver=resolver)
                artifacts = _artifacts(context, parts)
                with ThreadPoolExecutor(_PARALLEL) as pool:
                    for path in pool.map(Artifact.resolve, artifacts):
                        path.replace(folder / path.name)
    except failures as error:
        # The text of a failed request goes through every layer of the client; its kind and address are enough.
        failed = error.request if isinstance(error, requests.RequestException) else None
        problem = f"{type(error).__name__} at {failed.url}" if failed else str(error).partition("\n")[0][:200]
        raise DownloadError(problem) from error


def _artifacts(context: MavenContext, parts: Sequence[Part]) -> list[Artifact]:
    from jgo.parse import Coordinate

    found: dict[str, Artifact] = {}
    for part in parts:
        # One resolution each: resolved together, a list of versions that one part imports would rule all the others.
        dependency = context.create_dependency(replace(Coordinate.parse(part.coordinate), scope="compile"))
        if not part.with_dependencies:
            found.setdefault(dependency.artifact.artifactId, dependency.artifact)
            continue
        inputs, others = context.resolver.resolve([dependency])
        for each in [*inputs, *others]:
            if each.scope in ("compile", "runtime"):
                found.setdefault(each.artifact.artifactId, each.artifact)
    return [*found.values()]
