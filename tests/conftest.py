"""Fixtures of all tests: one real Kafka and MongoDB for the session, a platform of its own (a prefix) for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.infrastructure import TestInfrastructure, start_infrastructure
from tests.platform import Platform


@pytest.fixture(scope="session")
def infra() -> Iterator[TestInfrastructure]:
    """Real Kafka and MongoDB, shared by the session. TONGTU_TEST_INFRA chooses where from (tests/infrastructure.py)."""
    with start_infrastructure() as started:
        yield started


@pytest.fixture
def platform(infra: TestInfrastructure) -> Iterator[Platform]:
    """Topics, groups and databases that nothing else uses: every name begins with the test's own prefix."""
    platform = Platform(infra.kafka, infra.mongodb)
    yield platform
    platform.close()
