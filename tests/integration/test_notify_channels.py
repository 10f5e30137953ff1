"""What stands in an inbox reaches webhooks, through real receivers that are as bad as they can be."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured_event
from cloudevents.core.formats.json import JSONFormat

from services.notify.app import assemble
from services.notify.channels.app import assemble_channels
from services.notify.channels.store import DELIVERIES
from services.notify.settings import NotifySettings
from shared.contracts.channels import ChannelsConfigured, Preferences, Webhook
from shared.contracts.example import load_examples
from shared.runtime.service import Service
from tests.platform import Platform, event_headers, eventually, topics_of
from tests.receiver import Receiver, first, hang, running_receiver, says, status
from tests.sealed import keys, sealed

SECRET, FORMER = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2))
PROPOSAL = next(each.value for each in load_examples("tongtu.proposal.v1") if each.name == "valid-zh")
QUICK: dict[str, Any] = {
    "plain_targets": True,
    "webhook_key_file": keys().private,
    "allowed_networks": ("127.0.0.0/8",),
    "send_seconds": 1.0,
    "retry_seconds": (0.1, 0.2, 0.3),
    "pause_seconds": 1.0,
}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running


@contextlib.asynccontextmanager
async def notify(platform: Platform, members: Iterable[str], **settings: Any) -> AsyncIterator[Service]:
    """The service with webhooks, and inboxes for these members."""
    inboxes = [f"member.{member}.inbox" for member in members]
    await platform.create_topics(dict.fromkeys([*topics_of("notify"), *inboxes], 1))
    async with running(platform, **settings) as service:
        yield service


@contextlib.asynccontextmanager
async def running(platform: Platform, **settings: Any) -> AsyncIterator[Service]:
    chosen = platform.settings(NotifySettings, **{**QUICK, **settings})
    async with Service("notify", chosen) as service:
        assemble(service, chosen)
        assemble_channels(service, chosen)
        async with platform.running(service):
            yield service


async def configure(platform: Platform, member: str, url: str | None, version: int = 1, **preferences: Any) -> None:
    """As the registry does; returns when notify knows it. Without an address: no channel any more."""
    value, entry = None, None
    if url is not None:
        webhook = Webhook(url=url, secrets=(sealed(SECRET, member), sealed(FORMER, member)))
        chosen = Preferences(**preferences)
        entry = ChannelsConfigured(member=member, version=version, webhook=webhook, webhook_preferences=chosen)
        value = entry.model_dump_json().encode()
    headers = event_headers(f"channels-{member}-{version}", ChannelsConfigured.type, "/registry")
    await platform.produce("notify.channels", [(member, value, headers)])

    async def known() -> bool:
        found = platform.database("notify")["channels"].find_one({"_id": member})
        return (found or {}).get("entry") == (entry and entry.model_dump(mode="json"))

    await eventually(known, what=f"notify knows the channels of {member}")


async def tell(platform: Platform, member: str, *ids: str, type: str = "tongtu.proposal.v1") -> None:
    """Puts messages into an inbox, as a service does."""
    value = json.dumps(PROPOSAL, ensure_ascii=False).encode()
    attributes = {"subject": "m1", "time": "2026-03-21T08:30:00.250+00:00"}
    records = [("m1", value, event_headers(id, type, "/services/notify", **attributes)) for id in ids]
    await platform.produce(f"member.{member}.inbox", records)


async def finished(platform: Platform, *ids: str) -> dict[str, dict[str, Any]]:
    """The deliveries of these messages by webhook, once each has been delivered or given up."""
    wanted = [f"{id}/webhook" for id in ids]

    async def all_finished() -> list[dict[str, Any]] | None:
        found = list(platform.database("notify")[DELIVERIES].find({"_id": {"$in": wanted}}))
        return found if len(found) == len(ids) and all("outcome" in each for each in found) else None

    found = await eventually(all_finished, what=f"the end of {', '.join(ids[:10])}")
    return {each["_id"].partition("/")[0]: each for each in found}


def tries(delivery: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(each["outcome"], each["status"]) for each in delivery["attempts"]]


async def test_message_is_posted_once_as_a_signed_cloud_event(platform: Platform, receiver: Receiver) -> None:
    async with notify(platform, ["acme", "quiet"]) as _:
        await configure(platform, "acme", receiver.url("收件"), kinds=["proposal"])
        await tell(platform, "quiet", "of-another")  # which has configured nothing
        await tell(platform, "acme", "not-wanted", type="tongtu.no-match.v1")
        await tell(platform, "acme", "e1")
        delivered = await finished(platform, "e1")
    (posted,) = receiver.received
    assert posted.id == "e1"
    assert posted.is_signed_with(SECRET)
    assert posted.is_signed_with(FORMER)
    assert not posted.is_signed_with("whsec_" + base64.b64encode(bytes(32)).decode())
    read = from_structured_event(HTTPMessage(posted.headers, posted.body), JSONFormat())
    assert (read.get_id(), read.get_type(), read.get_subject()) == ("e1", "tongtu.proposal.v1", "m1")
    assert (read.get_source(), read.get_data()) == ("/services/notify", PROPOSAL)
    assert posted.headers["content-type"].startswith("application/cloudevents+json")
    assert (delivered["e1"]["outcome"], tries(delivered["e1"])) == ("delivered", [("delivered", 200)])
    assert "event" not in delivered["e1"]
    assert platform.database("notify")[DELIVERIES].count_documents({}) == 1


async def test_receivers_that_fail_hang_redirect_and_lie(platform: Platform, receiver: Receiver) -> None:
    ok = b"HTTP/1.1 200 OK\r\n"
    receiver.behaviours |= {
        "fails-twice": first(2, status(500)),
        "fails": status(503),
        "hangs": hang,
        "hangs-once": first(1, hang),
        "redirects": status(307, Location=receiver.url("secret")),
        "says-too-little": says(ok + b"Content-Length: 1000\r\n\r\nshort"),
        "says-too-much": says(ok + b"Content-Length: 2\r\n\r\n" + b"x" * 4096),
        "endless": says(ok + b"\r\n", b"x" * 65536, for_ever=True),
        "endless-headers": says(ok, b"X-More: and more\r\n" * 1000, for_ever=True),
        "drips": says(b"HTTP/1.1 200 ", b"a", pause=0.2, for_ever=True),
        "no-http": says(b"220 mail.example.org ESMTP\r\n"),
        "hangs-up": says(b""),
        "early": says(b"HTTP/1.1 103 Early Hints\r\n\r\n" + ok + b"Content-Length: 0\r\n\r\n"),
        "gzip-bomb": says(ok + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"),
    }
    delivered = {"fails-twice", "hangs-once", "says-too-little", "endless", "early", "gzip-bomb"}
    names = list(receiver.behaviours)
    async with notify(platform, names):
        for name in names:
            await configure(platform, name, receiver.url(name))
        await asyncio.gather(*(tell(platform, name, f"of-{name}") for name in names))
        found = await finished(platform, *(f"of-{name}" for name in names))
    outcomes = {name: found[f"of-{name}"] for name in names}
    assert {name for name, each in outcomes.items() if each["outcome"] == "delivered"} == delivered
    for name, each in outcomes.items():
        # The log says what the receiver saw.
        assert receiver.ids(name) == {f"of-{name}": len(each["attempts"])}
        wanted = {"fails-twice": 3, "hangs-once": 2}.get(name, 1 if name in delivered else 4)
        assert len(each["attempts"]) == wanted, name
        assert max(entry["seconds"] for entry in each["attempts"]) < 1.0 + 1.0, name
        assert each["outcome"] == "delivered" or each["reason"].endswith("; tried 4 times")
    assert receiver.on("secret") == []
    reasons = {name: outcomes[name]["attempts"][0]["reason"] for name in names if name not in delivered}
    assert reasons["hangs"] == reasons["drips"] == "no answer in time"
    assert "redirects are not followed" in reasons["redirects"]
    assert reasons["hangs-up"] == "closed the connection without an answer"
    assert {reasons[name] for name in ("no-http", "endless-headers", "says-too-much")} == {"its answer is not HTTP"}


async def test_gone_means_no_more_until_it_is_configured_anew(platform: Platform, receiver: Receiver) -> None:
    receiver.behaviours["gone"] = first(1, status(410))
    async with notify(platform, ["acme"]):
        await configure(platform, "acme", receiver.url("gone"))
        await tell(platform, "acme", "e1")
        assert (await finished(platform, "e1"))["e1"]["outcome"] == "given-up"
        await tell(platform, "acme", "e2")
        second = (await finished(platform, "e2"))["e2"]
        assert (second["outcome"], second["attempts"]) == ("given-up", [])
        await configure(platform, "acme", receiver.url("gone"), version=2)
        await tell(platform, "acme", "e3")
        assert (await finished(platform, "e3"))["e3"]["outcome"] == "delivered"
    assert receiver.ids("gone") == {"e1": 1, "e3": 1}


async def test_receiver_that_asks_for_a_pause_gets_it(platform: Platform, receiver: Receiver) -> None:
    receiver.behaviours["busy"] = first(1, status(429, Retry_After="2"))
    async with notify(platform, ["acme"]):
        await configure(platform, "acme", receiver.url("busy"))
        await tell(platform, "acme", "e1")
        assert tries((await finished(platform, "e1"))["e1"]) == [("failed", 429), ("delivered", 200)]
    refused, taken = receiver.on("busy")
    assert taken.at - refused.at >= 2.0


async def test_dead_endpoint_costs_a_probe_a_pause_and_holds_back_nobody(
    platform: Platform, receiver: Receiver
) -> None:
    receiver.behaviours["dead"] = hang
    ids = [f"d{n}" for n in range(40)]
    async with notify(platform, ["dead", "alive"], retry_seconds=(0.2,) * 9, pause_seconds=2.0):
        await configure(platform, "dead", receiver.url("dead"))
        await configure(platform, "alive", receiver.url("alive"))
        await tell(platform, "dead", *ids)
        endpoints = platform.database("notify")["endpoints"]

        async def paused() -> bool:
            return endpoints.count_documents({"_id": "dead/webhook/1", "paused_until": {"$ne": None}}) == 1

        await eventually(paused, what="the pause")
        tried = len(receiver.on("dead"))
        assert tried == 5  # in a row: one at a time while it does not answer
        await tell(platform, "alive", "a1", "a2")
        await finished(platform, "a1", "a2")
        assert len(receiver.on("dead")) <= tried + 2

        async def probed() -> bool:
            return len(receiver.on("dead")) > tried

        await eventually(probed, what="the probe")
        del receiver.behaviours["dead"]
        found = await finished(platform, *ids)
    assert {each["outcome"] for each in found.values()} == {"delivered"}
    assert set(receiver.ids("dead")) == set(ids)
    assert receiver.most_in_flight["dead"] <= 4
    # Those that had to wait for others have lost no try.
    assert sum(len(each["attempts"]) == 1 for each in found.values()) >= len(ids) - 12


async def test_many_that_hang_hold_back_nobody(platform: Platform, receiver: Receiver) -> None:
    hanging = [f"hangs-{number}" for number in range(10)]
    receiver.behaviours |= dict.fromkeys(hanging, hang)
    ids = [f"a{number}" for number in range(20)]
    async with notify(platform, [*hanging, "alive"], sends=8, send_seconds=20.0):
        for name in (*hanging, "alive"):
            await configure(platform, name, receiver.url(name))
        await asyncio.gather(*(tell(platform, name, f"{name}/1", f"{name}/2") for name in hanging))

        async def hung() -> bool:
            return sum(receiver.in_flight[name] for name in hanging) >= 8  # all the room

        await eventually(hung, what="as many as may hang")
        await tell(platform, "alive", *ids)
        found = await finished(platform, *ids)
        began = min(each.at for name in hanging for each in receiver.on(name))
    assert {each["outcome"] for each in found.values()} == {"delivered"}
    assert max(each.at for each in receiver.on("alive")) < began + 20.0  # none of those had ended
    assert [receiver.most_in_flight[name] for name in hanging] == [1] * len(hanging)


async def test_stop_gives_back_what_is_in_flight_at_once(platform: Platform, receiver: Receiver) -> None:
    receiver.behaviours["slow"] = first(1, hang)
    async with notify(platform, ["acme"], send_seconds=60.0):
        await configure(platform, "acme", receiver.url("slow"))
        await tell(platform, "acme", "e1")

        async def sent() -> bool:
            return bool(receiver.on("slow"))

        await eventually(sent, what="the first try")
    async with running(platform, send_seconds=60.0):
        found = await finished(platform, "e1")
    assert tries(found["e1"]) == [("interrupted", None), ("delivered", 200)]
    assert receiver.ids("slow") == {"e1": 2}


async def test_channel_that_is_taken_away_gets_nothing_more(platform: Platform, receiver: Receiver) -> None:
    receiver.behaviours["dead"] = status(500)
    async with notify(platform, ["acme"], retry_seconds=(2.0,) * 9):
        await configure(platform, "acme", receiver.url("dead"))
        await tell(platform, "acme", "e1")

        async def tried() -> bool:
            return bool(receiver.on("dead"))

        await eventually(tried, what="the first try")
        await configure(platform, "acme", None)
        found = await finished(platform, "e1")
        assert found["e1"]["outcome"] == "given-up"
        assert found["e1"]["reason"] == "the member has taken the channel away"
        before = len(receiver.received)
        await tell(platform, "acme", "e2")

        async def passed() -> bool:
            place = {"_id": {"$regex": r"\.deliver.*member\.acme\.inbox"}, "next": {"$gte": 2}}
            return platform.database("notify")["positions"].count_documents(place) == 1

        await eventually(passed, what="e2 behind the deliver stage")
        await configure(platform, "acme", receiver.url("new"), version=3)
        await tell(platform, "acme", "e3")
        await finished(platform, "e3")
    assert len(receiver.received) == before + 1
    assert receiver.ids("new") == {"e3": 1}


async def test_only_messages_are_sent_on(platform: Platform, receiver: Receiver) -> None:
    async with notify(platform, ["acme"]):
        await configure(platform, "acme", receiver.url("hook"))
        await platform.produce(
            "member.acme.inbox",
            [("x", b"{}", [("no", b"event")]), ("x", None, event_headers("n", "tongtu.receipt.v1"))],
        )
        await tell(platform, "acme", "e1")
        await finished(platform, "e1")
        letters = await platform.read_until("notify.dead-letters", 1)
    assert receiver.ids("hook") == {"e1": 1}
    assert len(letters) == 1
