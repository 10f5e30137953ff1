"""Whether a match that was assessed again came out differently enough to be told."""

from __future__ import annotations

from shared.contracts.events import Assessment, NotAssessed

SHARE = 0.005
"""Half a percentage point of a probability, and half a percent of a range: less does not show in rounded figures."""


def is_news(before: Assessment | NotAssessed, after: Assessment | NotAssessed) -> bool:
    """Compared with what was told last, so that many small steps count once they add up."""
    if isinstance(before, NotAssessed) or isinstance(after, NotAssessed):
        return before.status != after.status
    if before.currency != after.currency or [s.name for s in before.stages] != [s.name for s in after.stages]:
        return True
    spread = max(float(before.npv.p90) - float(before.npv.p10), 0.0)
    old, new = before.months_to_production, after.months_to_production
    return (
        abs(after.p_success - before.p_success) >= SHARE
        or abs(after.p_loss - before.p_loss) >= SHARE
        or any(
            abs(float(getattr(after.npv, name)) - float(getattr(before.npv, name))) > SHARE * spread
            for name in ("p10", "p50", "p90", "mean")
        )
        or any(abs(getattr(new, name) - getattr(old, name)) > SHARE * old.p50 for name in ("p10", "p50", "p90"))
    )
