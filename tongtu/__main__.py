"""`tongtu` and `python -m tongtu`: runs a command; what goes wrong becomes one line and an exit code."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any, cast

import typer

_INTERRUPTED = 130
_USAGE = 2
_DEBUG = "--debug"
_UsageError = typer.BadParameter.__mro__[1]
"""What Typer raises when a command line is wrong; it does not export the class itself."""


def run(arguments: Sequence[str]) -> int:
    """Runs one command. 0 done, 1 could not be done, 2 asked wrongly, 130 interrupted."""
    from tongtu.application import application

    arguments = [*arguments]
    debug = _DEBUG in arguments
    arguments = [argument for argument in arguments if argument != _DEBUG]
    try:
        result = application(arguments, prog_name="tongtu", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except typer.Abort:
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe had enough, as in `tongtu watch ... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if debug:
            raise
        return _tell(error)


def _tell(error: Exception) -> int:
    if isinstance(error, _UsageError):
        context: Any = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "tongtu"
        said: str = cast(Any, error).format_message()
        # Asked for nothing at all, a group of commands answers with its help.
        print(said if "\n" in said else f"tongtu: {said} See `{command} --help`.", file=sys.stderr)  # noqa: T201
        return _USAGE
    from tongtu.errors import UsageError, explained

    line = explained(error)
    if line is None:
        line = f"unexpected {type(error).__name__}: {error}; run it again with --debug for the traceback"
    print(f"tongtu: {line}", file=sys.stderr)  # noqa: T201
    return _USAGE if isinstance(error, UsageError) else 1


def main() -> None:
    """The entry point."""
    # What aiokafka says of each lost connection, the command says in one line at the end.
    logging.basicConfig(level=logging.WARNING if _DEBUG in sys.argv else logging.CRITICAL)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
