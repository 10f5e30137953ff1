"""Where the tests' Kafka and MongoDB come from.

TONGTU_TEST_INFRA=embedded starts the embedded ones; =addresses takes TONGTU_KAFKA and TONGTU_MONGODB.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tongtu.embedded import Infrastructure, infrastructure


@dataclass(frozen=True, slots=True)
class TestInfrastructure:
    """Addresses, and handles for tests that need more than a client (None where the servers are not ours)."""

    __test__ = False

    kafka: str
    mongodb: str
    embedded: Infrastructure | None = None


@contextmanager
def start_infrastructure() -> Iterator[TestInfrastructure]:
    """Starts what TONGTU_TEST_INFRA says, for the session."""
    kind = os.environ.get("TONGTU_TEST_INFRA", "embedded")
    if kind == "addresses":
        yield TestInfrastructure(os.environ["TONGTU_KAFKA"], os.environ["TONGTU_MONGODB"])
        return
    with infrastructure(fresh=True, test_commands=True) as started:
        yield TestInfrastructure(started.addresses.kafka, started.addresses.mongodb, started)
