"""What would be known better if a record said more: variants of a project in which one number is certain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from services.risk.money_rows import KNOWN, MoneyRow
from shared.contracts.events import Precision

AUTHORISING_CLASS = 3
"""AACE 18R-97: the estimate class by which money is authorised."""
MONTHS = "/technology/plan/months"


class Variant(NamedTuple):
    """A project's money as it would be if `field` (a JSON pointer into the records) were known as said."""

    field: str
    precision: Precision
    row: MoneyRow


def variants(row: MoneyRow) -> Iterator[Variant]:
    """Those that may narrow a project's distribution, each with everything else left as it is.

    A number that is known keeps its median: the estimate, or the middle of a range.
    """
    plan = "/technology/plan"
    is_rough = max(row.capital_row, row.cost_row) > AUTHORISING_CLASS - 1
    if is_rough and (row.capital or row.annual_cost):
        better = row._replace(capital_row=AUTHORISING_CLASS - 1, cost_row=AUTHORISING_CLASS - 1)
        yield Variant(f"{plan}/estimate_class", Precision.CLASS_3, better)
    if row.capital:
        yield Variant(f"{plan}/capital", Precision.EXACT, row._replace(capital_row=KNOWN))
    if row.annual_cost:
        yield Variant(f"{plan}/annual_cost", Precision.EXACT, row._replace(cost_row=KNOWN))
    if row.annual_revenue:
        yield Variant(f"{plan}/annual_revenue", Precision.EXACT, row._replace(revenue_row=1))
    if row.price_width:
        agreed = row._replace(price_low=row.price_low + row.price_width / 2, price_width=0.0)
        yield Variant("/technology/price", Precision.EXACT, agreed)
    if row.value_width:
        agreed = row._replace(value_low=row.value_low + row.value_width / 2, value_width=0.0)
        yield Variant("/demand/budget", Precision.EXACT, agreed)
