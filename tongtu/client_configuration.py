"""A member's secrets as what it puts into its own system: settings of Kafka clients, a header for the HTTP gateway."""

from __future__ import annotations

from tongtu.admission import Secrets
from tongtu.target import Target

_JAAS = "org.apache.kafka.common.security.scram.ScramLoginModule"


def client_configuration(secrets: Secrets, target: Target) -> str:
    """Lines to copy, for clients in Java, for those on librdkafka, and for HTTP; of what is new."""
    own = f"{target.prefix}member.{secrets.member}"
    said = [
        f"# {secrets.member}: writes {own}.outbox, reads {own}.inbox; groups begin with {own}.",
        "# Shown this once and kept nowhere. `tongtu members rotate` makes new ones.",
    ]
    if secrets.user is not None and secrets.password is not None:
        shared = {
            "bootstrap.servers": target.kafka,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
        }
        reading = {"group.id": f"{own}.reader", "isolation.level": "read_committed"}
        jaas = f'{_JAAS} required username="{secrets.user}" password="{secrets.password}";'
        said += ["", "# Kafka, clients in Java (client.properties)"]
        said += _lines({**shared, "sasl.jaas.config": jaas, **reading})
        said += ["", "# Kafka, clients on librdkafka from 2.6.1 on: C, C#, Go, Python, kcat -F (member.conf)"]
        said += _lines({**shared, "sasl.username": secrets.user, "sasl.password": secrets.password, **reading})
    if secrets.token is not None:
        said += ["", "# HTTP gateway: this header with every request", f"Authorization: Bearer {secrets.token}"]
    return "\n".join(said) + "\n"


def _lines(settings: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in settings.items()]
