"""How a process logs in to Kafka: what of it cannot work is said at start, in words."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.runtime.settings import ServiceSettings, SettingsError, load
from tongtu.embedded.certificates import certify


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    certify(tmp_path / "authority.pem", tmp_path / "server.pem", datetime.now(UTC))
    (tmp_path / "password").write_text("opensesame\n")
    (tmp_path / "empty").write_text("")
    return {file.name: file for file in tmp_path.iterdir()} | {"missing": tmp_path / "missing"}


def loaded(monkeypatch: pytest.MonkeyPatch, **given: str | Path) -> ServiceSettings:
    for name in ("USER", "PASSWORD_FILE", "CA_FILE"):
        monkeypatch.delenv(f"TONGTU_KAFKA_{name}", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(f"TONGTU_KAFKA_{name}", str(value))
    return load(ServiceSettings)


def test_without_an_authority_the_login_goes_without_tls(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]
) -> None:
    login = loaded(monkeypatch, USER="ann", PASSWORD_FILE=files["password"]).login
    assert login is not None
    assert login.for_aiokafka()["security_protocol"] == login.for_librdkafka()["security.protocol"] == "SASL_PLAINTEXT"
    assert "TONGTU_KAFKA_CA_FILE" not in login.environment


@pytest.mark.parametrize("authority", ["authority.pem", "system"])
def test_with_one_every_client_verifies_the_certificate_and_the_name(
    authority: str, monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]
) -> None:
    ca_file = files.get(authority, authority)
    settings = loaded(monkeypatch, USER="ann", PASSWORD_FILE=files["password"], CA_FILE=ca_file)
    assert settings.login is not None
    given = settings.kafka_security
    context = given["ssl_context"]
    assert given["security_protocol"] == "SASL_SSL"
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    librdkafka = settings.login.for_librdkafka()
    assert librdkafka["security.protocol"] == "SASL_SSL"
    assert librdkafka.get("ssl.ca.location") == (str(ca_file) if authority in files else None)
    assert loaded(monkeypatch, **{n.removeprefix("TONGTU_KAFKA_"): v for n, v in settings.login.environment.items()})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"CA_FILE": "authority.pem"}, "needs TONGTU_KAFKA_USER"),
        ({"USER": "ann", "CA_FILE": "authority.pem"}, "go together"),
        ({"USER": "ann", "PASSWORD_FILE": "missing"}, "correct TONGTU_KAFKA_PASSWORD_FILE"),
        ({"USER": "ann", "PASSWORD_FILE": "empty"}, "holds no password"),
        (
            {"USER": "ann", "PASSWORD_FILE": "password", "CA_FILE": "missing"},
            "No such file.*correct TONGTU_KAFKA_CA_FI",
        ),
        ({"USER": "ann", "PASSWORD_FILE": "password", "CA_FILE": "empty"}, "correct TONGTU_KAFKA_CA_FILE"),
        ({"USER": "ann", "PASSWORD_FILE": "password", "CA_FILE": "password"}, "correct TONGTU_KAFKA_CA_FILE"),
    ],
)
def test_what_cannot_work_is_said_at_start(
    given: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch, files: dict[str, Path]
) -> None:
    with pytest.raises(SettingsError, match=said) as error:
        loaded(monkeypatch, **{name: files.get(value, value) for name, value in given.items()})
    assert "opensesame" not in str(error.value)
