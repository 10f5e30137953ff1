"""When a record ends by itself: after the day that it names, in UTC."""

from datetime import UTC, date, datetime, timedelta

from shared.contracts.events import DemandPosted, TechnologySubmitted


def last_day(record: TechnologySubmitted | DemandPosted, today: date) -> date | None:
    """The last day on which the record is valid: the one that it names, or else a demand's deadline.

    A deadline that has passed already does not count: who posts such a demand says that it is open all the same.
    """
    if record.expires_on is not None or isinstance(record, TechnologySubmitted):
        return record.expires_on
    return None if is_past(record.deadline, today) else record.deadline


def is_past(expires_on: date | None, today: date) -> bool:
    """Whether a record has expired; it is valid through the day that it names."""
    return expires_on is not None and expires_on < today


def ends_at(expires_on: date) -> datetime:
    """The first instant (UTC) at which the record is no longer valid; the end of the calendar stands for later."""
    begins = datetime(expires_on.year, expires_on.month, expires_on.day, tzinfo=UTC)
    return begins + timedelta(days=1) if expires_on < date.max else begins
