"""What a member wants to hear of on a channel, and when it may be told; rules without a clock of their own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from services.notify.channels.delivery import ChannelName, InboxEvent
from shared.contracts.channels import Email, LocalTime, Preferences
from shared.contracts.events import Assessment, Proposal, Receipt

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


def kind_of(event_type: str) -> str:
    """What preferences call a type: `proposal` for tongtu.proposal.v1 and its later versions."""
    return event_type.removeprefix("tongtu.").rpartition(".v")[0] or event_type


def wants(preferences: Preferences, event: InboxEvent, channel: ChannelName) -> bool:
    """Whether the member wants this message on this channel.

    Score, loss and fields choose among proposals. What is not known hides nothing: a proposal that is not assessed
    passes `most_p_loss`, one that names no field passes `fields`.
    """
    kind = kind_of(event.type)
    if preferences.kinds is None:
        if kind == kind_of(Receipt.type) and channel != "webhook":
            return False
    elif kind not in preferences.kinds:
        return False
    if event.type != Proposal.type:
        return True
    try:
        proposal = Proposal.model_validate(event.data)
    except ValidationError:
        return True
    return _wants_proposal(preferences, proposal)


def _wants_proposal(preferences: Preferences, proposal: Proposal) -> bool:
    if preferences.least_score is not None and proposal.score < preferences.least_score:
        return False
    risk = proposal.risk
    if preferences.most_p_loss is not None and isinstance(risk, Assessment) and risk.p_loss > preferences.most_p_loss:
        return False
    shown = proposal.technology or proposal.demand
    codes = [field.code for field in shown.strategic_fields] + list(shown.industry) if shown else []
    if not preferences.fields or not codes:
        return True
    return any(_is_below(code, wanted) for code in codes for wanted in preferences.fields)


def _is_below(code: str, wanted: str) -> bool:
    """Whether a code is the wanted one, or an industry in it: C3841 and 3841 are below C38, 38 and (C3841) C."""
    if code == wanted:
        return True
    section, digits = _industry(wanted)
    own_section, own_digits = _industry(code)
    if not digits:
        return section != "" and section == own_section
    return len(digits) > 1 and own_digits.startswith(digits)


def _industry(code: str) -> tuple[str, str]:
    """Section and digits of a GB/T 4754-2017 code, either of which may be empty; both are for any other code."""
    section, digits = (code[:1], code[1:]) if code[:1].isupper() else ("", code)
    return (section, digits) if digits.isdigit() or (section and not digits) else ("", "")


def not_before(preferences: Preferences, now: datetime) -> datetime:
    """`now`, or the end of the quiet hours that it lies in; in UTC.

    Quiet hours last from the first time that the clock shows their beginning to the last time that it shows their end;
    where a change of the clock leaves one of the two out, the moment of that change stands for it.
    """
    at = now.astimezone(UTC)
    quiet = preferences.quiet_hours
    if quiet is None or quiet.begins == quiet.ends:
        return at
    zone = ZoneInfo(preferences.timezone)
    # Ordered by their beginnings, so that one that a change of the clock lets begin in the one before is met after it.
    for day in _days_around(at, zone):
        ends_on = day if quiet.begins < quiet.ends else day + _DAY
        if _moment(day, quiet.begins, zone, last=False) <= at < _moment(ends_on, quiet.ends, zone, last=True):
            at = _moment(ends_on, quiet.ends, zone, last=True)
    return at


def next_digest(email: Email, preferences: Preferences, now: datetime) -> datetime:
    """When the digest goes that is the first after `now`, in UTC: at `digest_at`, or where quiet hours then end.

    Raises ValueError where each message goes at once.
    """
    if email.digest_at is None:
        raise ValueError("this member is written to at once")
    zone = ZoneInfo(preferences.timezone)
    digests = (
        not_before(preferences, _moment(day, email.digest_at, zone, last=False)) for day in _days_around(now, zone)
    )
    return min(digest for digest in digests if digest > now)


def local_day(preferences: Preferences, moment: datetime) -> date:
    """The day on the member's calendar."""
    return moment.astimezone(ZoneInfo(preferences.timezone)).date()


def _days_around(moment: datetime, zone: ZoneInfo) -> Iterator[date]:
    """The local day, two before it (quiet hours may put off a digest by a day) and two after it, in order."""
    today = moment.astimezone(zone).date()
    return (today + days * _DAY for days in range(-2, 3))


def _moment(day: date, clock: LocalTime, zone: ZoneInfo, last: bool) -> datetime:
    """When the clock shows that time on that day, the first or the last time; in UTC.

    A time that the clock jumps over on that day stands for the moment of the jump.
    """
    shown = datetime.combine(day, time.fromisoformat(clock))
    moment = shown.replace(tzinfo=zone, fold=int(last)).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == shown:
        return moment
    # PEP 495: of a time in a gap the later fold reads as before the jump and the earlier one as after it.
    before, after = (shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (1, 0))
    offset = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)
