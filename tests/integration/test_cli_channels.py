"""Channels at the command line: set, shown without secrets, rotated, taken away; and what became of deliveries."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from services.notify.app import assemble
from services.notify.channels.app import assemble_channels
from services.notify.settings import NotifySettings
from shared.runtime.sealing import Opener
from shared.runtime.service import Service
from tests.command_line import CommandLine
from tests.integration.test_notify_channels import QUICK, tell
from tests.platform import Platform, eventually
from tests.receiver import first, running_receiver, status
from tests.sealed import keys
from tongtu.embedded.ports import free_port

STEEL = "steel-works"
HOOK = "https://hooks.example.org/tongtu"
SET = ("members", "channels", "set", STEEL)


@pytest.fixture
def tongtu(platform: Platform) -> CommandLine:
    command_line = CommandLine.on(platform)
    command_line.environment["TONGTU_WEBHOOK_PUBLIC_KEY_FILE"] = str(keys().public)
    command_line.run("topics", "apply")
    command_line.run("members", "add", STEEL, "--name-en", "Sample Steel")
    return command_line


async def entries(platform: Platform) -> list[tuple[str, Any]]:
    """Version in the header or the value, and value, of every record about channels."""
    records = await platform.read("notify.channels")
    return [
        (dict(each.headers)["ce_recordversion"].decode(), each.value and json.loads(each.value)) for each in records
    ]


def opened(entry: dict[str, Any]) -> list[str]:
    """The secrets of an entry, as notify reads them."""
    return [Opener(keys().private).open(each, f"webhook of {STEEL}") for each in entry["webhook"]["secrets"]]


def secret_in(printed: str) -> str:
    (found,) = re.findall(r"whsec_\S+", printed)
    return found


async def test_webhook_is_set_and_its_secret_is_shown_once(
    platform: Platform, tongtu: CommandLine, tmp_path: Path
) -> None:
    assert "inbox alone" in tongtu.run("members", "channels", "show", STEEL)
    assert "https" in tongtu.refusal(*SET, "webhook", "--url", "http://hooks.example.org/", code=2)
    assert "give --url" in tongtu.refusal(*SET, "webhook", code=2)
    secret = secret_in(tongtu.run(*SET, "webhook", "--url", HOOK, "--kind", "proposal", "--quiet", "22:00-07:00"))
    changed = tongtu.run(*SET, "webhook", "--least-score", "0.6", "--field", "C38", "--field", "3")
    assert "whsec_" not in changed
    version, entry = (await entries(platform))[-1]
    assert opened(entry) == [secret]
    assert (version, entry) == (
        "2",
        {
            "member": STEEL,
            "version": 2,
            "webhook": {"url": HOOK, "secrets": entry["webhook"]["secrets"]},
            "webhook_preferences": {
                "kinds": ["proposal"],
                "least_score": 0.6,
                "fields": ["C38", "3"],
                "quiet_hours": {"begins": "22:00", "ends": "07:00"},
                "timezone": "Asia/Shanghai",
            },
            "email_preferences": {"fields": [], "timezone": "Asia/Shanghai"},
        },
    )
    shown = tongtu.run("members", "channels", "show", STEEL)
    assert all(each in shown for each in (HOOK, "22:00-07:00", "least score 0.6"))
    assert secret not in shown + json.dumps(tongtu.json("members", "channels", "show", STEEL))

    file = tmp_path / "secret"
    assert "whsec_" not in tongtu.run("members", "channels", "rotate-secret", STEEL, "--credentials-file", str(file))
    newest = secret_in(file.read_text())
    assert file.stat().st_mode & 0o777 == 0o600
    assert opened((await entries(platform))[-1][1]) == [newest, secret]


async def test_without_a_public_key_nothing_is_written(platform: Platform, tongtu: CommandLine, tmp_path: Path) -> None:
    for file, said in (
        (None, "give its public key in"),
        (tmp_path / "no", "No such file"),
        (keys().private, "no public"),
    ):
        tongtu.environment["TONGTU_WEBHOOK_PUBLIC_KEY_FILE"] = str(file or "")
        assert said in tongtu.refusal(*SET, "webhook", "--url", HOOK)
    assert await platform.read("notify.channels") == []
    tongtu.run(*SET, "email", "--address", "a@example.org", "--language", "zh")


async def test_channels_are_taken_away(platform: Platform, tongtu: CommandLine) -> None:
    tongtu.run(*SET, "webhook", "--url", HOOK)
    tongtu.run(*SET, "email", "--address", "a@example.org", "--address", "b@example.org", "--language", "zh")
    tongtu.run(*SET, "email", "--digest-at", "08:00", "--timezone", "Europe/Berlin")
    assert tongtu.json("members", "channels", "show", STEEL)["email"] == {
        "addresses": ["a@example.org", "b@example.org"],
        "language": "zh",
        "digest_at": "08:00",
    }
    tongtu.run(*SET, "email", "--digest-at", "-")
    assert "digest_at" not in tongtu.json("members", "channels", "show", STEEL)["email"]
    tongtu.run("members", "channels", "remove", STEEL, "webhook")
    assert "webhook" not in (await entries(platform))[-1][1]
    assert "has no webhook" in tongtu.refusal("members", "channels", "remove", STEEL, "webhook")
    assert "has no webhook" in tongtu.refusal("members", "channels", "rotate-secret", STEEL)
    tongtu.run("members", "channels", "remove", STEEL)
    assert (await entries(platform))[-1] == ("6", None)
    secret_in(tongtu.run(*SET, "webhook", "--url", HOOK))  # a new one
    assert (await entries(platform))[-1][0] == "7"
    tongtu.run("members", "remove", STEEL)
    assert (await entries(platform))[-1] == ("8", None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("webhook", "--url", HOOK, "--kind", "gossip"), "must be one of"),
        (("webhook", "--url", HOOK, "--timezone", "Mars/Olympus"), "no such zone"),
        (("webhook", "--url", HOOK, "--quiet", "late"), "two times"),
        (("webhook", "--url", HOOK, "--least-score", "3"), "least_score"),
        (("webhook", "--url", "https://user:secret@hooks.example.org/"), "url"),
        (("webhook", "--address", "a@example.org"), "belong to email"),
        (("email", "--address", "nobody", "--language", "zh"), "addresses"),
        (("email", "--address", "a@example.org"), "--language"),
    ],
)
async def test_what_is_wrong_is_said_and_nothing_is_written(
    platform: Platform, tongtu: CommandLine, options: tuple[str, ...], said: str
) -> None:
    told = tongtu.refusal(*SET, *options, code=2)
    assert said in told
    assert "secret@" not in told
    assert await platform.read("notify.channels") == []


def test_only_members_have_channels(tongtu: CommandLine) -> None:
    for command in (("show",), ("rotate-secret",), ("remove",)):
        assert "is not a member" in tongtu.refusal("members", "channels", *command, "nobody")


async def test_what_the_command_line_sets_is_sent_and_listed(platform: Platform, tongtu: CommandLine) -> None:
    port = free_port()
    settings = platform.settings(NotifySettings, **QUICK, health_port=port)
    at = ("--at", f"http://127.0.0.1:{port}")
    async with running_receiver() as receiver, Service("notify", settings) as service:
        assemble(service, settings)
        assemble_channels(service, settings)
        async with platform.running(service):
            url = receiver.url("hook?key=private")
            secret = secret_in(await asyncio.to_thread(tongtu.run, *SET, "webhook", "--url", url, "--plain"))

            async def known() -> bool:
                return platform.database("notify")["channels"].count_documents({"_id": STEEL}) == 1

            await eventually(known, what="notify knows the channel")
            receiver.behaviours["hook"] = first(1, status(500))
            await tell(platform, STEEL, "e1")

            async def delivered() -> list[Any]:
                found = await asyncio.to_thread(tongtu.json, "deliveries", "list", "--member", STEEL, *at)
                return [each for each in found if each["state"] == "delivered"]

            (listed,) = await eventually(delivered, what="the delivery in the list")
            shown = await asyncio.to_thread(tongtu.run, "deliveries", "list", *at)
            nobody = await asyncio.to_thread(tongtu.json, "deliveries", "list", "--member", "nobody", *at)
    assert (listed["id"], listed["type"], listed["next"]) == ("e1/webhook", "tongtu.proposal.v1", None)
    assert [(each["outcome"], each["status"]) for each in listed["attempts"]] == [("failed", 500), ("delivered", 200)]
    assert all(each.is_signed_with(secret) for each in receiver.on("hook"))
    assert "e1/webhook" in shown
    assert nobody == []
    assert not [each for each in (secret, "private", "match_id") if each in shown + json.dumps(listed)]
    assert "does not answer" in tongtu.refusal("deliveries", "list", *at)
