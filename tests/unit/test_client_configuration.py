"""What a member is told of whom to take for Kafka: certificates, never a key that lies beside them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.runtime.login import SYSTEM, Login
from tests.secured import librdkafka_settings
from tongtu.admission import Secrets
from tongtu.client_configuration import client_configuration
from tongtu.embedded.certificates import certify
from tongtu.target import Target

SECRETS = Secrets("acme", "member.acme.0123", "secret", "tongtu_token")


def told(ca_file: Path | None) -> str:
    login = Login("admin", Path("password"), ca_file)
    return client_configuration(SECRETS, Target("kafka.example:9094", "mongodb://", login=login))


def test_member_gets_every_certificate_and_no_key(tmp_path: Path) -> None:
    authority, server = tmp_path / "authority.pem", tmp_path / "server.pem"
    certify(authority, server, datetime.now(UTC))
    both = tmp_path / "both.pem"
    both.write_text(f"the first\n{server.read_text()}the second\n{authority.read_text()}")
    text = told(both)
    certificates = [file.read_text()[file.read_text().index("-----BEGIN CERT") :] for file in (server, authority)]
    settings = librdkafka_settings(text)
    assert settings["security.protocol"] == "SASL_SSL"
    assert settings["ssl.ca.pem"] == "".join(certificates).rstrip()
    java = dict(line.split("=", 1) for line in text.splitlines() if line.startswith("ssl.truststore."))
    assert java["ssl.truststore.type"] == "PEM"
    assert java["ssl.truststore.certificates"].replace(r"\n", "\n") == settings["ssl.ca.pem"]
    assert "KEY" not in text


@pytest.mark.parametrize(("ca_file", "protocol"), [(SYSTEM, "SASL_SSL"), (None, "SASL_PLAINTEXT")])
def test_member_is_told_of_no_authority_where_there_is_none_of_its_own(ca_file: Path | None, protocol: str) -> None:
    text = told(ca_file)
    assert librdkafka_settings(text)["security.protocol"] == protocol
    assert "ssl." not in text


def test_member_gets_no_kafka_settings_where_kafka_is_not_secured() -> None:
    text = client_configuration(Secrets("acme", None, None, "tongtu_token"), Target("kafka:9092", "mongodb://"))
    assert "bootstrap.servers" not in text
    assert "Bearer tongtu_token" in text
