"""Whether a message says anything new: a digest of what its reader would notice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from shared.contracts.events import Assessment, Check, Miss, MutualInterest, NoMatch, Proposal, Risk

DIGEST_BYTES = 16


def of_proposal(proposal: Proposal) -> str:
    """The same for two proposals that tell the reader the same.

    Left out: versions, method, model, the order, and what the figures are made of; of the checks the wording, which
    follows from what they say. Rounded: the score and chances to whole percents, money to two digits, months to whole
    ones.
    """
    shown = proposal.technology or proposal.demand
    return _digest(
        proposal.side,
        proposal.own.id,
        shown and shown.model_dump(mode="json"),
        round(proposal.score, 2),
        sorted(proposal.shared_terms),
        _checks(proposal.checks),
        _risk(proposal.risk),
    )


def of_no_match(message: NoMatch) -> str:
    """The same for two searches of one version of a demand that came to the same.

    A new version of the demand is a new question, and so is answered even if the answer has not changed.
    """
    return _digest(message.own.id, message.own.version, _miss(message.nearest_miss))


def of_interest(message: MutualInterest) -> str:
    """The same while the other party, its contacts and what it wrote are the same."""
    return _digest(message.model_dump(mode="json"))


def _risk(risk: Risk) -> list[Any]:
    if not isinstance(risk, Assessment):
        return [risk.status, risk.reason, sorted(risk.missing)]
    money = (risk.npv.p10, risk.npv.p50, risk.npv.p90, risk.npv.mean, risk.var95)
    return [
        risk.status,
        risk.currency,
        [f"{float(amount):.1e}" for amount in money],
        [round(share, 2) for share in (risk.p_loss, risk.p_success)],
        round(risk.months_to_production.p50),
        [stage.name for stage in risk.stages],
    ]


def _miss(miss: Miss | None) -> list[Any] | None:
    if miss is None:
        return None
    shown = miss.display.model_dump(mode="json")
    return [round(miss.score, 2), sorted(miss.shared_terms), _checks(miss.checks), shown]


def _checks(checks: Iterable[Check]) -> list[Any]:
    return [check.model_dump(mode="json", exclude={"wording"}) for check in checks]


def _digest(*content: Any) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).hexdigest()
