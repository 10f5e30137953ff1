"""Download of Kafka's Java archives from a Maven repository, once per user."""

import fcntl
import shutil
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.home import download_folder

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

KAFKA_VERSION = "4.1.1"
# Coordinate, and whether what it depends on comes along. kafka-tools has the performance tools and topic commands; what
# those need beyond it is there already. Kafka writes through SLF4J and comes with log4j 2.24.3 but without the piece
# between the two.
_PARTS = (
    (f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", True),
    (f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}", False),
    ("org.apache.logging.log4j:log4j-slf4j-impl:2.24.3", False),
)
_SIZE = 46  # MB, of all archives together
_PARALLEL = 8  # connections
_REPORT_EVERY = 2.0  # seconds between two lines of progress


def kafka_jars(progress: Callable[[str], None]) -> Path:
    """Folder with Kafka's archives, for a class path of `folder/*`; downloads 46 MB if this user has none yet.

    Raises EmbeddedError if the download fails.
    """
    target = download_folder() / f"kafka-{KAFKA_VERSION}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "download.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be at it: wait for its result
        if not target.is_dir():
            staging = target.with_name(target.name + ".partial")
            try:
                _download(staging, progress)
                (staging / "jars").rename(target)  # so a download cut short is never taken for a whole one
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    return target


def _download(staging: Path, progress: Callable[[str], None]) -> None:
    try:
        import requests
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import Artifact, MavenContext, PythonResolver
    except ImportError as error:
        raise EmbeddedError(
            f"the embedded Kafka needs the package {error.name}: pip install 'tongtu[embedded]', "
            "or give the address of a Kafka in TONGTU_KAFKA"
        ) from error

    # Mirrors that the user named in jgo's configuration come first.
    repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    progress(f"Kafka {KAFKA_VERSION}: downloading about {_SIZE} MB (this first time only)")
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type((requests.RequestException, RuntimeError, SyntaxError)),
            stop=stop_after_attempt(3),
            wait=wait_exponential(max=5),
            reraise=True,
        ):
            with attempt:
                # From scratch: jgo takes a file that was cut short for a whole one.
                shutil.rmtree(staging, ignore_errors=True)
                jars = staging / "jars"
                jars.mkdir(parents=True)
                resolver = PythonResolver(progress_callback=_Meter(progress))
                context = MavenContext(repo_cache=staging / "repository", remote_repos=repositories, resolver=resolver)
                artifacts = _artifacts(context)
                with ThreadPoolExecutor(_PARALLEL) as pool:
                    for path in pool.map(Artifact.resolve, artifacts):
                        path.rename(jars / path.name)
    except (requests.RequestException, RuntimeError, SyntaxError) as error:
        # The text of a failed request goes through every layer of the client; its kind and address are enough.
        failed = error.request if isinstance(error, requests.RequestException) else None
        problem = f"{type(error).__name__} at {failed.url}" if failed else str(error).partition("\n")[0][:200]
        raise EmbeddedError(
            f"Kafka {KAFKA_VERSION} cannot be downloaded ({problem}): check the network and HTTPS_PROXY, "
            "or give the address of a Kafka in TONGTU_KAFKA"
        ) from error
    progress(f"Kafka {KAFKA_VERSION}: downloaded")


def _artifacts(context: "MavenContext") -> "list[Artifact]":
    from dataclasses import replace

    from jgo.parse import Coordinate

    found: dict[str, Artifact] = {}
    for coordinate, transitive in _PARTS:
        # One resolution each: resolved together, the version list that log4j's binding imports would replace
        # kafka-clients 4.1.1 by 3.9.1.
        dependency = context.create_dependency(replace(Coordinate.parse(coordinate), scope="compile"))
        if not transitive:
            found.setdefault(dependency.artifact.artifactId, dependency.artifact)
            continue
        inputs, others = context.resolver.resolve([dependency])
        for part in [*inputs, *others]:
            if part.scope in ("compile", "runtime"):
                found.setdefault(part.artifact.artifactId, part.artifact)
    return [*found.values()]


class _Meter:
    """Counts files and bytes over all connections and tells every two seconds (the many small files come first)."""

    def __init__(self, progress: Callable[[str], None]):
        self._progress = progress
        self._lock = threading.Lock()
        self._files = 0
        self._bytes = 0
        self._reported = time.monotonic()

    @contextmanager
    def __call__(self, name: str, size: int) -> Generator[Callable[[int], None]]:
        with self._lock:
            self._files += 1
        yield self._count

    def _count(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            if time.monotonic() - self._reported >= _REPORT_EVERY:
                self._reported = time.monotonic()
                got = f"{self._bytes / 1e6:.0f} of about {_SIZE} MB in {self._files} files"
                self._progress(f"Kafka {KAFKA_VERSION}: {got}")
