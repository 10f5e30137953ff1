"""What commands print is short, exact and aligned."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from tongtu.output import money, percent, runs, table


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0", "0 CNY"),
        ("999", "999 CNY"),
        ("1500", "1.5 k CNY"),
        ("12345678.90", "12.3 M CNY"),
        ("-8100000", "−8.1 M CNY"),
        ("250000000", "250 M CNY"),
        ("3200000000", "3.2 G CNY"),
    ],
)
def test_money_is_short(amount: str, shown: str) -> None:
    assert money(amount, "CNY") == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0, "0 %"), (0.004, "0.4 %"), (0.345, "34 %"), (0.996, "99.6 %"), (1, "100 %")]
)
def test_percentages_never_round_to_certainty(share: float, shown: str) -> None:
    assert percent(share) == shown


@pytest.mark.parametrize(
    ("numbers", "shown"), [([], ""), ([3], "3"), ([9, 7, 8, 3, 12], "3, 7-9, 12"), ([1, 1, 2], "1-2")]
)
def test_line_numbers_are_told_as_ranges(numbers: list[int], shown: str) -> None:
    assert runs(numbers) == shown


def test_chinese_names_stay_in_their_column() -> None:
    printed = io.StringIO()
    console = Console(file=printed, width=80)
    console.print(table(("名称", "kind"), [("示例钢铁材料集团", "enterprise"), ("Short", "university")]))
    lines = printed.getvalue().splitlines()
    columns = {
        cell_len(line[: line.index(word)])
        for line, word in zip(lines, ("kind", "enterprise", "university"), strict=True)
    }
    assert len(columns) == 1
