"""The job of bench.pipeline in Quix Streams: exactly-once, state in its local RocksDB with a changelog topic.

`python -m bench.quix KAFKA INPUT OUTPUT EVENTS` prints the seconds from the first event in hand to the end.
"""

from __future__ import annotations

import sys
import tempfile
import time
from typing import Any

from quixstreams import Application, State  # pyright: ignore[reportMissingImports] - a group of its own

COMMIT_EVERY = 2000


def main() -> None:
    """Command line."""
    kafka, source, output, events = sys.argv[1:]
    times: list[float] = []

    def count(value: dict[str, Any], state: State[Any, Any]) -> dict[str, Any]:
        if not times:
            times.append(time.perf_counter())
        seen = state.get("n", 0) + 1
        state.set("n", seen)
        return value | {"count": seen}

    with tempfile.TemporaryDirectory() as folder:
        app = Application(
            broker_address=kafka,
            consumer_group=f"{output}.quix",
            auto_offset_reset="earliest",
            processing_guarantee="exactly-once",
            state_dir=folder,
            commit_every=COMMIT_EVERY,
            loglevel="ERROR",
        )
        frame = app.dataframe(app.topic(source, value_deserializer="json"))
        frame = frame.apply(count, stateful=True).to_topic(app.topic(output, value_serializer="json"))
        app.run(count=int(events), collect=False)
    print(time.perf_counter() - times[0])


if __name__ == "__main__":
    main()
