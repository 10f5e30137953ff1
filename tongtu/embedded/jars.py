"""Kafka's Java archives, downloaded from a Maven repository once per user."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from shared.maven import DownloadError, Part, download, kept
from shared.user_folders import cache_folder
from tongtu.embedded.errors import EmbeddedError

KAFKA_VERSION = "4.1.1"
# kafka-tools has the performance tools and topic commands; what those need beyond it is there already. Kafka writes
# through SLF4J and comes with log4j 2.24.3 but without the piece between the two, whose list of versions would replace
# kafka-clients 4.1.1 by 3.9.1.
_PARTS = (
    Part(f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}", with_dependencies=True),
    Part(f"org.apache.kafka:kafka-tools:{KAFKA_VERSION}"),
    Part("org.apache.logging.log4j:log4j-slf4j-impl:2.24.3"),
)
_SIZE = 46  # MB, of all archives together
_REPORT_EVERY = 2.0  # seconds between two lines of progress


def kafka_jars(progress: Callable[[str], None]) -> Path:
    """Folder with Kafka's archives, for a class path of `folder/*`; downloads 46 MB if this user has none yet.

    Raises EmbeddedError if the download fails.
    """
    return kept(cache_folder() / f"kafka-{KAFKA_VERSION}", lambda folder: _download(folder, progress))


def _download(folder: Path, progress: Callable[[str], None]) -> None:
    progress(f"Kafka {KAFKA_VERSION}: downloading about {_SIZE} MB (this first time only)")
    try:
        download(_PARTS, folder, _Meter(progress))
    except ImportError as error:
        raise EmbeddedError(
            f"the embedded Kafka needs the package {error.name}: pip install 'tongtu[embedded]', "
            "or give the address of a Kafka in TONGTU_KAFKA"
        ) from error
    except DownloadError as error:
        raise EmbeddedError(
            f"Kafka {KAFKA_VERSION} cannot be downloaded ({error}): check the network and HTTPS_PROXY, "
            "or give the address of a Kafka in TONGTU_KAFKA"
        ) from error
    progress(f"Kafka {KAFKA_VERSION}: downloaded")


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
