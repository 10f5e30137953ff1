"""What commands print: results on standard output, everything else on standard error; wide characters stay aligned."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPE_WIDTH = 160
"""Columns where standard output is not a terminal and COLUMNS does not say."""


@cache
def output() -> Console:
    """For results."""
    return _console(sys.stdout.isatty(), stderr=False)


@cache
def notes() -> Console:
    """For progress, hints and everything else that a pipe should not see."""
    return _console(sys.stderr.isatty(), stderr=True)


def _console(is_terminal: bool, stderr: bool) -> Console:
    from rich.console import Console

    width = None if is_terminal or "COLUMNS" in os.environ else _PIPE_WIDTH
    return Console(stderr=stderr, width=width, highlight=False, markup=False, emoji=False)


def note(line: str) -> None:
    """One line on standard error."""
    notes().print(line, soft_wrap=True)


def say(line: str = "", style: str | None = None) -> None:
    """One line on standard output, never broken by us."""
    output().print(line, soft_wrap=True, style=style)


def say_json(value: Any) -> None:
    """One JSON value on one line."""
    import orjson

    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_NAIVE_UTC | orjson.OPT_NON_STR_KEYS).decode() + "\n")
    sys.stdout.flush()


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], numbers: Iterable[str] = ()) -> Table:
    """A table without lines; columns in `numbers` stand right-aligned. Cells are str, numbers, None or Rich texts."""
    from rich.table import Table

    right = set(numbers)
    made = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        made.add_row(*(_cell(value) for value in row))
    return made


def show(columns: Sequence[str], rows: Sequence[Sequence[Any]], numbers: Iterable[str] = (), nothing: str = "") -> None:
    """Prints a table, or the sentence `nothing` where it has no rows."""
    if rows:
        output().print(table(columns, rows, numbers))
    elif nothing:
        say(nothing)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else value if hasattr(value, "__rich_console__") else str(value)


def money(amount: str, currency: str = "") -> str:
    """An amount in at most four figures with k, M or G: "12.3 M CNY"; decimal string in."""
    value = Decimal(amount)
    size = abs(value)
    for unit, name in ((Decimal(10**9), " G"), (Decimal(10**6), " M"), (Decimal(10**3), " k")):
        if size >= unit:
            scaled = value / unit
            text = f"{scaled:.0f}" if abs(scaled) >= 100 else f"{scaled:.1f}"
            return f"{text.replace('-', '−')}{name} {currency}".strip()
    return f"{value:.0f} {currency}".strip().replace("-", "−")


def percent(share: float) -> str:
    """A share as a whole percentage; below 1 % and above 99 % with one decimal."""
    return f"{share * 100:.1f} %" if 0 < share < 0.01 or 0.99 < share < 1 else f"{share * 100:.0f} %"


def moment(milliseconds: int) -> str:
    """A log timestamp as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def runs(numbers: Iterable[int]) -> str:
    """Line numbers as ranges: "3, 7-9, 12"."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)
