"""When a delivery is tried again, what an answer means, and what is signed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from services.notify.channels.delivery import Delivered, Delivery, Failed, InboxEvent, Refused
from services.notify.channels.schedule import JITTER, LONGEST_DELIVERY, LONGEST_RETRY_AFTER, RECOMMENDED_WAITS, Schedule
from services.notify.channels.webhook import WebhookChannel, result, signed, structured
from services.notify.settings import NotifySettings
from shared.contracts.channels import ChannelsConfigured, Webhook
from tests.sealed import keys, sealed

NOW = datetime(2026, 3, 21, 8, 30, tzinfo=UTC)
EVENT = InboxEvent("0f3a", "/services/notify", "tongtu.proposal.v1", NOW, "m1", {"title": "薄膜", "score": 0.8})


def test_schedule_lasts_three_days_and_a_half() -> None:
    schedule, now, moments = Schedule(), NOW, [NOW]
    for attempt in range(1, schedule.tries):
        due = schedule.next_try(attempt, NOW, now, None, chance=0.0)
        assert due is not None
        moments.append(now := due)
    assert schedule.next_try(schedule.tries, NOW, now, None, chance=0.0) is None
    assert [round((b - a).total_seconds()) for a, b in pairwise(moments)] == [*RECOMMENDED_WAITS]
    assert timedelta(days=3) < moments[-1] - NOW < timedelta(days=4)


def test_wait_is_jittered_upwards() -> None:
    waits = [Schedule((100.0,)).next_try(1, NOW, NOW, None, chance) for chance in (0.0, 0.5, 1.0)]
    wanted = [100, 100 * (1 + JITTER / 2), 100 * (1 + JITTER)]
    assert [(each - NOW).total_seconds() for each in waits if each] == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        (None, timedelta(seconds=5)),
        (timedelta(seconds=1), timedelta(seconds=5)),
        (timedelta(hours=3), timedelta(hours=3)),
        (timedelta(days=3000), LONGEST_RETRY_AFTER),
    ],
)
def test_retry_after_is_respected_within_bounds(asked: timedelta | None, wait: timedelta) -> None:
    assert Schedule().next_try(1, NOW, NOW, asked, chance=0.0) == NOW + wait


def test_what_is_too_old_is_given_up() -> None:
    now = NOW + LONGEST_DELIVERY
    assert Schedule().next_try(1, NOW, now - timedelta(minutes=1), None, chance=0.0) is not None
    assert Schedule().next_try(1, NOW, now, None, chance=0.0) is None


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta(0)),
        ("9" * 400, timedelta(seconds=10**8)),
        ("Sat, 21 Mar 2026 08:31:00 GMT", timedelta(minutes=1)),
        ("Sat, 21 Mar 2020 08:31:00 GMT", timedelta(0)),
        ("-5", None),
        ("soon", None),
        ("١٢", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read(header: str | None, wait: timedelta | None) -> None:
    assert result(503, header, NOW) == Failed("answered 503", wait, 503)


def test_what_an_answer_means() -> None:
    assert [result(status, None, NOW) for status in (200, 202, 204)] == [Delivered(200), Delivered(202), Delivered(204)]
    gone = result(410, None, NOW)
    assert isinstance(gone, Refused)
    assert gone.gone
    assert all(isinstance(result(status, None, NOW), Failed) for status in (301, 307, 400, 401, 404, 429, 500, 503))


def test_receivers_verify_with_either_secret_while_one_replaces_the_other() -> None:
    new, former, other = (f"whsec_{letter * 43}=" for letter in "ABC")
    body, now = structured(EVENT), datetime.now(UTC)
    headers = signed(EVENT.id, body, (new, former), now)
    for secret in (new, former):
        assert Verifier(secret).verify(body, headers)["data"] == EVENT.data
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(other).verify(body, headers)
    with pytest.raises(Exception, match="No matching signature"):
        Verifier(new).verify(body.replace("0.8", "0.9"), headers)
    with pytest.raises(Exception, match="too old"):
        Verifier(new).verify(body, signed(EVENT.id, body, (new,), now - timedelta(minutes=6)))


def test_body_is_a_cloud_event_and_the_same_each_time() -> None:
    assert structured(EVENT) == structured(EVENT)
    assert json.loads(structured(EVENT)) == {
        "specversion": "1.0",
        "id": "0f3a",
        "source": "/services/notify",
        "type": "tongtu.proposal.v1",
        "time": "2026-03-21T08:30:00.000Z",
        "subject": "m1",
        "datacontenttype": "application/json",
        "dataschema": "urn:tongtu:schema:tongtu.proposal.v1",
        "data": {"title": "薄膜", "score": 0.8},
    }


def test_secrets_are_not_shown_where_a_configuration_is() -> None:
    secret = sealed(f"whsec_{'A' * 43}=", "acme")
    configuration = ChannelsConfigured(
        member="acme", version=1, webhook=Webhook(url="https://hooks.example.com/", secrets=(secret,))
    )
    assert secret not in repr(configuration) + str(configuration)


@pytest.mark.parametrize("key_file", [None, keys().public])
async def test_a_secret_that_cannot_be_opened_is_said_and_does_not_count_against_the_receiver(
    key_file: Path | None,
) -> None:
    webhook = Webhook(url="https://hooks.example.com/", secrets=(sealed(f"whsec_{'A' * 43}=", "acme"),))
    configuration = ChannelsConfigured(member="acme", version=1, webhook=webhook)
    delivery = Delivery("e/webhook", "acme", "webhook", "", EVENT, 1, NOW)
    found = await WebhookChannel(key_file, 5.0).send(configuration, [delivery])
    assert isinstance(found, Failed)
    assert "TONGTU_NOTIFY_WEBHOOK_KEY_FILE" in found.reason
    assert found.alive


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TONGTU_NOTIFY_ALLOWED_NETWORKS", "10.1.0.0/16, fd00:1::/32")
    monkeypatch.setenv("TONGTU_NOTIFY_RETRY_SECONDS", "1,2.5")
    settings = NotifySettings()
    assert [str(each) for each in settings.allowed_networks] == ["10.1.0.0/16", "fd00:1::/32"]
    assert settings.sending.schedule.tries == 3
