"""The four services as processes, on one platform for all tests of a module."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

import catalogue
from tests.infrastructure import TestInfrastructure
from tests.platform import Platform
from tests.service_processes import ServiceProcesses, running_services


@pytest.fixture(scope="module")
def services(infra: TestInfrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcesses]:
    """Intake, matching, risk and notify, ready, with the catalogue's members registered."""
    platform = Platform(infra.kafka, infra.mongodb)
    try:
        members = [organisation.id for organisation in catalogue.organisations()]
        with running_services(platform, members, tmp_path_factory.mktemp("services")) as processes:
            yield processes
    finally:
        platform.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where a test fails, its report ends with the last words of every service."""
    report = yield
    services = getattr(item, "funcargs", {}).get("services")
    if report.failed and isinstance(services, ServiceProcesses):
        report.sections.append(("the services' logs", services.tails()))
    return report
