"""A secured Kafka node: who may log in where, what it proves itself by, its configuration for all that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from shared.runtime.login import MECHANISM, Login
from tongtu.access.passwords import kept_login

ADMINISTRATOR = "admin"
"""The operator's user; with the node's own user the only one that no access rule binds."""
REAUTHENTICATION_SECONDS = 300
"""A connection whose user does not show a valid password again within this time is closed. The services' client cannot
do that within a connection: it is closed and opened again, so the time is not shorter."""
_NODE = "broker"
_PLAIN_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
_SCRAM_LOGIN = "org.apache.kafka.common.security.scram.ScramLoginModule"


def is_secured(folder: Path) -> bool:
    """Whether a node with passwords has run in this folder."""
    return (folder / "passwords" / _NODE).exists()


@dataclass(frozen=True, slots=True)
class NodeSecurity:
    """What a node needs beside its ports. Clients log in by SCRAM, over TLS, on the one listener that they can use.

    The node itself logs in by PLAIN on two listeners of its own, which know no other user. So the first SCRAM user can
    be made over the network, not by a command line that others on the machine can read. Those two do without TLS: what
    they carry stays within the process, and who can listen in on the loopback interface can read the node's files too.
    """

    folder: Path
    """The node's own: password files are in `passwords`, certificates in `certificates`."""
    node_port: int
    reauthentication_seconds: float = REAUTHENTICATION_SECONDS

    @property
    def administrator(self) -> Login:
        """The operator's login."""
        return kept_login(self.folder / "passwords", ADMINISTRATOR, self._authority)

    @property
    def node(self) -> Login:
        """The node's login, by PLAIN and not by SCRAM."""
        return kept_login(self.folder / "passwords", _NODE)

    @property
    def _authority(self) -> Path:
        return self.folder / "certificates" / "authority.pem"

    def properties(self, host: str, port: int, controller_port: int) -> dict[str, str]:
        """Settings that replace those of a node without security; the node gets a new certificate."""
        from tongtu.embedded.certificates import certify  # cryptography is loaded only where it is needed

        server = self._authority.with_name("node.pem")
        certify(self._authority, server, datetime.now(UTC))
        password = self.node.password()
        node_login = f'{_PLAIN_LOGIN} required username="{_NODE}" password="{password}" user_{_NODE}="{password}";'
        limit = round(self.reauthentication_seconds * 1000)
        return {
            "listeners": f"CLIENTS://{host}:{port},NODE://{host}:{self.node_port},CONTROLLER://{host}:{controller_port}",
            "advertised.listeners": f"CLIENTS://{host}:{port},NODE://{host}:{self.node_port}",
            "listener.security.protocol.map": "CLIENTS:SASL_SSL,NODE:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
            "inter.broker.listener.name": "NODE",
            "sasl.enabled.mechanisms": MECHANISM,
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.mechanism.controller.protocol": "PLAIN",
            "listener.name.node.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.node.plain.sasl.jaas.config": node_login,
            "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.controller.plain.sasl.jaas.config": node_login,
            f"listener.name.clients.{MECHANISM.lower()}.sasl.jaas.config": f"{_SCRAM_LOGIN} required;",
            f"listener.name.clients.{MECHANISM.lower()}.connections.max.reauth.ms": str(limit),
            "listener.name.clients.ssl.keystore.type": "PEM",
            "listener.name.clients.ssl.keystore.location": str(server),
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{_NODE};User:{ADMINISTRATOR}",
            # What nobody was allowed explicitly, nobody may.
            "allow.everyone.if.no.acl.found": "false",
        }
