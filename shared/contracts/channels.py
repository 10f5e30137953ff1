"""How a member is told beside its inbox: webhooks, e-mail, and what it wants to hear of each way."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts.base import EventData, Value
from shared.contracts.formats import MemberId, Url
from shared.contracts.values import Share, Version

LONGEST_EMAIL = 254
"""Characters of an address; RFC 5321 allows no more."""

SealedSecret = Annotated[str, StringConstraints(pattern=r"^sealed_[A-Za-z0-9+/]{100,300}={0,2}$")]
"""A secret of https://www.standardwebhooks.com, sealed with notify's public key: HPKE in base64."""
EmailAddress = Annotated[str, StringConstraints(max_length=LONGEST_EMAIL, pattern=r"^[^@\s<>,;:\"]+@[^@\s<>,;:\"]+$")]
LocalTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""HH:MM in the time zone of the preferences."""
TimeZone = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$")]
"""A name of the IANA time zone database, such as Asia/Shanghai."""
MessageKind = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
"""A type of message as its name says it: `proposal` stands for tongtu.proposal.v1 and its later versions."""
FieldCode = Annotated[str, StringConstraints(min_length=1, max_length=32)]
"""Of a strategic industry list, or of GB/T 4754-2017."""


class Webhook(Value):
    """Where messages are posted to, and what they are signed with."""

    url: Url
    """https; http only in installations that allow it."""
    secrets: Annotated[tuple[SealedSecret, ...], Field(min_length=1, max_length=2, repr=False)]
    """The newest first; all of them sign, so that a receiver can change over while the former one still works."""


class Email(Value):
    """Who is written to, in which language, and how often."""

    addresses: Annotated[tuple[EmailAddress, ...], Field(min_length=1, max_length=5)]
    language: Annotated[str, StringConstraints(pattern="^(zh|en)$")]
    digest_at: LocalTime | None = None
    """None: each message at once; else one e-mail a day at that time, with all that came since the last."""


class QuietHours(Value):
    """From `begins` to `ends` of each day nothing is sent; over midnight where `ends` is the earlier one."""

    begins: LocalTime
    ends: LocalTime


class Preferences(Value):
    """What a member wants to hear of on one channel. Its inbox has everything, whatever stands here."""

    kinds: Annotated[tuple[MessageKind, ...], Field(max_length=20)] | None = None
    """None: of every kind, but receipts by e-mail."""
    least_score: Share | None = None
    """Of proposals."""
    most_p_loss: Share | None = None
    """Of proposals: the assessed chance of a loss. One that is not assessed is not left out by it."""
    fields: Annotated[tuple[FieldCode, ...], Field(max_length=50)] = ()
    """Codes of strategic fields or of industries (and of all below them); of proposals; empty: any."""
    quiet_hours: QuietHours | None = None
    timezone: TimeZone = "Asia/Shanghai"


class ChannelsConfigured(EventData):
    """Every channel of a member as it is now; a null record: none but its inbox."""

    topic: ClassVar[str] = "notify.channels"
    type: ClassVar[str] = "tongtu.notify.channels.v1"

    member: MemberId
    version: Version
    webhook: Webhook | None = None
    webhook_preferences: Preferences = Preferences()
    email: Email | None = None
    email_preferences: Preferences = Preferences()

    @property
    def key(self) -> str:
        """The member's id."""
        return self.member

    @property
    def purpose(self) -> str:
        """What its secrets are sealed for, so that they are of no use in the entry of another member."""
        return f"webhook of {self.member}"
