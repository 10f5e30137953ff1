"""The draws behind an assessment, computed again from the same proposal and model version."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.risk.shared_model import SharedModel
    from shared.contracts.match import MatchProposed
    from shared.contracts.risk import Assessment


def repeated_draws(model: SharedModel, proposal: MatchProposed, risk: Assessment) -> Sequence[float] | None:
    """Net present values in the currency of the assessment; None unless they give its very median and mean.

    A platform may have learnt since, or another version of this program may have assessed: then no shape is drawn
    rather than one that does not belong to the figures.
    """
    import numpy as np

    from services.risk.assessment import amount
    from services.risk.basis import Basis, basis_of
    from services.risk.by_draw import by_draw
    from services.risk.distribution import describe
    from services.risk.draws import draw
    from services.risk.simulation import significant

    basis = basis_of(proposal)
    if not isinstance(basis, Basis) or model.version != risk.model_version:
        return None
    value = by_draw(model, draw(model), basis.case).net_present_value
    figures = describe(value[np.newaxis, :])
    p50, mean = (amount(float(each)) for each in significant(np.array([figures.p50[0], figures.mean[0]])))
    same = (_close(p50, risk.npv.p50), _close(mean, risk.npv.mean))
    return value.tolist() if all(same) else None


def _close(one: str, other: str) -> bool:
    return abs(float(one) - float(other)) <= 1e-6 * max(abs(float(one)), abs(float(other)), 1.0)
