"""Passwords in files that only their owner may read: made once, never shown."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from shared.runtime.login import Login

_BYTES = 32
"""Random ones (256 bits), so nobody finds them by trying, however fast."""


def new_secret() -> str:
    """A password or token: 43 characters of A-Z, a-z, 0-9, - and _ that nobody can guess."""
    return secrets.token_urlsafe(_BYTES)


def write_private(file: Path, text: str) -> None:
    """Writes a file that only its owner may read; never half of it. Raises OSError."""
    new = file.with_name(f".{file.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with open(new, "x", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    new.replace(file)


def kept_login(folder: Path, user: str, ca_file: Path | None = None) -> Login:
    """The user's login; its password is made and written into a file of the folder the first time."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / user
    if not file.exists():
        write_private(file, f"{new_secret()}\n")
    return Login(user, file, ca_file)
