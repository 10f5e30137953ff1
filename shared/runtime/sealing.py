"""Secrets for one service: whoever has its public key seals them, and nobody but the service opens them again.

HPKE (RFC 9180: X25519, HKDF-SHA256, ChaCha20-Poly1305). Keys stand in PEM files. That of the private key may hold
several, the newest first: with the newest one everything is sealed, with any of them it is opened.
"""

from __future__ import annotations

import base64
import re
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
_MARK = "sealed_"
_BLOCK = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----\n?", re.DOTALL)
_REMEMBERED = 4096


class SealingKeyError(Exception):
    """A key cannot be had; the message says why in a few words, and holds nothing of it."""


class NotOpenedError(Exception):
    """It was sealed for another key or another purpose, or was changed since."""


def new_private_key() -> str:
    """A private key in PEM."""
    return X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_key_of(private_keys: str) -> str:
    """What seals for the first of these private keys, in PEM. Raises SealingKeyError."""
    public = _private(private_keys)[0].public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def seal(secret: str, public_key: Path, purpose: str) -> str:
    """The secret for whoever has the private key and names the same purpose. Raises SealingKeyError."""
    try:
        key = load_pem_public_key(_read(public_key).encode())
    except ValueError:
        raise SealingKeyError("it is no public key in PEM") from None
    if not isinstance(key, X25519PublicKey):
        raise SealingKeyError("it is no X25519 key")
    return _MARK + base64.b64encode(_SUITE.encrypt(secret.encode(), key, purpose.encode())).decode()


class Opener:
    """Opens with the keys of a file. What it opened once it remembers; for all else it reads the file again."""

    def __init__(self, private_keys: Path) -> None:
        self._file = private_keys
        self.open = lru_cache(_REMEMBERED)(self._open)
        """Sealed secret, purpose -> the secret. Raises NotOpenedError, SealingKeyError."""

    def check(self) -> None:
        """Raises SealingKeyError where the file holds no keys that could open anything."""
        _private(_read(self._file))

    def _open(self, sealed: str, purpose: str) -> str:
        box = base64.b64decode(sealed.removeprefix(_MARK))
        for key in _private(_read(self._file)):
            try:
                return _SUITE.decrypt(box, key, purpose.encode()).decode()
            except InvalidTag:
                continue
        raise NotOpenedError


def _private(text: str) -> list[X25519PrivateKey]:
    try:
        keys = [load_pem_private_key(block.encode(), password=None) for block in _BLOCK.findall(text)]
    except (ValueError, TypeError):
        raise SealingKeyError("a key in it is no private key in PEM, or needs a password") from None
    if not keys:
        raise SealingKeyError("it holds no private key in PEM")
    found = [key for key in keys if isinstance(key, X25519PrivateKey)]
    if len(found) < len(keys):
        raise SealingKeyError("a key in it is no X25519 key")
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise SealingKeyError(error.strerror) from None
    except UnicodeDecodeError:
        raise SealingKeyError("it is not UTF-8") from None
