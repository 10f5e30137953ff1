"""One notify process sends what stands in an inbox both ways: webhooks and e-mail, at once and as a digest."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any

import pytest

from services.notify.app import assemble
from services.notify.channels.app import assemble_channels
from services.notify.channels.store import DELIVERIES, DIGEST_MESSAGES
from services.notify.settings import NotifySettings
from shared.contracts.base import InboxMessage
from shared.contracts.channels import ChannelsConfigured, Email, Webhook
from shared.contracts.events import NoMatch, Proposal, ProposalWithdrawn, Receipt
from shared.runtime.service import Service
from tests.mail_examples import ANN, MEMBER, value_of
from tests.platform import Platform, event_headers, eventually, topics_of
from tests.receiver import Receiver, running_receiver
from tests.sealed import keys, sealed
from tests.smtp_server import SmtpServer, smtp_server

BO = "bo@motors.example"
INBOX = f"member.{MEMBER}.inbox"


@contextlib.asynccontextmanager
async def notify(platform: Platform, server: SmtpServer) -> AsyncIterator[None]:
    await platform.create_topics(dict.fromkeys([*topics_of("notify"), INBOX], 1))
    chosen = platform.settings(
        NotifySettings,
        plain_targets=True,
        webhook_key_file=keys().private,
        allowed_networks=("127.0.0.0/8",),
        retry_seconds=(0.1, 0.2, 0.3),
        smtp_host=server.host,
        smtp_port=server.port,
        smtp_security="none",
        smtp_from="tongtu@platform.example",
    )
    async with Service("notify", chosen) as service:
        assemble(service, chosen)
        assemble_channels(service, chosen)
        async with platform.running(service):
            yield


@pytest.fixture
def server() -> Any:
    with smtp_server() as running:
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running


async def configure(platform: Platform, email: Email, webhook: Webhook | None = None) -> None:
    entry = ChannelsConfigured(member=MEMBER, version=1, email=email, webhook=webhook)
    headers = event_headers("channels-1", ChannelsConfigured.type, "/registry")
    await platform.produce("notify.channels", [(MEMBER, entry.model_dump_json().encode(), headers)])

    async def known() -> bool:
        return platform.database("notify")["channels"].count_documents({"_id": MEMBER}) == 1

    await eventually(known, what="notify knows the channels")


async def tell(platform: Platform, id: str, model: type[InboxMessage], subject: str, **changes: Any) -> None:
    """Puts a message into the inbox, as a service does."""
    value = json.dumps(value_of(model) | changes, ensure_ascii=False).encode()
    time = {"subject": subject, "time": "2026-03-21T08:30:00Z"}
    await platform.produce(INBOX, [(subject, value, event_headers(id, model.type, "/services/notify", **time))])


async def finished(platform: Platform, count: int, **of: Any) -> Mapping[str, dict[str, Any]]:
    """The deliveries, once so many have been delivered or given up, by id."""

    async def all_finished() -> list[dict[str, Any]] | None:
        found = list(platform.database("notify")[DELIVERIES].find({"outcome": {"$exists": True}, **of}))
        return found if len(found) == count else None

    return {each["_id"]: each for each in await eventually(all_finished, what=f"the end of {count} deliveries")}


async def have_the_digest_due(platform: Platform, messages: int) -> None:
    """Once so many messages are in it."""
    database = platform.database("notify")

    async def planned() -> bool:
        return database[DIGEST_MESSAGES].count_documents({"event": {"$exists": True}}) == messages

    await eventually(planned, what=f"a digest of {messages} messages")
    database[DELIVERIES].update_many({"type": "digest", "due": {"$exists": True}}, {"$set": {"due": datetime.now(UTC)}})


def said(mail: EmailMessage) -> str:
    plain = mail.get_body(("plain",))
    assert plain is not None
    return plain.get_content()


async def test_a_message_goes_both_ways_and_one_refused_address_loses_nothing(
    platform: Platform, server: SmtpServer, receiver: Receiver
) -> None:
    server.behaviour.recipients = {BO: ["550 5.1.1 no such user"], ANN: ["451 4.7.1 try again later"]}
    webhook = Webhook(url=receiver.url("hook"), secrets=(sealed("whsec_" + "A" * 32, MEMBER),))
    async with notify(platform, server):
        await configure(platform, Email(addresses=(ANN, BO), language="zh"), webhook)
        await tell(platform, "e0", Receipt, "r1")  # not wanted by e-mail unless it is asked for
        await tell(platform, "e1", Proposal, "m1")
        found = await finished(platform, 4)
    assert receiver.ids("hook") == {"e0": 1, "e1": 1}
    assert {id: each["outcome"] for id, each in found.items()} == {
        "e0/webhook": "delivered",
        "e1/webhook": "delivered",
        f"e1/email/{ANN}": "delivered",
        f"e1/email/{BO}": "given-up",
    }
    tries = [(each["outcome"], each["status"]) for each in found[f"e1/email/{ANN}"]["attempts"]]
    assert tries == [("failed", 451), ("delivered", 250)]
    assert found[f"e1/email/{BO}"]["reason"] == "550 5.1.1 no such user"
    assert [envelope[1] for envelope in server.envelopes] == [[ANN]]
    assert "b64a1f0c93d7e8524c11aa09" in said(server.mails[0])


async def test_a_digest_is_one_mail_a_day_that_knows_what_the_one_before_told(
    platform: Platform, server: SmtpServer
) -> None:
    server.behaviour.hangs_up_after_data = 1
    async with notify(platform, server):
        await configure(platform, Email(addresses=(ANN,), language="en", digest_at="08:00"))
        await tell(platform, "e1", Proposal, "m1", match_id="m1", order=0.5)
        await tell(platform, "e2", Proposal, "m2", match_id="m2", order=0.7)
        await tell(platform, "e3", NoMatch, "d1")
        await tell(platform, "e4", Proposal, "m3", match_id="m3")
        await tell(platform, "e5", ProposalWithdrawn, "m3", match_id="m3")
        await have_the_digest_due(platform, 5)
        (digest,) = (await finished(platform, 1)).values()
        assert [each["outcome"] for each in digest["attempts"]] == ["failed", "delivered"]
        first, again = server.mails
        assert first["Message-ID"] == again["Message-ID"]
        assert "proposals: 2, without a match: 1" in str(again["Subject"])
        assert said(again).index("m2") < said(again).index("m1")
        assert "m3" not in said(again)

        await tell(platform, "e6", Proposal, "m1", match_id="m1", score=0.4)
        await tell(platform, "e7", ProposalWithdrawn, "m1", match_id="m1")
        await tell(platform, "e8", Proposal, "m4", match_id="m4")
        await tell(platform, "e9", ProposalWithdrawn, "m4", match_id="m4")
        await have_the_digest_due(platform, 4)
        await finished(platform, 2)
    last = server.mails[-1]
    assert len(server.mails) == 3
    assert last["Message-ID"] != first["Message-ID"]
    assert str(last["Subject"]).endswith("taken back: 1")
    assert "m1" in said(last)
    assert "m4" not in said(last)
