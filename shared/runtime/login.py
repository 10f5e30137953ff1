"""How a client logs in to a secured Kafka: its user, the file that holds its password, whom it takes for Kafka."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.runtime.secret_file import UnreadableSecretError, first_line

MECHANISM = "SCRAM-SHA-512"
SYSTEM = Path("system")
"""Stands for the file with the authorities that this system trusts anyway, wherever that is."""


class LoginError(Exception):
    """The password or the authority cannot be had; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """A SCRAM user. The password stays in its file: there is nothing here that a log or a traceback could show."""

    user: str
    password_file: Path
    ca_file: Path | None = None
    """PEM file of the authorities that may certify Kafka's host name, or SYSTEM; None: Kafka speaks no TLS."""

    def password(self) -> str:
        """The first line of the file. Raises LoginError."""
        try:
            password = first_line(self.password_file)
        except UnreadableSecretError as error:
            raise LoginError(
                f"the password of the Kafka user {self.user} cannot be read from {self.password_file} ({error}): "
                "correct TONGTU_KAFKA_PASSWORD_FILE"
            ) from None
        if password is None:
            raise LoginError(
                f"{self.password_file} holds no password: write that of the Kafka user {self.user} into it"
            )
        return password

    def for_aiokafka(self) -> dict[str, Any]:
        """Arguments of any aiokafka client. Raises LoginError."""
        by_tls = {} if self.ca_file is None else {"ssl_context": self._trust(self.ca_file)}
        return by_tls | {
            "security_protocol": self.protocol,
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password(),
        }

    def for_librdkafka(self) -> dict[str, Any]:
        """Settings of any librdkafka client. Raises LoginError."""
        # The system's authorities are its default, and that it verifies the host name.
        authority = {} if self.ca_file in (None, SYSTEM) else {"ssl.ca.location": str(self.ca_file)}
        return authority | {
            "security.protocol": self.protocol,
            "sasl.mechanism": MECHANISM,
            "sasl.username": self.user,
            "sasl.password": self.password(),
        }

    @property
    def protocol(self) -> str:
        """Kafka's own word for the way to log in."""
        return "SASL_PLAINTEXT" if self.ca_file is None else "SASL_SSL"

    @property
    def environment(self) -> dict[str, str]:
        """Variables that have another process log in as this user."""
        variables = {"TONGTU_KAFKA_USER": self.user, "TONGTU_KAFKA_PASSWORD_FILE": str(self.password_file)}
        return variables | ({} if self.ca_file is None else {"TONGTU_KAFKA_CA_FILE": str(self.ca_file)})

    @staticmethod
    def _trust(ca_file: Path) -> ssl.SSLContext:
        """Verifies the certificate and the host name."""
        try:
            return ssl.create_default_context(cafile=None if ca_file == SYSTEM else ca_file)
        except OSError as error:
            raise LoginError(
                f"no certificate of an authority can be read from {ca_file} ({error.strerror}): "
                "correct TONGTU_KAFKA_CA_FILE"
            ) from None
