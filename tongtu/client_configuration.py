"""A member's secrets as what it puts into its own system: settings of Kafka clients, a header for the HTTP gateway."""

from __future__ import annotations

import re
from pathlib import Path

from shared.runtime.login import MECHANISM, SYSTEM
from tongtu.admission import Secrets
from tongtu.target import Target

_JAAS = "org.apache.kafka.common.security.scram.ScramLoginModule"
_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def client_configuration(secrets: Secrets, target: Target) -> str:
    """Lines to copy, for clients in Java, for those on librdkafka, and for HTTP; of what is new. Raises OSError."""
    own = f"{target.prefix}member.{secrets.member}"
    said = [
        f"# {secrets.member}: writes {own}.outbox, reads {own}.inbox; groups begin with {own}.",
        "# Shown this once and kept nowhere. `tongtu members rotate` makes new ones.",
    ]
    if target.login is not None and secrets.user is not None and secrets.password is not None:
        shared = {
            "bootstrap.servers": target.kafka,
            "security.protocol": target.login.protocol,
            "sasl.mechanism": MECHANISM,
        }
        java, librdkafka = _trust(target.login.ca_file)
        reading = {"group.id": f"{own}.reader", "isolation.level": "read_committed"}
        jaas = f'{_JAAS} required username="{secrets.user}" password="{secrets.password}";'
        said += ["", "# Kafka, clients in Java (client.properties)"]
        said += _lines({**shared, **java, "sasl.jaas.config": jaas, **reading})
        said += [
            "",
            r"# Kafka, clients on librdkafka from 2.6.1 on: C, C#, Go, Python, kcat; for \n put the end of a line",
        ]
        login = {"sasl.username": secrets.user, "sasl.password": secrets.password}
        said += _lines({**shared, **librdkafka, **login, **reading})
    if secrets.token is not None:
        said += ["", "# HTTP gateway: this header with every request", f"Authorization: Bearer {secrets.token}"]
    return "\n".join(said) + "\n"


def _trust(ca_file: Path | None) -> tuple[dict[str, str], dict[str, str]]:
    """Whom to take for Kafka, for clients in Java and for those on librdkafka; by default, whom their system trusts."""
    if ca_file in (None, SYSTEM):
        return {}, {}
    authorities = r"\n".join(_CERTIFICATE.findall(ca_file.read_text(encoding="utf-8"))).replace("\n", r"\n")
    java = {"ssl.truststore.type": "PEM", "ssl.truststore.certificates": authorities}
    return java, {"ssl.ca.pem": authorities}


def _lines(settings: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in settings.items()]
