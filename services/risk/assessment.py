"""The assessment of proposals: figures where the records allow them, else why not. Never raises, never invents."""

from __future__ import annotations

import math
from collections.abc import Sequence

from services.risk.assumptions import Assumptions
from services.risk.basis import Basis, Missing, basis_of
from services.risk.figures import DIGITS, Figures, Quantiles
from services.risk.shared_model import SharedModel
from services.risk.simulation import Simulation
from shared.contracts.events import (
    Assessment,
    MatchProposed,
    NotAssessed,
    NotAssessedReason,
    Stage,
)

FAILED_DETAIL = "The assessment itself failed; the match stands without it. 评估计算失败，匹配本身不受影响。"
AMOUNT_DECIMALS = 6
"""Digits after the point that the contracts allow for money."""


class RiskModel:
    """One model version, ready to assess. Safe to use from several threads."""

    def __init__(self, model: SharedModel) -> None:
        self.parameters = model
        self._simulation = Simulation(model)
        self._assumptions = Assumptions(model)
        unknown = {gate.name for gate in model.gates} - set(Stage)
        if unknown:
            raise ValueError(
                f"risk model {model.version}: no such stage in the contracts: {', '.join(sorted(unknown))}"
            )

    def assess(self, proposals: Sequence[MatchProposed]) -> list[Assessment | NotAssessed]:
        """One result per proposal, in order.

        If a batch fails it is halved, until the proposal at fault stands alone and is not assessed.
        """
        try:
            return self._assess(proposals)
        except Exception as error:  # whatever it is, it must not hide a match
            if len(proposals) == 1:
                return [_failed(error)]
        middle = len(proposals) // 2
        return self.assess(proposals[:middle]) + self.assess(proposals[middle:])

    def _assess(self, proposals: Sequence[MatchProposed]) -> list[Assessment | NotAssessed]:
        read = [basis_of(proposal) for proposal in proposals]
        figures = iter(self._simulation.run([basis.case for basis in read if isinstance(basis, Basis)]))
        return [
            self._result(basis, next(figures)) if isinstance(basis, Basis) else _not_assessed(basis) for basis in read
        ]

    def _result(self, basis: Basis, figures: Figures) -> Assessment:
        # Validated as a whole, which takes half as long as part by part.
        return Assessment.model_validate(
            {
                "model_version": self.parameters.version,
                "draws": self.parameters.draws,
                "seed": self.parameters.seed,
                "stages": tuple(
                    {"name": Stage(stage.name), "p_success": stage.p_success, "months": _percentiles(stage.months)}
                    for stage in figures.stages
                ),
                "p_success": figures.p_success,
                "npv": {
                    "p10": amount(figures.npv.p10),
                    "p50": amount(figures.npv.p50),
                    "p90": amount(figures.npv.p90),
                    "mean": amount(figures.npv_mean),
                },
                "currency": basis.case.money.currency,
                "p_loss": figures.p_loss,
                "var95": amount(figures.var95),
                "cvar95": amount(figures.cvar95),
                "option_value": amount(figures.option_value),
                "months_to_production": _percentiles(figures.months_to_production),
                "drivers": tuple({"name": name, "share": share} for name, share in figures.drivers),
                "missing_information": tuple(
                    {"field": field, "precision": precision, "narrows": narrows}
                    for field, precision, narrows in figures.missing_information
                ),
                "evidence": {"prior_weight": figures.prior_weight, "outcomes_used": figures.outcomes},
                "assumptions": self._assumptions.of(basis),
            }
        )


def amount(value: float) -> str:
    """Money as a decimal string of at most 9 significant digits and 6 after the point. ValueError if not finite."""
    if not math.isfinite(value):
        raise ValueError("a figure is not finite")
    if value == 0:
        return "0"
    decimals = DIGITS - 1 - math.floor(math.log10(abs(value)))
    text = f"{value:.{min(max(decimals, 0), AMOUNT_DECIMALS)}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _percentiles(quantiles: Quantiles) -> dict[str, float]:
    return {"p10": quantiles.p10, "p50": quantiles.p50, "p90": quantiles.p90}


def _not_assessed(missing: Missing) -> NotAssessed:
    return NotAssessed(reason=missing.reason, missing=missing.fields, detail=missing.detail)


def _failed(error: Exception) -> NotAssessed:
    return NotAssessed(reason=NotAssessedReason.FAILED, detail=f"{FAILED_DETAIL} ({type(error).__name__})")
