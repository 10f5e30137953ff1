"""The receiver that docs/notifications.md shows to members takes what the platform sends, and nothing else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path

import pytest

from services.notify.channels.delivery import Delivered, Delivery, Failed, InboxEvent
from services.notify.channels.webhook import WebhookChannel
from shared.contracts.channels import ChannelsConfigured, Webhook
from tests.platform import eventually
from tests.sealed import keys, sealed
from tongtu.channels import new_webhook_secret, rotated
from tongtu.embedded.ports import free_port

DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
NOW = datetime.now(UTC)
EVENT = InboxEvent("e1", "/services/notify", "tongtu.proposal.v1", NOW, "m1", {"title": "薄膜"})
DELIVERY = Delivery("e1/webhook", "acme", "webhook", "", EVENT, 1, NOW)
SECRET = new_webhook_secret()


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The program of the documentation, and where it listens."""
    (program,) = re.findall(r"<!-- receiver.py -->\n```python\n(.*?)```", DOCUMENTATION, re.DOTALL)
    file = tmp_path / "receiver.py"
    file.write_text(program, encoding="utf-8")
    port = free_port()
    environment = os.environ | {"TONGTU_WEBHOOK_SECRET": SECRET, "PORT": str(port)}
    process = subprocess.Popen([sys.executable, str(file)], env=environment, stdout=subprocess.PIPE, text=True)
    yield f"http://127.0.0.1:{port}/", process
    process.kill()
    process.wait()


async def test_receiver_takes_each_message_once_and_refuses_what_is_not_signed_for_it(
    receiver: tuple[str, subprocess.Popen[str]],
) -> None:
    url, process = receiver
    channel = WebhookChannel(keys().private, 5.0, plain_targets=True, allowed=[ip_network("127.0.0.0/8")])

    async def send(webhook: Webhook, id: str) -> object:
        configuration = ChannelsConfigured(member="acme", version=1, webhook=webhook)
        return await channel.send(configuration, [replace(DELIVERY, event=replace(EVENT, id=id))])

    former = Webhook(url=url, secrets=(sealed(SECRET, "acme"),))

    async def listens() -> bool:
        return await send(former, "e1") == Delivered(204)

    await eventually(listens, what="the receiver of the documentation")
    assert await send(former, "e1") == Delivered(204)  # a repetition
    newer, newest = (sealed(new_webhook_secret(), "acme") for _ in range(2))
    assert await send(rotated(former, newer), "e2") == Delivered(204)
    refused = await send(rotated(rotated(former, newer), newest), "e3")
    assert isinstance(refused, Failed)
    assert refused.status == 401
    process.kill()
    printed, _ = process.communicate()
    assert printed.splitlines() == ["tongtu.proposal.v1 m1"] * 2
