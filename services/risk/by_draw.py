"""One project draw by draw, with draws of the caller's own: what a portfolio of projects is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.risk.cash_flow import net_present_value
from services.risk.draws import Array, Draws
from services.risk.money_rows import MoneyColumns, MoneyRow
from services.risk.paths import path_with_draws
from services.risk.project import Case
from services.risk.shared_model import SharedModel
from services.risk.stages import priors_ahead, stretch
from services.risk.timeline import timeline


@dataclass(frozen=True, slots=True)
class ByDraw:
    """In each of the draws, in units of the project's currency, both (n,)."""

    net_present_value: Array
    """As in an assessment, with the freedom to stop."""
    first_outlay: Array
    """What is paid at the start in any case: the price and the first stage."""


def by_draw(model: SharedModel, draws: Draws, case: Case) -> ByDraw:
    """The project in `draws` (of `services.risk.draws.draws_from`, of the same model)."""
    path = path_with_draws(model, draws, None, case.trl, priors_ahead(model, case.trl, case.field))
    stretches = np.array([[stretch(model, case.trl, case.planned_months)]])
    money = case.money
    times = timeline(model, path, stretches)
    value = net_present_value(model, draws, path, times, MoneyColumns.of([MoneyRow.of(money)]))
    price = money.price.low + (money.price.high - money.price.low) * draws.price_position
    capital = money.capital * draws.capital_factor[money.estimate_class - 1]
    return ByDraw(
        net_present_value=value.by_draw[0] * money.largest,
        first_outlay=price + path.stages[0].cost_share * capital,
    )
