"""Which failure is whose: infrastructure waits and tries again, a handler's failure belongs to a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
)
from bson.errors import InvalidDocument
from pymongo.errors import (
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    InvalidOperation,
    OperationFailure,
    PyMongoError,
)

TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)
"""What Kafka answers to a batch, of which single messages may be taken."""
REFUSED_FOR_GOOD = (
    *TOO_LARGE,
    TopicAuthorizationFailedError,
    ClusterAuthorizationFailedError,
    InvalidTopicError,
)
"""What Kafka answers to a message that it will not take however often it is sent."""

if TYPE_CHECKING:
    from shared.streaming.outbox import Outgoing

_TRANSIENT = "TransientTransactionError"
_UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
_STATE_CODES = frozenset(
    {
        2,  # BadValue
        9,  # FailedToParse
        14,  # TypeMismatch
        15,  # Overflow: nested too deeply
        16,  # InvalidLength
        20,  # IllegalOperation
        22,  # InvalidBSON
        28,  # PathNotViable
        40,  # ConflictingUpdateOperators
        52,  # DollarPrefixedFieldName
        53,  # InvalidIdField
        54,  # NotSingleValueField
        55,  # InvalidDBRef
        56,  # EmptyFieldName
        57,  # DottedFieldName
        66,  # ImmutableField
        73,  # InvalidNamespace
        121,  # DocumentValidationFailure
        168,  # InvalidPipelineOperator
        171,  # CannotIndexParallelArrays
        241,  # ConversionFailure
        263,  # OperationNotSupportedInTransaction
    }
)
_LOCATIONS = 10000
"""From here on a code is the place in MongoDB's source that refused a request, except for these old ones."""
_OUTAGE_LOCATIONS = frozenset(
    {
        10058,  # not primary
        10107,  # NotWritablePrimary
        11600,  # InterruptedAtShutdown
        11601,  # Interrupted
        11602,  # InterruptedDueToReplStateChange
        13388,  # StaleConfig
        13435,  # NotPrimaryNoSecondaryOk
        13436,  # NotPrimaryOrSecondary
        14031,  # OutOfDiskSpace
    }
)


class Fenced(Exception):
    """Another instance took a partition over: nothing of this poll was written."""


class DatabaseSilent(ConnectionError):
    """MongoDB has not answered a handler's call in the time that the handler may take."""


class HandlerFailed(Exception):
    """A handler raised, or took too long; the cause is its exception."""


class TooManyFailures(Exception):
    """More records fail in handlers than single bad records explain: a bug of the service, which must stop."""


@dataclass(frozen=True, slots=True, eq=False)
class Refused:
    """Messages of one batch that Kafka will not take; `divisible` where some of them alone might be."""

    messages: Sequence[Outgoing]
    reason: str
    divisible: bool


class RefusedForGood(Exception):
    """Kafka will never take these batches."""

    def __init__(self, batches: Sequence[Refused]) -> None:
        super().__init__(f"{len(batches)} batches refused for good: {batches[0].reason}")
        self.batches = batches


def is_transient(error: BaseException) -> bool:
    """Whether a MongoDB transaction failed in a way that starting it again can mend; it is known to be aborted."""
    return isinstance(error, PyMongoError) and error.has_error_label(_TRANSIENT)


def is_unknown_commit(error: BaseException) -> bool:
    """Whether a commit may or may not have happened."""
    return isinstance(error, PyMongoError) and error.has_error_label(_UNKNOWN_COMMIT)


def is_infrastructure(error: BaseException) -> bool:
    """Whether a failure is the driver's or the broker's, and so no record's fault.

    A document that MongoDB refuses for what is in it (too large, duplicate key, broken operator) is the record's.
    """
    if isinstance(error, KafkaError):
        return True
    if isinstance(error, (InvalidDocument, DocumentTooLarge, InvalidOperation)):
        return False
    if is_transient(error):
        return True
    if isinstance(error, BulkWriteError):
        failures = (error.details or {}).get("writeErrors", [])
        return not any(_is_of_the_state(failure.get("code")) for failure in failures)
    if isinstance(error, DuplicateKeyError):
        return False
    if isinstance(error, OperationFailure) and not isinstance(error, ExecutionTimeout):
        return not _is_of_the_state(error.code)
    return isinstance(error, (PyMongoError, ConnectionError))


def _is_of_the_state(code: int | None) -> bool:
    return code in _STATE_CODES or (code is not None and code >= _LOCATIONS and code not in _OUTAGE_LOCATIONS)
