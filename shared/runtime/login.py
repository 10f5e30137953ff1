"""How a client logs in to a secured Kafka: its user, and the file that holds its password."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.runtime.secret_file import UnreadableSecretError, first_line

MECHANISM = "SCRAM-SHA-512"


class LoginError(Exception):
    """The password cannot be had; the message is one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Login:
    """A SCRAM user. The password stays in its file: there is nothing here that a log or a traceback could show."""

    user: str
    password_file: Path

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
        return {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": MECHANISM,
            "sasl_plain_username": self.user,
            "sasl_plain_password": self.password(),
        }

    def for_librdkafka(self) -> dict[str, Any]:
        """Settings of any librdkafka client. Raises LoginError."""
        return {
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": MECHANISM,
            "sasl.username": self.user,
            "sasl.password": self.password(),
        }

    @property
    def environment(self) -> dict[str, str]:
        """Variables that have another process log in as this user."""
        return {"TONGTU_KAFKA_USER": self.user, "TONGTU_KAFKA_PASSWORD_FILE": str(self.password_file)}
