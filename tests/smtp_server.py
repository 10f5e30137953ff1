"""A real SMTP server for tests, which takes mail, or refuses, puts off, hangs and hangs up as it is told."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Any, Literal

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

USER, PASSWORD = "tongtu", "a password that no log may show"


@dataclass(slots=True)
class Behaviour:
    """What it says; answers are SMTP replies, such as "550 5.1.1 no such user"."""

    recipients: dict[str, list[str]] = field(default_factory=dict)
    """For an address its next answers to RCPT, first to last; then it is taken."""
    sender: str | None = None
    """To MAIL."""
    data: list[str] = field(default_factory=list)
    """The next answers to a mail; then it is taken."""
    hangs: Literal["", "rcpt", "data"] = ""
    """Where it does not answer any more."""
    hangs_up_after_data: int = 0
    """So many times it takes a mail and ends the connection instead of saying so."""


@dataclass(slots=True)
class SmtpServer:
    """A running one, with what it took."""

    host: str
    port: int
    behaviour: Behaviour
    mails: list[EmailMessage] = field(default_factory=list)
    """Taken, whether or not that was said."""
    envelopes: list[tuple[str, list[str], bool]] = field(default_factory=list)
    """Sender, recipients, and whether it came by TLS."""
    logins: list[str] = field(default_factory=list)


class _Handler:
    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self.stopping = threading.Event()

    async def handle_MAIL(  # noqa: N802 - the names that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self._server.behaviour.sender is not None:
            return self._server.behaviour.sender
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        await self._hang("rcpt")
        answers = self._server.behaviour.recipients.get(address)
        if answers:
            return answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        behaviour = self._server.behaviour
        await self._hang("data")
        if behaviour.data:
            return behaviour.data.pop(0)
        content = envelope.content
        assert isinstance(content, bytes)
        parsed = message_from_bytes(content, policy=SMTP_POLICY)
        assert isinstance(parsed, EmailMessage)
        self._server.mails.append(parsed)
        transport: Any = server.transport
        by_tls = transport.get_extra_info("ssl_object") is not None
        self._server.envelopes.append((envelope.mail_from or "", envelope.rcpt_tos, by_tls))
        if behaviour.hangs_up_after_data:
            behaviour.hangs_up_after_data -= 1
            transport.abort()
        return "250 OK"

    async def _hang(self, where: str) -> None:
        if self._server.behaviour.hangs == where:
            await asyncio.to_thread(self.stopping.wait)


class _AnyPort(Controller):
    """Listens on a port that the system chooses."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def smtp_server(
    behaviour: Behaviour | None = None, tls: ssl.SSLContext | None = None, starttls: bool = True
) -> Generator[SmtpServer]:
    """Runs one for the block. With `tls` it speaks TLS (by STARTTLS, or else at once) and wants a login."""
    running = SmtpServer("127.0.0.1", 0, behaviour or Behaviour())
    handler = _Handler(running)

    def authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, auth: Any) -> AuthResult:
        assert isinstance(auth, LoginPassword)
        known = (auth.login.decode(), auth.password.decode()) == (USER, PASSWORD)
        running.logins.append(f"{auth.login.decode()} {'let in' if known else 'kept out'}")
        return AuthResult(success=known, handled=False)

    by_starttls = {"tls_context": tls, "require_starttls": True} if tls and starttls else {}
    controller = _AnyPort(
        handler,
        hostname=running.host,
        port=0,
        ssl_context=None if starttls else tls,
        authenticator=authenticate if tls else None,
        auth_required=tls is not None,
        auth_require_tls=starttls,
        enable_SMTPUTF8=True,
        **by_starttls,  # type: ignore[arg-type]
    )
    controller.start()
    try:
        running.port = controller.port
        yield running
    finally:
        handler.stopping.set()
        controller.stop()
