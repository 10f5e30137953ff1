"""What the model says about one project, in figures that are the same on every machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.risk.draws import Array
from shared.contracts.events import Precision

DIGITS = 9


class Quantiles(NamedTuple):
    """10th, 50th and 90th percentile."""

    p10: float
    p50: float
    p90: float


class StageFigures(NamedTuple):
    """A stage still ahead: `p_success` given that it is reached, its months."""

    name: str
    p_success: float
    months: Quantiles


@dataclass(frozen=True, slots=True)
class Figures:
    """What the model says about one project; money in units of the project's currency, rounded to 9 digits."""

    stages: tuple[StageFigures, ...]
    p_success: float
    npv: Quantiles
    npv_mean: float
    p_loss: float
    var95: float
    cvar95: float
    option_value: float
    committed: float
    """Expected net present value without the freedom to stop."""
    months_to_production: Quantiles
    drivers: tuple[tuple[str, float], ...]
    """Name and share of the variance, largest first."""
    missing_information: tuple[tuple[str, Precision, float], ...]
    """Field, how well it would be known, and the share of P90 - P10 that goes away with that; largest first."""
    prior_weight: float
    outcomes: int
    """Reported outcomes behind the chances of success."""


def significant(values: Array) -> Array:
    """Rounded to 9 significant digits, to which figures are the same on every machine."""
    with np.errstate(divide="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
    exponent = np.where(np.isfinite(exponent), exponent, 0.0)
    # Powers of ten up to 22 are exact, so that each figure is the double nearest to its 9 digits.
    digits = np.clip(DIGITS - 1 - exponent, -22, 22)
    return np.where(
        digits >= 0,
        np.rint(values * 10.0 ** np.maximum(digits, 0)) / 10.0 ** np.maximum(digits, 0),
        np.rint(values / 10.0 ** np.maximum(-digits, 0)) * 10.0 ** np.maximum(-digits, 0),
    )
