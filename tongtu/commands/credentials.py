"""How a command hands over secrets: shown once, or in a file that only its owner may read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tongtu.errors import UsageError

CredentialsFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="Write the secrets into this new file, for you alone to read, instead of showing them."
    ),
]


def new_file(file: Path | None) -> Path | None:
    """Refuses what could not be written in the end, when the secrets exist and nobody knows them."""
    if file is not None and file.exists():
        raise UsageError(f"{file} exists: name a new file")
    if file is not None and not file.absolute().parent.is_dir():
        raise UsageError(f"{file.parent} is not a folder: create it, or name a file in another")
    return file


def hand_over(text: str, file: Path | None) -> None:
    """Shows the secrets, or writes them into the file. Raises OSError."""
    from tongtu.access.passwords import write_private
    from tongtu.output import say

    if file is None:
        say(f"\n{text}")
    else:
        write_private(file, text)
        say(f"its secrets are in {file}, which only you can read: hand them over, then delete it")
