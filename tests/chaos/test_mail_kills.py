"""Notify is killed when the mail server has taken a mail and notify does not know: it comes again under the same id."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.notify.channels.store import DELIVERIES
from shared.contracts.channels import Email
from shared.contracts.events import NoMatch, Proposal
from tests.integration.test_notify_mail_and_webhooks import (
    INBOX,
    configure,
    finished,
    have_the_digest_due,
    said,
    tell,
)
from tests.mail_examples import ANN
from tests.platform import Platform, eventually, topics_of
from tests.smtp_server import smtp_server
from tongtu.supervision.service_process import ServiceProcess

BO = "bo@motors.example"

pytestmark = [pytest.mark.timeout(300), pytest.mark.usefixtures("transactions_of_the_dead_end_soon")]


async def test_a_digest_that_was_sent_when_notify_was_killed_comes_again_as_it_was(
    platform: Platform, tmp_path: Path
) -> None:
    await platform.create_topics(dict.fromkeys([*topics_of("notify"), INBOX], 1))
    with smtp_server() as server:
        environment = platform.environment | {
            "TONGTU_NOTIFY_SMTP_HOST": server.host,
            "TONGTU_NOTIFY_SMTP_PORT": str(server.port),
            "TONGTU_NOTIFY_SMTP_SECURITY": "none",
            "TONGTU_NOTIFY_SMTP_FROM": "tongtu@platform.example",
            "TONGTU_NOTIFY_SMTP_SECONDS": "30",
            "TONGTU_SESSION_TIMEOUT": "2",
        }
        process = ServiceProcess("notify", [sys.executable, "-m", "services.notify"], environment, tmp_path)
        process.start()
        try:
            await configure(platform, Email(addresses=(ANN, BO), language="en", digest_at="08:00"))
            # A server that has answered gets several mails at a time.
            await tell(platform, "e0", NoMatch, "d0")
            await have_the_digest_due(platform, 2)
            before = await finished(platform, 2)
            server.mails.clear()
            server.behaviour.holds_after_data = 2
            await tell(platform, "e1", Proposal, "m1", match_id="m1")
            await tell(platform, "e2", NoMatch, "d1")
            await have_the_digest_due(platform, 4)

            async def taken() -> bool:
                return len(server.mails) == 2

            await eventually(taken, what="both mails, of which notify does not know")
            await asyncio.to_thread(process.kill)
            # Its leases would end in a minute.
            ended = {"$set": {"due": datetime.now(UTC)}}
            platform.database("notify")[DELIVERIES].update_many({}, ended)
            process.start()
            found = await finished(platform, 4)
        finally:
            process.stop()
    for id in found.keys() - before.keys():
        assert [each["outcome"] for each in found[id]["attempts"]] == ["interrupted", "delivered"]
    mails = {address: [m for m in server.mails if m["To"].addresses[0].addr_spec == address] for address in (ANN, BO)}
    for first, again in mails.values():
        assert first["Message-ID"] == again["Message-ID"]
        assert said(first) == said(again)
    assert mails[ANN][0]["Message-ID"] != mails[BO][0]["Message-ID"]
