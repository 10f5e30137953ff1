"""The certificates of the embedded Kafka: believed for its own names alone, renewed, their keys kept private."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from tongtu.embedded.certificates import certify

NOW = datetime.now(UTC)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return tmp_path / "certificates" / "authority.pem"


@pytest.fixture
def server(authority: Path, tmp_path: Path) -> ssl.SSLContext:
    certify(authority, tmp_path / "node.pem", NOW)
    return serving(tmp_path / "node.pem")


def serving(file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def connect(server: ssl.SSLContext, authority: Path, name: str) -> str | None:
    """A handshake as strict as Python knows it; the version of TLS that both agree on. Raises SSLError."""
    trusting = ssl.create_default_context(cafile=authority)
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = [
        trusting.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    ]
    waiting = list(sides)
    while waiting:
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    return sides[0].version()


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_server_is_believed_under_its_own_names(server: ssl.SSLContext, authority: Path, name: str) -> None:
    assert connect(server, authority, name) == "TLSv1.3"


@pytest.mark.parametrize("name", ["kafka.example", "127.0.0.2", "localhost.example"])
def test_server_is_not_believed_under_another_name(server: ssl.SSLContext, authority: Path, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match=r"mismatch|not valid for"):
        connect(server, authority, name)


def test_server_is_not_believed_by_who_trusts_another_authority(server: ssl.SSLContext, tmp_path: Path) -> None:
    other = tmp_path / "other" / "authority.pem"
    certify(other, tmp_path / "other.pem", NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(server, other, "localhost")


def test_authority_cannot_vouch_for_the_rest_of_the_world(server: ssl.SSLContext, authority: Path) -> None:
    stolen = authority.with_name("issuer.pem").read_bytes()
    thief = trustme.CA.from_pem(stolen, stolen)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    thief.issue_cert("bank.example").configure_cert(context)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        connect(context, authority, "bank.example")


def test_each_start_has_a_new_certificate_from_the_same_authority(authority: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first.pem", tmp_path / "second.pem"
    certify(authority, first, NOW - timedelta(days=3000))
    trusted = authority.read_bytes()
    certify(authority, second, NOW)
    assert authority.read_bytes() == trusted
    assert first.read_bytes() != second.read_bytes()
    assert connect(serving(first), authority, "localhost") == connect(serving(second), authority, "localhost")


def test_authority_is_replaced_in_its_last_year(authority: Path, tmp_path: Path) -> None:
    file = tmp_path / "node.pem"
    certify(authority, file, NOW - timedelta(days=3300))
    old = authority.read_bytes()
    certify(authority, file, NOW)
    assert authority.read_bytes() != old
    assert connect(serving(file), authority, "localhost")


def test_keys_are_for_their_owner_alone(server: ssl.SSLContext, authority: Path, tmp_path: Path) -> None:
    assert authority.parent.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "node.pem", *authority.parent.iterdir())} == {0o600}
    assert "PRIVATE KEY" not in authority.read_text()
