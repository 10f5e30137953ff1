"""A letter as it goes over the wire: headers that nothing in a text can add to, plain text beside HTML, in UTF-8."""

from __future__ import annotations

import hashlib
from datetime import datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime

from services.notify.channels.letter import Letter, as_html, as_text

SENDER_NAME = "Tongtu 通途"
_ID_BYTES = 20


def mail_of(letter: Letter, sender: str, recipient: str, delivery_id: str, now: datetime) -> EmailMessage:
    """The mail to one address. Raises ValueError where that is none that a mail can go to.

    The Message-ID follows from the delivery's, so that a repetition is known by it.
    """
    # 7bit: quoted-printable or base64, so that no server on the way has to change (and perhaps break) it.
    mail = EmailMessage(policy=SMTP.clone(cte_type="7bit"))
    mail["From"] = _address(sender, SENDER_NAME)
    mail["To"] = _address(recipient)
    mail["Subject"] = _Subject(letter.subject)
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = message_id(delivery_id, sender)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday notice answers it
    mail.set_content(as_text(letter), charset="utf-8")
    mail.add_alternative(as_html(letter), subtype="html", charset="utf-8")
    mail["Content-Language"] = "zh-CN" if letter.language == "zh" else "en"
    return mail


class _Subject(str):
    """A subject that is encoded as a whole: encoded word by word, Python 3.11 loses spaces where it breaks lines."""

    name = "Subject"

    def fold(self, *, policy: EmailPolicy) -> str:
        """The header as it is written; called by the message's policy."""
        charset = "us-ascii" if self.isascii() else "utf-8"
        written = Header(str(self), charset, header_name=self.name).encode(linesep=policy.linesep)
        return f"{self.name}: {written}{policy.linesep}"


def message_id(delivery_id: str, sender: str) -> str:
    """The same for the same delivery, and nothing that tells of it."""
    digest = hashlib.blake2b(delivery_id.encode(), digest_size=_ID_BYTES, person=b"tongtu mail").hexdigest()
    return f"<{digest}@{_ascii_domain(sender.rpartition('@')[2])}>"


def as_written_to(address: str) -> str:
    """The address as servers take it, its domain in ASCII. Raises ValueError where it is none."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{_ascii_domain(domain)}"


def _address(written: str, name: str = "") -> Address:
    address = as_written_to(written)
    if not (address.isascii() and address.isprintable()):
        raise ValueError("before the @ an address can have printable ASCII characters only")
    try:
        return Address(display_name=name, addr_spec=address)
    except (MessageError, IndexError) as error:  # IndexError: of the parser itself, for what it cannot make sense of
        raise ValueError("the address is not one that a mail can go to") from error


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError("the address has a domain that cannot be") from error
