"""What a member wants to hear of, and when it may be told: kinds, score, loss, fields, quiet hours, digests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.channels.delivery import InboxEvent
from services.notify.channels.preferences import kind_of, next_digest, not_before, wants
from shared.contracts.channels import Email, Preferences, QuietHours
from shared.contracts.events import NoMatch, Proposal, ProposalWithdrawn, Receipt
from shared.contracts.example import load_examples

# Zones whose clocks change in different ways: not at all, by an hour, by half an hour, at midnight, by a whole day.
ZONES = [
    "Asia/Shanghai",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Asia/Beirut",
    "Pacific/Apia",
    "Asia/Kolkata",
]
clocks = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
moments = st.datetimes(datetime(2011, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
zones = st.sampled_from(ZONES)


def event(model: Any = Proposal, language: str = "zh", **changes: Any) -> InboxEvent:
    value = next(e.value for e in load_examples(model.type) if e.name == f"valid-{language}")
    assert value is not None
    return InboxEvent("e1", "/services/notify", model.type, datetime(2026, 3, 1, tzinfo=UTC), None, value | changes)


def preferred(begins: str = "", ends: str = "", **chosen: Any) -> Preferences:
    quiet = QuietHours(begins=begins, ends=ends) if begins else None
    return Preferences(quiet_hours=quiet, **chosen)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


def test_a_kind_stands_for_every_version_of_a_type() -> None:
    assert kind_of("tongtu.proposal.v1") == kind_of("tongtu.proposal.v2") == "proposal"
    assert kind_of("tongtu.proposal-withdrawn.v1") == "proposal-withdrawn"
    assert kind_of("something else") == "something else"


def test_by_default_everything_is_wanted_but_receipts_by_mail() -> None:
    for model in (Proposal, ProposalWithdrawn, NoMatch):
        assert wants(Preferences(), event(model), "email")
    assert wants(Preferences(), event(Receipt), "webhook")
    assert not wants(Preferences(), event(Receipt), "email")
    assert not wants(Preferences(), event(Receipt), "digest")


def test_only_the_kinds_that_are_named_are_wanted() -> None:
    chosen = Preferences(kinds=("no-match", "receipt"))
    assert wants(chosen, event(NoMatch), "email")
    assert wants(chosen, event(Receipt), "email")
    assert not wants(chosen, event(Proposal), "email")
    assert not wants(Preferences(kinds=()), event(NoMatch), "webhook")


def test_score_and_loss_choose_among_proposals_and_an_unassessed_one_passes() -> None:
    assert wants(Preferences(least_score=0.83), event(), "email")
    assert not wants(Preferences(least_score=0.84), event(), "email")
    assert wants(Preferences(most_p_loss=0.64), event(), "email")
    assert not wants(Preferences(most_p_loss=0.63), event(), "email")
    assert wants(Preferences(most_p_loss=0.0), event(language="en"), "email"), "it is not assessed"
    strict = Preferences(least_score=1.0, most_p_loss=0.0, fields=("9",))
    for model in (NoMatch, ProposalWithdrawn):
        assert wants(strict, event(model), "email")
    assert wants(strict, event(score="high"), "email"), "what cannot be read is not kept back"


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("5", True),
        ("energy", True),
        ("C3841", True),
        ("3841", True),
        ("C38", True),
        ("38", True),
        ("C", True),
        ("6", False),
        ("A", False),
        ("C39", False),
        ("C384", True),
        ("3", False),
        ("en", False),
    ],
)
def test_a_field_is_a_strategic_code_or_an_industry_with_all_below_it(field: str, wanted: bool) -> None:
    assert wants(Preferences(fields=(field,)), event(), "email") is wanted


def test_a_proposal_that_names_no_field_is_wanted_whatever_the_fields() -> None:
    assert wants(Preferences(fields=("C38",)), event(language="en"), "email")


def test_quiet_hours_last_over_midnight() -> None:
    shanghai = preferred("22:00", "07:30")
    assert not_before(shanghai, utc(2026, 3, 1, 13, 59)) == utc(2026, 3, 1, 13, 59)
    assert not_before(shanghai, utc(2026, 3, 1, 14, 0)) == utc(2026, 3, 1, 23, 30)
    assert not_before(shanghai, utc(2026, 3, 1, 23, 29)) == utc(2026, 3, 1, 23, 30)
    assert not_before(shanghai, utc(2026, 3, 1, 23, 30)) == utc(2026, 3, 1, 23, 30)


def test_quiet_hours_within_a_day() -> None:
    lunch = preferred("12:00", "14:00", timezone="Europe/Berlin")
    assert not_before(lunch, utc(2026, 7, 1, 10, 30)) == utc(2026, 7, 1, 12, 0)
    assert not_before(lunch, utc(2026, 1, 1, 10, 30)) == utc(2026, 1, 1, 10, 30)


def test_quiet_hours_that_end_in_the_hour_that_is_left_out_end_where_the_clock_jumps() -> None:
    berlin = preferred("22:00", "02:30", timezone="Europe/Berlin")
    assert not_before(berlin, utc(2026, 3, 29, 0, 30)) == utc(2026, 3, 29, 1, 0)


def test_quiet_hours_that_end_in_the_hour_that_comes_twice_end_the_second_time() -> None:
    berlin = preferred("22:00", "02:30", timezone="Europe/Berlin")
    assert not_before(berlin, utc(2026, 10, 25, 0, 45)) == utc(2026, 10, 25, 1, 30)


def test_quiet_hours_may_end_on_a_day_that_a_calendar_leaves_out() -> None:
    # Apia had no 30 December 2011: after 23:59 of the 29th its clocks showed 00:00 of the 31st, a quiet hour again.
    apia = preferred("22:00", "06:00", timezone="Pacific/Apia")
    assert not_before(apia, utc(2011, 12, 30, 9, 0)) == utc(2011, 12, 30, 16, 0)


@settings(deadline=None)
@given(moments, clocks, clocks, zones)
def test_quiet_hours_never_send_earlier_and_never_twice_put_off(
    now: datetime, begins: str, ends: str, zone: str
) -> None:
    preferences = preferred(begins, ends, timezone=zone)
    at = not_before(preferences, now)
    assert now <= at <= now + timedelta(days=3)
    assert not_before(preferences, at) == at
    shown = now.astimezone(ZoneInfo(zone)).strftime("%H:%M")
    quiet = begins <= shown < ends if begins <= ends else shown >= begins or shown < ends
    if quiet:
        assert at > now, "the clock shows a quiet hour"


@settings(deadline=None)
@given(moments, clocks, clocks)
def test_where_no_clock_changes_quiet_hours_are_what_the_clock_shows(now: datetime, begins: str, ends: str) -> None:
    preferences = preferred(begins, ends)
    at = not_before(preferences, now)
    shown = now.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%H:%M")
    quiet = begins <= shown < ends if begins <= ends else shown >= begins or shown < ends
    assert (at > now) is quiet
    if quiet:
        assert at.astimezone(ZoneInfo("Asia/Shanghai")).strftime("%H:%M") == ends


@settings(deadline=None)
@given(moments, clocks, zones, st.one_of(st.none(), st.tuples(clocks, clocks)), st.floats(0, 1))
def test_the_next_digest_is_the_first_and_the_same_for_all_that_comes_before_it(
    now: datetime, digest_at: str, zone: str, quiet: tuple[str, str] | None, later: float
) -> None:
    preferences = preferred(*(quiet or ()), timezone=zone)
    email = Email(addresses=("a@b.example",), language="en", digest_at=digest_at)
    digest = next_digest(email, preferences, now)
    assert digest > now
    assert not_before(preferences, digest) == digest
    meanwhile = now + later * (digest - now)
    if meanwhile < digest:
        assert next_digest(email, preferences, meanwhile) == digest
    assert next_digest(email, preferences, digest) > digest
    if quiet is None:
        assert digest - now <= timedelta(days=2)


@settings(deadline=None)
@given(moments, clocks, st.sampled_from([zone for zone in ZONES if zone != "Pacific/Apia"]))
def test_there_is_one_digest_for_each_day(now: datetime, digest_at: str, zone: str) -> None:
    preferences = Preferences(timezone=zone)
    email = Email(addresses=("a@b.example",), language="en", digest_at=digest_at)
    digest = next_digest(email, preferences, now)
    days = []
    for _ in range(3):
        days.append(digest.astimezone(ZoneInfo(zone)).date())
        digest = next_digest(email, preferences, digest)
    assert days == [days[0] + timedelta(days=each) for each in range(3)]


def test_a_digest_in_quiet_hours_goes_when_they_end() -> None:
    email = Email(addresses=("a@b.example",), language="en", digest_at="05:00")
    quiet = preferred("22:00", "07:00")
    assert next_digest(email, quiet, utc(2026, 3, 1, 22, 0)) == utc(2026, 3, 1, 23, 0)


def test_a_member_that_is_written_to_at_once_has_no_digest() -> None:
    with pytest.raises(ValueError, match="at once"):
        next_digest(Email(addresses=("a@b.example",), language="en"), Preferences(), utc(2026, 3, 1))
