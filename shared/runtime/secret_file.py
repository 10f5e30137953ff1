"""Reads a secret from the file that holds it, so that it stands in no environment, log or traceback."""

from pathlib import Path


class UnreadableSecretError(Exception):
    """The file cannot be read; the message is the reason, in a few words."""


def first_line(file: Path) -> str | None:
    """The first line of the file; None where that is empty. Raises UnreadableSecretError."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UnreadableSecretError(error.strerror) from None
    except UnicodeDecodeError:
        raise UnreadableSecretError("not UTF-8") from None
    return lines[0] or None if lines else None
