"""Webhooks: the inbox message as a CloudEvent in JSON, posted to the member's address and signed.

https://www.standardwebhooks.com and https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from standardwebhooks.webhooks import Webhook as Signer

from services.notify.channels.addresses import ForbiddenAddress, Network, guarded_socket
from services.notify.channels.delivery import LONGEST_REASON, Delivered, Delivery, Failed, InboxEvent, Refused, Result
from services.notify.channels.names import Names
from shared.contracts.channels import ChannelsConfigured
from shared.runtime.sealing import NotOpenedError, Opener, SealingKeyError

CONTENT_TYPE = "application/cloudevents+json; charset=utf-8"
GONE = 410
"""The receiver wants no more, as Standard Webhooks has it."""


class WebhookChannel:
    """Posts to what members have configured; connects to public addresses only.

    An answer's status is all that is read of it. So its body may lie about its length, or never end. Every delivery has
    a connection of its own: what is wrong with one answer cannot spoil the next.
    """

    def __init__(
        self,
        key_file: Path | None,
        seconds: float,
        plain_targets: bool = False,
        allowed: Sequence[Network] = (),
        look_ups: int = 32,
    ) -> None:
        """`key_file` opens members' secrets; `plain_targets` allows http.

        `seconds` for a delivery from its name's look-up to the answer's status; `look_ups` of names go on at a time.
        """
        self._opener = None if key_file is None else Opener(key_file)
        self.seconds = seconds
        self._timeout = aiohttp.ClientTimeout(total=seconds)
        self._plain_targets = plain_targets
        self._allowed = tuple(allowed)
        self._names = Names(look_ups)

    def endpoint(self, configuration: ChannelsConfigured) -> str:
        """The member's address as it was configured: whoever configures it anew begins anew."""
        return f"{configuration.member}/webhook/{configuration.version}"

    async def send(self, configuration: ChannelsConfigured, deliveries: Sequence[Delivery]) -> Result:
        """Posts one message. Redirects are not followed, and no proxy of the environment is used."""
        webhook = configuration.webhook
        if webhook is None:
            return Refused("no webhook is configured")
        if not webhook.url.startswith("https://") and not self._plain_targets:
            return Refused("the address is not https")
        (delivery,) = deliveries
        body = structured(delivery.event)
        secrets = list(self._opened(webhook.secrets, configuration.purpose))
        if not secrets:
            return Failed("its secret cannot be opened: see TONGTU_NOTIFY_WEBHOOK_KEY_FILE", alive=True)
        headers = {**signed(delivery.event.id, body, secrets, datetime.now(UTC)), "Content-Type": CONTENT_TYPE}
        try:
            return await self._post(webhook.url, body, headers)
        except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
            return Failed(_reason(error))

    def _opened(self, sealed: Sequence[str], purpose: str) -> Iterator[str]:
        """Those of the secrets that a key of this service opens."""
        if self._opener is not None:
            for each in sealed:
                with contextlib.suppress(NotOpenedError, SealingKeyError):
                    yield self._opener.open(each, purpose)

    async def _post(self, url: str, body: str, headers: dict[str, str]) -> Result:
        # A connector for each delivery: no look-up of a name, connection or cookie is shared between members.
        connector = aiohttp.TCPConnector(
            socket_factory=guarded_socket(self._allowed),
            resolver=self._names,
            use_dns_cache=False,
            force_close=True,
        )
        async with (
            aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                trust_env=False,
                headers={"User-Agent": "tongtu-notify"},
            ) as session,
            session.post(url, data=body.encode(), headers=headers, allow_redirects=False) as answer,
        ):
            status, retry_after = answer.status, answer.headers.get("Retry-After")
            answer.close()  # whatever follows is not read
        return result(status, retry_after, datetime.now(UTC))


def structured(event: InboxEvent) -> str:
    """The message as one JSON document, the same to the byte at every try."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "time": event.time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **({"subject": event.subject} if event.subject else {}),
        "datacontenttype": "application/json",
        "dataschema": f"urn:tongtu:schema:{event.type}",
        "data": event.data,
    }
    return orjson.dumps(attributes).decode()


def signed(message_id: str, body: str, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The three headers of Standard Webhooks, with a signature by each secret."""
    signatures = [Signer(secret).sign(message_id, now, body) for secret in secrets]
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def result(status: int, retry_after: str | None, now: datetime) -> Result:
    """What a receiver's answer means."""
    if 200 <= status < 300:
        return Delivered(status)
    if status == GONE:
        return Refused("answered 410: it wants no more until it is configured anew", gone=True, status=status)
    if 300 <= status < 400:
        return Failed(f"answered {status}: redirects are not followed, configure the final address", status=status)
    return Failed(f"answered {status}", _asked(retry_after, now), status)


def _asked(written: str | None, now: datetime) -> timedelta | None:
    """The wait that a Retry-After header asks for: seconds, or a date (RFC 9110); None where it says neither."""
    if written is None:
        return None
    if written.strip().isascii() and written.strip().isdigit():
        return timedelta(seconds=min(int(written.strip()[:9]), 10**8))
    try:
        until = parsedate_to_datetime(written)
    except ValueError:
        return None
    return max(timedelta(0), (until if until.tzinfo else until.replace(tzinfo=UTC)) - now)


def _reason(error: Exception) -> str:
    """In words, without the address: it may hold a secret of the member's."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ForbiddenAddress):
        return str(cause)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name cannot be resolved"
    if isinstance(error, aiohttp.InvalidURL):
        return "the address cannot be used"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "closed the connection without an answer"
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, ssl.SSLError, aiohttp.ClientSSLError)):
        return f"TLS failed: {type(error).__name__}"
    if isinstance(error, aiohttp.ClientResponseError):
        return "its answer is not HTTP"
    text = getattr(cause, "strerror", None) or type(error).__name__
    return f"cannot be reached: {text}"[:LONGEST_REASON]
