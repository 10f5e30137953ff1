"""The demonstration, whole: what the catalogue expects comes, and nothing is left behind."""

from pathlib import Path

import pytest

from tests.command_line import CommandLine, own_ports
from tests.infrastructure import TestInfrastructure
from tests.platform import Platform

pytestmark = pytest.mark.timeout(300)  # seconds


async def test_everything_comes_as_the_catalogue_expects(
    infra: TestInfrastructure, platform: Platform, tmp_path: Path
) -> None:
    addresses = {"TONGTU_KAFKA": infra.kafka, "TONGTU_MONGODB": infra.mongodb}
    tongtu = CommandLine(own_ports() | addresses | {"TONGTU_HOME": str(tmp_path)})
    before = set(platform.client.list_database_names())
    done = tongtu.process("demo")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "everything came as expected" in done.stdout
    assert "匹配 match" in done.stdout
    assert "没有合适的匹配 no good match" in done.stdout
    assert done.stdout.count("联系人 contact: 样例联系人") == 2
    assert set(platform.client.list_database_names()) <= before
    assert not (tmp_path / "demo").exists()
