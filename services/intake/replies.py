"""What a member finds in its inbox about its own messages: a receipt or a rejection, each from its allow-list model."""

from services.intake.ledger import Taken
from services.intake.statements import Refusal, Statement
from services.intake.wording import DETAIL, TITLES
from shared.contracts.events import Receipt, ReceiptOutcome, RecordKind, RecordReference, Rejection
from shared.contracts.problems import in_language


def receipt_for(statement: Statement, taken: Taken) -> Receipt:
    """What became of a message that was in order."""
    return Receipt(
        event_id=statement.speaker.event_id,
        outcome=taken.outcome,
        record=statement.reference(taken.version),
        warnings=statement.warnings,
    )


def receipt_for_expiry(kind: RecordKind, id: str, version: int) -> Receipt:
    """A record ended on the day that it named itself."""
    return Receipt(outcome=ReceiptOutcome.EXPIRED, record=RecordReference(kind=kind, id=id, version=version))


def rejection_for(refusal: Refusal) -> Rejection:
    """Why a message was not taken, and what to do."""
    language = refusal.speaker.language
    return Rejection(
        type=f"urn:tongtu:problem:{refusal.problem}",
        title=in_language(TITLES[refusal.problem], language),
        detail=in_language(DETAIL, language),
        errors=refusal.errors,
        event_id=refusal.speaker.event_id,
        record=refusal.record,
    )
