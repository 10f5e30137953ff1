"""A secured Kafka node: who may log in where, the passwords of the node itself, its configuration for all that."""

from __future__ import annotations

from dataclasses import dataclass
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


def is_secured(passwords: Path) -> bool:
    """Whether a node with passwords in this folder has run."""
    return (passwords / _NODE).exists()


@dataclass(frozen=True, slots=True)
class NodeSecurity:
    """What a node needs beside its ports. Clients log in by SCRAM on the one listener that they can use at all.

    The node itself logs in by PLAIN on two listeners of its own, which know no other user. So the first SCRAM user can
    be made over the network, not by a command line that others on the machine can read.
    """

    passwords: Path
    """Folder of the password files."""
    node_port: int
    reauthentication_seconds: float = REAUTHENTICATION_SECONDS

    @property
    def administrator(self) -> Login:
        """The operator's login."""
        return kept_login(self.passwords, ADMINISTRATOR)

    @property
    def node(self) -> Login:
        """The node's login, by PLAIN and not by SCRAM."""
        return kept_login(self.passwords, _NODE)

    def properties(self, host: str, port: int, controller_port: int) -> dict[str, str]:
        """Settings that replace those of a node without security."""
        password = self.node.password()
        node_login = f'{_PLAIN_LOGIN} required username="{_NODE}" password="{password}" user_{_NODE}="{password}";'
        limit = round(self.reauthentication_seconds * 1000)
        return {
            "listeners": f"CLIENTS://{host}:{port},NODE://{host}:{self.node_port},CONTROLLER://{host}:{controller_port}",
            "advertised.listeners": f"CLIENTS://{host}:{port},NODE://{host}:{self.node_port}",
            "listener.security.protocol.map": ("CLIENTS:SASL_PLAINTEXT,NODE:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT"),
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
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": f"User:{_NODE};User:{ADMINISTRATOR}",
            # What nobody was allowed explicitly, nobody may.
            "allow.everyone.if.no.acl.found": "false",
        }
