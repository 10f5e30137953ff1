"""What is wrong with a file of projects, named field by field before the command ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tongtu.output import note, say_json
from tongtu.project_file import WrongFields


@contextmanager
def wrong_fields_named(as_json: bool) -> Iterator[None]:
    """Prints each pointer with its message, on standard error or as JSON on standard output, and raises on."""
    try:
        yield
    except WrongFields as error:
        if as_json:
            say_json({"errors": [problem.model_dump(mode="json") for problem in error.problems]})
        else:
            for problem in error.problems:
                note(f"  {problem.pointer or 'the whole'} {problem.message}")
        raise
