"""Users and access rules on a Kafka cluster, through librdkafka: aiokafka's client knows neither."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialDeletion,
    UserScramCredentialUpsertion,
)

from tongtu.access.rules import Operation, Resource, Rule
from tongtu.errors import CommandError

_SECONDS = 30.0
_ITERATIONS = 4096
"""Kafka's least. They slow down who tries chosen passwords; ours are random with 256 bits."""
_RESOURCES: Mapping[Resource, ResourceType] = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional_id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,  # librdkafka's word
}
_OPERATIONS: Mapping[Operation, AclOperation] = {
    "read": AclOperation.READ,
    "write": AclOperation.WRITE,
    "write_idempotently": AclOperation.IDEMPOTENT_WRITE,
}
_RESOURCE_OF: Mapping[Any, Resource] = {kind: name for name, kind in _RESOURCES.items()}
_OPERATION_OF: Mapping[Any, Operation] = {kind: name for name, kind in _OPERATIONS.items()}

T = TypeVar("T")


class BrokerAccess:
    """What an administrator does to users and rules. Everything may be done again; raises CommandError."""

    def __init__(self, client: AdminClient) -> None:
        self._client = client

    @classmethod
    def at(cls, servers: str, login: Mapping[str, Any]) -> Self:
        """As the user of these librdkafka settings."""
        quiet = logging.getLogger("tongtu.access.librdkafka")
        quiet.addHandler(logging.NullHandler())
        quiet.propagate = False  # what it says of lost connections, the error at the end says in one line
        return cls(AdminClient({"bootstrap.servers": servers, **login}, logger=quiet))

    def users(self) -> set[str]:
        """Everybody who has a password."""
        # librdkafka 2.12 corrupts its memory where the question is refused; where this is, which changes nothing, not.
        self.forbid_all("nobody at all")
        asked: Any = self._client.describe_user_scram_credentials()
        found: dict[str, Any] = _result(asked, "list the users")
        return set(found)

    def set_password(self, user: str, password: str) -> None:
        """Makes the user, or replaces its password; connections that it has go on until they must show it again."""
        credential = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        change = UserScramCredentialUpsertion(user, credential, password.encode())
        _result(self._client.alter_user_scram_credentials([change])[user], f"set the password of {user}")

    def delete_user(self, user: str) -> None:
        """Nobody logs in as that user any more."""
        change = UserScramCredentialDeletion(user, ScramMechanism.SCRAM_SHA_512)
        try:
            _result(self._client.alter_user_scram_credentials([change])[user], f"delete the user {user}")
        except _Refused as error:
            if error.code != KafkaError.RESOURCE_NOT_FOUND:
                raise

    def rules(self, user: str | None = None) -> set[Rule]:
        """The rules of one user, or of all."""
        self.forbid_all("nobody at all")  # librdkafka gives who may not ask an empty answer
        found = _result(self._client.describe_acls(_bindings_of(user)), "read the access rules")
        return {rule for binding in found if (rule := _rule(binding)) is not None}

    def writers(self, topic: str) -> set[str]:
        """The users that a rule with the topic's very name lets write to it."""
        rule = Rule("any", "write", "topic", topic)
        binding: Any = _as_filter(rule)
        binding.principal = None
        found = _result(self._client.describe_acls(binding), "read the access rules")
        return {rule.user for binding in found if (rule := _rule(binding)) is not None}

    def allow(self, rules: Iterable[Rule]) -> None:
        """Adds rules."""
        bindings = [_binding(rule) for rule in sorted(rules)]
        for binding, done in (self._client.create_acls(bindings) if bindings else {}).items():
            _result(done, f"allow {binding.principal} to {binding.operation.name} {binding.name}")

    def forbid(self, rules: Iterable[Rule]) -> None:
        """Takes rules away; at once, also from connections that exist."""
        filters = [_as_filter(rule) for rule in sorted(rules)]
        for done in (self._client.delete_acls(filters) if filters else {}).values():
            _result(done, "take access rules away")

    def forbid_all(self, user: str) -> None:
        """Takes every rule of a user away, also those that others made."""
        for done in self._client.delete_acls([_bindings_of(user)]).values():
            _result(done, f"take away what {user} may do")


class _Refused(CommandError):
    """Kafka's answer, with its code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def _result(done: Future[T], what: str) -> T:
    try:
        return done.result(_SECONDS)
    except KafkaException as error:
        reason: KafkaError = error.args[0]
        raise _Refused(f"Kafka did not {what}: {reason.str()}; {_way_out(reason)}", reason.code()) from None
    except TimeoutError:
        raise CommandError(f"Kafka did not {what} within {_SECONDS:.0f} s: see `tongtu status`") from None


def _way_out(reason: KafkaError) -> str:
    if reason.code() == KafkaError.SECURITY_DISABLED:
        return "it is not secured: unset TONGTU_KAFKA_USER, or secure it (docs/security.md)"
    if reason.code() == KafkaError.CLUSTER_AUTHORIZATION_FAILED:
        return "only its administrator may: set TONGTU_KAFKA_USER and TONGTU_KAFKA_PASSWORD_FILE to that user's"
    return "look at the broker's log, then try again"


def _binding(rule: Rule) -> AclBinding:
    pattern = ResourcePatternType.PREFIXED if rule.prefixed else ResourcePatternType.LITERAL
    operation, allow = _OPERATIONS[rule.operation], AclPermissionType.ALLOW
    return AclBinding(_RESOURCES[rule.resource], rule.name, pattern, f"User:{rule.user}", "*", operation, allow)


def _as_filter(rule: Rule) -> AclBindingFilter:
    binding = _binding(rule)
    return AclBindingFilter(
        binding.restype,
        binding.name,
        binding.resource_pattern_type,
        binding.principal,
        binding.host,
        binding.operation,
        binding.permission_type,
    )


def _bindings_of(user: str | None) -> AclBindingFilter:
    principal: Any = None if user is None else f"User:{user}"
    anything: tuple[Any, Any] = (None, None)
    any_pattern, any_permission = ResourcePatternType.ANY, AclPermissionType.ANY
    return AclBindingFilter(
        ResourceType.ANY, anything[0], any_pattern, principal, anything[1], AclOperation.ANY, any_permission
    )


def _rule(binding: AclBinding) -> Rule | None:
    """None for one that somebody else made for what we have no word for."""
    resource, operation = _RESOURCE_OF.get(binding.restype), _OPERATION_OF.get(binding.operation)
    if resource is None or operation is None or binding.permission_type != AclPermissionType.ALLOW:
        return None
    prefixed = binding.resource_pattern_type == ResourcePatternType.PREFIXED
    return Rule(binding.principal.removeprefix("User:"), operation, resource, binding.name, prefixed)
