"""Settings of the notify service: environment variables TONGTU_NOTIFY_... beside those of every service."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, BeforeValidator, Field, FilePath, SecretStr, model_validator
from pydantic_settings import NoDecode

from services.notify.channels.breaker import Limits
from services.notify.channels.courier import Sending
from services.notify.channels.schedule import RECOMMENDED_WAITS, Schedule
from services.notify.waiting import Patience
from shared.contracts.channels import EmailAddress
from shared.runtime.sealing import Opener, SealingKeyError
from shared.runtime.secret_file import UnreadableSecretError, first_line
from shared.runtime.settings import ServiceSettings


def _named(name: str, **rules: Any) -> Any:
    return Field(validation_alias=AliasChoices(f"TONGTU_NOTIFY_{name.upper()}", name), **rules)


def _separated(value: Any) -> Any:
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


class NotifySettings(ServiceSettings):
    """How long an answer is waited for; how much is sent to members' own systems, how often, and where to."""

    reminder_days: Annotated[float, _named("reminder_days", gt=0, le=365)] = 14
    """Days after which a side that has not answered a proposal is reminded, once."""
    lapse_days: Annotated[float, _named("lapse_days", gt=0, le=3650)] = 45
    """Days after which a proposal that a side has not answered is taken back; more than until the reminder."""
    plain_targets: Annotated[bool, _named("plain_targets")] = False
    """Whether webhooks may go to http addresses: for tests and demonstrations."""
    webhook_key_file: Annotated[Path | None, _named("webhook_key_file")] = None
    """PEM file of the keys that open webhook secrets; read again where they open nothing. Without it none is signed."""
    allowed_networks: Annotated[
        tuple[IPv4Network | IPv6Network, ...], NoDecode, BeforeValidator(_separated), _named("allowed_networks")
    ] = ()
    """Networks, separated by commas, that webhooks may go to although they are not public, such as 10.1.0.0/16."""
    sends: Annotated[int, _named("sends", ge=1, le=1000)] = 32
    """Deliveries that are sent at a time; of each instance. What takes longer than a second stands beside them."""
    sends_to_one: Annotated[int, _named("sends_to_one", ge=1, le=100)] = 4
    """Of them to one endpoint; of all instances together."""
    send_seconds: Annotated[float, _named("send_seconds", gt=0, le=120)] = 15.0
    """In which a receiver must have answered."""
    retry_seconds: Annotated[
        tuple[Annotated[float, Field(gt=0, le=432_000)], ...],
        NoDecode,
        BeforeValidator(_separated),
        _named("retry_seconds", min_length=1, max_length=50),
    ] = RECOMMENDED_WAITS
    """Waits between tries, separated by commas; after the last one a delivery is given up."""
    pause_seconds: Annotated[float, _named("pause_seconds", gt=0, le=3600)] = 60.0
    """How long an endpoint is left alone that failed five times in a row; doubles up to an hour while it is dead."""
    smtp_host: Annotated[str | None, _named("smtp_host", min_length=1, max_length=253)] = None
    """The server that takes mail from this platform; without one, e-mail waits until it is given up."""
    smtp_port: Annotated[int | None, _named("smtp_port", ge=1, le=65535)] = None
    """By default 587 with starttls, 465 with tls, 25 with none."""
    smtp_security: Annotated[Literal["starttls", "tls", "none"], _named("smtp_security")] = "starttls"
    """`starttls`: nothing is sent unless the server turns to TLS; `tls`: from the beginning; `none`: in plain, without
    a login, for a server on this machine."""
    smtp_ca: Annotated[FilePath | None, _named("smtp_ca")] = None
    """PEM file of the authorities that its certificate may come from; by default those of the system."""
    smtp_user: Annotated[str | None, _named("smtp_user", min_length=1)] = None
    """Who logs in; without it nobody does."""
    smtp_password_file: Annotated[Path | None, _named("smtp_password_file")] = None
    """The file whose first line is that user's password; read again for each mail, so that it can be changed."""
    smtp_from: Annotated[EmailAddress | None, _named("smtp_from")] = None
    """The address that mail comes from, and that what cannot be delivered later goes back to."""
    smtp_seconds: Annotated[float, _named("smtp_seconds", gt=0, le=600)] = 60.0
    """In which the server must have taken a mail."""
    digest_most: Annotated[int, _named("digest_most", ge=1, le=200)] = 10
    """Messages of a group that a digest tells in full; the rest is counted."""

    @property
    def sending(self) -> Sending:
        """The same as the sender takes it."""
        limits = Limits(in_flight=self.sends_to_one, first_pause=timedelta(seconds=self.pause_seconds))
        return Sending(self.sends, self.send_seconds, Schedule(self.retry_seconds), limits)

    @model_validator(mode="after")
    def _mail_is_complete(self) -> Self:
        if self.smtp_host is not None and self.smtp_from is None:
            raise ValueError("TONGTU_NOTIFY_SMTP_HOST needs TONGTU_NOTIFY_SMTP_FROM, the address that mail comes from")
        if (self.smtp_user is None) != (self.smtp_password_file is None):
            raise ValueError("TONGTU_NOTIFY_SMTP_USER and TONGTU_NOTIFY_SMTP_PASSWORD_FILE go together")
        if self.smtp_user is not None and self.smtp_security == "none":
            raise ValueError("TONGTU_NOTIFY_SMTP_SECURITY=none would send the password in plain: take starttls or tls")
        self.smtp_password()
        return self

    def smtp_password(self) -> SecretStr | None:
        """Of the user that logs in. Raises ValueError where its file cannot be read."""
        if self.smtp_password_file is None:
            return None
        try:
            password = first_line(self.smtp_password_file)
        except UnreadableSecretError as error:
            raise ValueError(f"TONGTU_NOTIFY_SMTP_PASSWORD_FILE: {self.smtp_password_file}: {error}") from None
        if password is None:
            raise ValueError(f"TONGTU_NOTIFY_SMTP_PASSWORD_FILE: {self.smtp_password_file} holds no password")
        return SecretStr(password)

    @model_validator(mode="after")
    def _secrets_can_be_opened(self) -> Self:
        if self.webhook_key_file is not None:
            try:
                Opener(self.webhook_key_file).check()
            except SealingKeyError as error:
                raise ValueError(f"TONGTU_NOTIFY_WEBHOOK_KEY_FILE: {self.webhook_key_file}: {error}") from None
        return self

    @model_validator(mode="after")
    def _reminds_before_it_lapses(self) -> Self:
        if self.lapse_days <= self.reminder_days:
            raise ValueError("TONGTU_NOTIFY_LAPSE_DAYS must be more than TONGTU_NOTIFY_REMINDER_DAYS")
        return self

    @property
    def patience(self) -> Patience:
        """How long an answer is waited for."""
        return Patience(timedelta(days=self.reminder_days), timedelta(days=self.lapse_days))
