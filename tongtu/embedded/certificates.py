"""A private authority, and its certificate for a server on this machine; the keys are for their owner alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tongtu.access.passwords import write_private

_LASTS = timedelta(days=3650)
_RENEWED = timedelta(days=365)
"""An authority is replaced when it starts a server and has less than this left."""
_CLOCKS = timedelta(days=1)
"""How far behind the clock of a client may be."""
_NOBODY_ELSE = x509.NameConstraints(
    [x509.DNSName("localhost"), x509.IPAddress(ip_network("127.0.0.0/8"))], excluded_subtrees=None
)
"""Who trusts this authority trusts it with this machine, not with the rest of the world."""


def certify(authority: Path, server: Path, now: datetime) -> None:
    """Makes a new key and certificate for localhost, in one PEM file as Kafka reads it.

    `authority` is the PEM file for those who are to trust the authority. The authority itself, with its key, is beside
    it in `issuer.pem`: made the first time, and anew in its last year. `now` has a time zone. Raises OSError.
    """
    authority.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    issuer = authority.with_name("issuer.pem")
    if not issuer.exists() or _certificate(issuer).not_valid_after_utc < now + _RENEWED:
        key = ec.generate_private_key(ec.SECP256R1())
        write_private(issuer, _key_pem(key) + _pem(_authority(key, now)))
    signer, signing = _certificate(issuer), load_pem_private_key(issuer.read_bytes(), password=None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    write_private(authority, _pem(signer))
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(server, _key_pem(key) + _pem(_server(key, signer, now).sign(signing, SHA256())))


def _authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = _name("Tongtu's own authority")
    return (
        _builder(name, name, key, now, now + _LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(_NOBODY_ELSE, critical=True)
        .sign(key, SHA256())
    )


def _server(key: ec.EllipticCurvePrivateKey, signer: x509.Certificate, now: datetime) -> x509.CertificateBuilder:
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
    signed_by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
        signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    )
    return (
        _builder(_name("localhost"), signer.subject, key, now, signer.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(signed_by, critical=False)
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _CLOCKS)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature, False, False, False, False, key_cert_sign, crl_sign, encipher_only=False, decipher_only=False
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())
