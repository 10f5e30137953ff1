"""Whose fault a failure is: an outage is waited for, a record's own fault is not."""

from __future__ import annotations

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from bson.errors import InvalidDocument
from pymongo.errors import (
    AutoReconnect,
    BulkWriteError,
    DocumentTooLarge,
    DuplicateKeyError,
    ExecutionTimeout,
    NetworkTimeout,
    NotPrimaryError,
    OperationFailure,
    ServerSelectionTimeoutError,
    WriteConcernError,
)

from shared.streaming.errors import is_infrastructure


def labelled(error: OperationFailure) -> OperationFailure:
    error._add_error_label("TransientTransactionError")
    return error


OUTAGES: list[Exception] = [
    KafkaConnectionError(),
    KafkaTimeoutError(),
    AutoReconnect(),
    NetworkTimeout(),
    NotPrimaryError(),
    ServerSelectionTimeoutError(),
    ExecutionTimeout("slow", 50),
    WriteConcernError("not replicated", 64),
    OperationFailure("not the primary", 10107),
    OperationFailure("shutting down", 11600),
    OperationFailure("disk full", 14031),
    OperationFailure("write conflict", 112),
    OperationFailure("not authorised", 13),
    labelled(OperationFailure("gone", 251)),
    labelled(OperationFailure("odd but transient", 2)),
    BulkWriteError({"writeErrors": [{"code": 112}]}),
    BulkWriteError({"writeErrors": [], "writeConcernErrors": [{"code": 64}]}),
    ConnectionResetError(),
]
FAULTS: list[Exception] = [
    ValueError(),
    TimeoutError(),
    KeyError(),
    DocumentTooLarge("17 MB"),
    InvalidDocument("an object"),
    DuplicateKeyError("twice", 11000),
    OperationFailure("bad value", 2),
    OperationFailure("no way through", 28),
    OperationFailure("unknown operator", 31254),
    BulkWriteError({"writeErrors": [{"code": 11000}]}),
    BulkWriteError({"writeErrors": [{"code": 112}, {"code": 17419}]}),
    OverflowError(),
]


def name(error: Exception) -> str:
    return f"{type(error).__name__} {getattr(error, 'code', '')}"


@pytest.mark.parametrize("error", OUTAGES, ids=name)
def test_an_outage(error: Exception) -> None:
    assert is_infrastructure(error)


@pytest.mark.parametrize("error", FAULTS, ids=name)
def test_a_fault_of_the_record_or_its_handler(error: Exception) -> None:
    assert not is_infrastructure(error)
