"""Runs a service's coroutine as the program, on the faster event loop where there is one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from shared.runtime.settings import SettingsError

try:
    from uvloop import run as run_coroutine
except ImportError:  # not on Windows
    run_coroutine = asyncio.run


def run(main: Callable[[], Coroutine[Any, Any, None]], *expected: type[Exception]) -> None:
    """Runs `main` until it returns; on SettingsError, or one that is expected, ends the process with its one line."""
    try:
        run_coroutine(main())
    except (SettingsError, *expected) as error:
        sys.exit(str(error))
