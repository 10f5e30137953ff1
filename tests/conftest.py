"""Fixtures of all tests: one real Kafka and MongoDB for the session, a platform of its own (a prefix) for each test.

With `-n auto`, as in `make test`, four such sessions share the tests, each with servers of its own: so tests that kill
servers, or have them fail, disturb nobody. They wait almost half of their time: three leave a sixth of two cores idle.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pymongo
import pytest

from tests.infrastructure import TestInfrastructure, choice, start_infrastructure
from tests.platform import Platform


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Four take 2.4 GB for their servers; servers of which only the addresses are known can be nobody's own."""
    return 0 if choice().kind == "addresses" else 4


def pytest_sessionstart(session: pytest.Session) -> None:
    """Says where Kafka and MongoDB come from. Not as pytest_report_header, which -q leaves out."""
    # Workers are told that a line has 80 columns; commands that tests run here print as into any pipe.
    os.environ.pop("COLUMNS", None)
    # A shell that starts tests in the background has them ignore Ctrl-C, and with them every command that they start.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(str(choice()))


@pytest.fixture(scope="session")
def infra() -> Iterator[TestInfrastructure]:
    """Real Kafka and MongoDB, shared by the session. TONGTU_TEST_INFRA chooses where from (tests/infrastructure.py)."""
    with start_infrastructure() as started:
        yield started


@pytest.fixture
def transactions_of_the_dead_end_soon(infra: TestInfrastructure) -> Iterator[None]:
    """MongoDB keeps the locks of a killed client for this long; in deployments for 10 s."""
    limit = {"setParameter": 1, "transactionLifetimeLimitSeconds": 3}
    with pymongo.MongoClient[dict[str, Any]](infra.mongodb) as client:
        before = client.admin.command(limit)["was"]
        yield
        client.admin.command(limit | {"transactionLifetimeLimitSeconds": before})


@pytest.fixture
def platform(infra: TestInfrastructure) -> Iterator[Platform]:
    """Topics, groups and databases that nothing else uses: every name begins with the test's own prefix."""
    platform = Platform(infra.kafka, infra.mongodb)
    yield platform
    platform.close()
