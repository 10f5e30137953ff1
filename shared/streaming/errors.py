"""Which failure is whose: infrastructure waits and tries again, a handler's failure belongs to a record."""

from __future__ import annotations

from aiokafka.errors import (
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
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

REFUSED_FOR_GOOD = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    ClusterAuthorizationFailedError,
    InvalidTopicError,
    UnknownTopicOrPartitionError,
)
"""What Kafka answers to a message that it will not take however often it is sent."""

_TRANSIENT = "TransientTransactionError"
_UNKNOWN_COMMIT = "UnknownTransactionCommitResult"
_STATE_CODES = frozenset(
    {
        2,  # BadValue
        9,  # FailedToParse
        14,  # TypeMismatch
        40,  # ConflictingUpdateOperators
        66,  # ImmutableField
        121,  # DocumentValidationFailure
        10334,  # BSONObjectTooLarge
        11000,  # DuplicateKey
        17280,  # KeyTooLong
        17419,  # resulting document too large
        17420,  # document to insert too large
    }
)


class Fenced(Exception):
    """Another instance took a partition over: nothing of this poll was written."""


class HandlerFailed(Exception):
    """A handler raised, or took too long; the cause is its exception."""


class TooManyFailures(Exception):
    """More records fail in handlers than single bad records explain: a bug of the service, which must stop."""


class RefusedForGood(Exception):
    """Kafka will never take these messages: (outbox document id, index in it) with the reason."""

    def __init__(self, refused: dict[tuple[str, int], str]) -> None:
        super().__init__(f"{len(refused)} messages refused for good")
        self.refused = refused


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
    if isinstance(error, BulkWriteError):
        failures = (error.details or {}).get("writeErrors", [])
        return not any(failure.get("code") in _STATE_CODES for failure in failures)
    if isinstance(error, DuplicateKeyError):
        return False
    if isinstance(error, OperationFailure) and not isinstance(error, ExecutionTimeout):
        return error.code not in _STATE_CODES
    return isinstance(error, (PyMongoError, ConnectionError))
