"""A webhook secret is known to the member and to notify while it signs: nothing that is kept has it in clear."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.channels import ChannelsConfigured
from shared.contracts.dead_letter import DeadLetter
from tests.command_line import CommandLine
from tests.integration.test_notify_channels import tell
from tests.platform import Platform, event_headers, eventually
from tests.receiver import Receiver, first, running_receiver, status
from tests.sealed import keys
from tongtu.supervision.service_process import ServiceProcess

MEMBER = "steel-works"
SET = ("members", "channels", "set", MEMBER, "webhook")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with running_receiver() as running:
        yield running


async def test_no_secret_is_on_a_topic_in_the_database_in_a_dead_letter_or_in_a_log(
    platform: Platform, receiver: Receiver, tmp_path: Path
) -> None:
    tongtu = CommandLine(platform.environment | {"TONGTU_WEBHOOK_PUBLIC_KEY_FILE": str(keys().public)})
    await asyncio.to_thread(tongtu.run, "topics", "apply")
    await asyncio.to_thread(tongtu.run, "members", "add", MEMBER, "--name-en", "Sample Steel")
    environment = platform.environment | {
        "TONGTU_LOG": "debug",
        "TONGTU_NOTIFY_PLAIN_TARGETS": "true",
        "TONGTU_NOTIFY_ALLOWED_NETWORKS": "127.0.0.0/8",
        "TONGTU_NOTIFY_RETRY_SECONDS": "0.1",
        "TONGTU_NOTIFY_WEBHOOK_KEY_FILE": str(keys().private),
    }
    notify = ServiceProcess("notify", [sys.executable, "-m", "services.notify"], environment, tmp_path)
    notify.start()
    try:
        url = receiver.url("hook")
        shown = [await asyncio.to_thread(tongtu.run, *SET, "--url", url, "--plain")]
        shown += [await asyncio.to_thread(tongtu.run, "members", "channels", "rotate-secret", MEMBER) for _ in range(2)]
        secrets = re.findall(r"whsec_\S+", "".join(shown))
        database = platform.database("notify")

        async def known() -> bool:
            return database["channels"].count_documents({"entry.version": len(secrets)}) == 1

        await eventually(known, what="the latest secret in notify")
        receiver.behaviours["hook"] = first(1, status(500))
        await tell(platform, MEMBER, "e1")
        # A registry whose entry no reader takes: the record is kept whole, for an operator to look at.
        record = (await platform.read("notify.channels"))[-1]
        broken = json.loads(record.value or b"") | {"version": "the next"}
        headers = event_headers("broken", ChannelsConfigured.type, "/registry")
        await platform.produce("notify.channels", [(MEMBER, json.dumps(broken).encode(), headers)])
        (record,) = await platform.read_until("notify.dead-letters", 1)
        letter = DeadLetter.model_validate_json(record.value or b"")

        async def delivered() -> bool:
            return database["deliveries"].count_documents({"outcome": "delivered"}) == 1

        await eventually(delivered, what="the delivery")
    finally:
        notify.stop()
    posts = receiver.on("hook")
    assert len(posts) == 2
    assert [[each.is_signed_with(secret) for secret in secrets] for each in posts] == [[False, True, True]] * 2
    kept: dict[str, Any] = {
        "topic": b"".join(each.value or b"" for each in await platform.read("notify.channels")),
        "letter": [letter.message, letter.original.value_bytes],
        "database": [list(database[name].find({})) for name in database.list_collection_names()],
        "log": (tmp_path / "notify.log").read_text(),
    }
    assert all(kept.values())
    told = {name: str(what) for name, what in kept.items()}
    assert {name for name, what in told.items() if "sealed_" in what} == {"topic", "database", "letter"}
    for secret in secrets:
        assert [name for name, what in told.items() if secret.removeprefix("whsec_") in what] == []
