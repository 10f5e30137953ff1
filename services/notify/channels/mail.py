"""Sends deliveries as e-mail: one mail for a message, one for all of a digest, and says what became of it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage

import aiosmtplib

from services.notify.channels.delivery import LONGEST_REASON, Delivered, Delivery, Failed, Refused, Result
from services.notify.channels.digest import digest_of
from services.notify.channels.letter import Language, Letter, one_line
from services.notify.channels.mail_message import as_written_to, mail_of
from services.notify.channels.mail_text import letter_of
from services.notify.channels.preferences import local_day
from services.notify.settings import NotifySettings
from shared.contracts.channels import ChannelsConfigured

_PORTS = {"starttls": 587, "tls": 465, "none": 25}
_NOT_LET_IN = frozenset({530, 534, 535, 538})
"""Answers that are about the login of this platform, wherever they come (RFC 4954)."""
_CLOSING = 421
_TOO_LARGE = 552


class EmailChannel:
    """Hands mail to one SMTP server, which brings it to the addresses.

    Refused is what the server will not take at any time (5xx) for this address or this mail. Everything else is tried
    again: no connection, no answer in time, 4xx, and whatever this platform's own login or address causes, which an
    operator can put right.
    """

    def __init__(self, settings: NotifySettings) -> None:
        self._settings = settings
        self.seconds = settings.smtp_seconds
        self._tls = ssl.create_default_context(cafile=settings.smtp_ca)

    def endpoint(self, configuration: ChannelsConfigured) -> str:
        """All mail goes through one server."""
        return "smtp"

    async def send(self, configuration: ChannelsConfigured, deliveries: Sequence[Delivery]) -> Result:
        """One mail to the one address that these are for."""
        settings, email = self._settings, configuration.email
        if settings.smtp_host is None or settings.smtp_from is None:
            return Failed("no SMTP server is set: give TONGTU_NOTIFY_SMTP_HOST")
        first = deliveries[0]
        if email is None or first.target not in email.addresses:
            return Refused("the member is no longer written to at this address")
        letter = self._letter(configuration, "zh" if email.language == "zh" else "en", deliveries)
        if letter is None:
            return Delivered()
        try:
            mail = mail_of(letter, settings.smtp_from, first.target, first.id, datetime.now(UTC))
        except ValueError as error:
            return Refused(str(error))
        try:
            async with asyncio.timeout(settings.smtp_seconds):
                await self._submit(mail, settings.smtp_host, settings.smtp_from, first.target)
        except TimeoutError:
            return Failed(f"the SMTP server has not taken the mail within {settings.smtp_seconds:g} seconds")
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            return _result_of(error)
        return Delivered(250)

    def _letter(
        self, configuration: ChannelsConfigured, language: Language, deliveries: Sequence[Delivery]
    ) -> Letter | None:
        first = deliveries[0]
        if first.channel != "digest":
            return letter_of(first.event, first.member, language)
        day = local_day(configuration.email_preferences, first.first_due)
        return digest_of(deliveries, first.member, day, language, self._settings.digest_most)

    async def _submit(self, mail: EmailMessage, host: str, sender: str, recipient: str) -> None:
        settings = self._settings
        password = settings.smtp_password()
        server = aiosmtplib.SMTP(
            hostname=host,
            port=settings.smtp_port or _PORTS[settings.smtp_security],
            local_hostname=as_written_to(sender).rpartition("@")[2],
            timeout=settings.smtp_seconds,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            tls_context=self._tls,
            username=settings.smtp_user,
            password=password.get_secret_value() if password else None,
        )
        try:
            await server.connect()
            await server.send_message(mail, sender=as_written_to(sender), recipients=[as_written_to(recipient)])
            # It has been taken, and nothing that comes after may make it look as if it had not.
            if isinstance(server.transport, asyncio.WriteTransport):
                server.transport.write(b"QUIT\r\n")
        finally:
            server.close()


def _result_of(error: Exception) -> Result:
    """What a failure means: never again, or once more."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        error = error.recipients[0]
    if not isinstance(error, aiosmtplib.SMTPResponseException):
        return Failed(_reason(f"{type(error).__name__}: {error}"))
    reason = _reason(f"{error.code} {error.message}")
    of_recipient = isinstance(error, aiosmtplib.SMTPRecipientRefused)
    of_mail = isinstance(error, aiosmtplib.SMTPDataError) or error.code == _TOO_LARGE
    if error.code >= 500 and error.code not in _NOT_LET_IN and (of_recipient or of_mail):
        return Refused(reason, status=error.code)
    return Failed(reason, status=error.code, alive=of_recipient and error.code < 500 and error.code != _CLOSING)


def _reason(text: str) -> str:
    return one_line(text)[:LONGEST_REASON]
