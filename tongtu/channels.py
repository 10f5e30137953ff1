"""The registry's word on how a member is told beside its inbox: what is configured, and how that changes."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from shared.contracts.channels import ChannelsConfigured, Webhook
from shared.contracts.events import INBOX_MESSAGES
from shared.contracts.problems import field_problems
from tongtu.errors import UsageError
from tongtu.members import VERSION_ATTRIBUTE, write_registry
from tongtu.reading import Reader
from tongtu.writing import Writer

_IN_CLEAR = "whsec_"
_SECRET_BYTES = 32
"""Standard Webhooks asks for 24 to 64 random ones."""


def new_webhook_secret() -> str:
    """What nobody can guess, as Standard Webhooks writes it."""
    return f"{_IN_CLEAR}{base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def rotated(webhook: Webhook, sealed: str) -> Webhook:
    """A new secret, sealed, signs beside the former one, until the next rotation."""
    return webhook.model_copy(update={"secrets": (sealed, webhook.secrets[0])})


async def configured(reader: Reader, member: str) -> ChannelsConfigured:
    """What the member has now; where it has no channel, an entry without any. Its version is that of the last record.

    The first version of an entry is 1, so that of one that was never written reads as 0.
    """
    event = await reader.latest(ChannelsConfigured.topic, member)
    if event is not None and event.data is not None:
        entry = json.loads(event.data)
        if any(secret.startswith(_IN_CLEAR) for secret in (entry.get("webhook") or {}).get("secrets", ())):
            del entry["webhook"]  # from before secrets were sealed: it is to be set anew
        return ChannelsConfigured.model_validate(entry)
    version = 0 if event is None else int(event.extensions.get(VERSION_ATTRIBUTE, "0"))
    return ChannelsConfigured.model_construct(member=member, version=version, webhook=None, email=None)


def changed(
    present: ChannelsConfigured, way: str, given: dict[str, Any], preferred: dict[str, Any], forget: bool
) -> ChannelsConfigured:
    """The next version, with what is given changed on one channel (`webhook`, `email`) and in its preferences.

    `forget`: whatever was preferred before. A `digest_at` of "-" is none. Raises UsageError.
    """
    document = present.model_dump(mode="json", exclude_none=True)
    channel = {**(document.get(way) or {}), **given}
    if channel.get("digest_at") == "-":
        del channel["digest_at"]
    for name in ("url",) if way == "webhook" else ("addresses", "language"):
        if name not in channel:
            raise UsageError("give --url" if way == "webhook" else "give --address and --language")
    preferences = {**({} if forget else document.get(f"{way}_preferences", {})), **preferred}
    document |= {way: channel, f"{way}_preferences": preferences, "version": present.version + 1}
    try:
        wanted = ChannelsConfigured.model_validate(document)
    except ValidationError as error:
        faults = (f"{each.pointer.strip('/').partition('/')[2]} {each.message}" for each in field_problems(error))
        raise UsageError("; ".join(faults)) from None
    _check(preferences)
    return wanted


def _check(preferences: dict[str, Any]) -> None:
    """What the contract leaves open, because later versions may know more. Raises UsageError."""
    known = {model.type.removeprefix("tongtu.").rpartition(".v")[0] for model in INBOX_MESSAGES}
    if unknown := set(preferences.get("kinds", ())) - known:
        raise UsageError(f"--kind {', '.join(sorted(unknown))}: must be one of {', '.join(sorted(known))}")
    try:
        ZoneInfo(preferences.get("timezone", "UTC"))
    except (LookupError, OSError, ValueError):
        raise UsageError(f"--timezone {preferences['timezone']}: there is no such zone; try Asia/Shanghai") from None


async def publish(writer: Writer, entry: ChannelsConfigured) -> None:
    """Tells notify what the member wants from now on; null where that is no channel."""
    nothing = entry.webhook is None and entry.email is None
    value = None if nothing else entry.model_dump_json(exclude_none=True).encode()
    await write_registry(writer, ChannelsConfigured, entry.member, value, entry.version)


async def forget(reader: Reader, writer: Writer, member: str) -> None:
    """Takes every channel of a member away, if it has one."""
    present = await configured(reader, member)
    if present.webhook is not None or present.email is not None:
        left = {"webhook": None, "email": None, "version": present.version + 1}
        await publish(writer, present.model_copy(update=left))
