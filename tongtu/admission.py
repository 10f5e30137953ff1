"""How a member gets in and is kept out: its rules and password on a secured Kafka, its token for the HTTP gateway."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain

from shared.contracts.access import GatewayTokens, TokenDigest
from shared.runtime.topics import load_topics
from tongtu.access.broker import BrokerAccess
from tongtu.access.passwords import new_secret
from tongtu.access.rules import member_rules, users_begin
from tongtu.access.services import administration
from tongtu.channels import forget
from tongtu.members import write_registry
from tongtu.reading import Reader
from tongtu.target import Target
from tongtu.writing import Writer

_TOKEN_PREFIX = "tongtu_"  # noqa: S105 - so that scanners for lost secrets can know one
_TOKEN_ID_BYTES = 6
_USER_BYTES = 8


@dataclass(frozen=True, slots=True)
class Secrets:
    """What a member needs to get in; exists here only, until it is shown. None: there is no new one."""

    member: str
    user: str | None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)


class Admission:
    """Steps that may each be done again, in an order in which nobody gets in before the last."""

    def __init__(self, target: Target, reader: Reader, writer: Writer) -> None:
        self._target = target
        self._reader = reader
        self._writer = writer
        self._broker: BrokerAccess | None = administration(target) if target.login else None

    async def let_in(self, member: str) -> Secrets | None:
        """Gives the member its rules, and its secrets unless it has them all. None: it had them before.

        Secrets that were made by a run that ended half-way were never shown, so they are made again.
        """
        tokens = await self._tokens(member)
        has_password = self._broker is None or self._user(self._broker, member) in self._broker.users()
        if has_password and tokens is not None and tokens.tokens:
            self._give_rules(member)
            return None
        return await self.renew(member)

    async def renew(self, member: str, password: bool = True, token: bool = True) -> Secrets:
        """New secrets; the former ones are worth nothing from now on.

        A connection that was opened with the former password is closed when it must show one again.
        """
        user = self._give_rules(member)
        new_password = new_secret() if password and user is not None else None
        if self._broker is not None and user is not None and new_password is not None:
            self._broker.set_password(user, new_password)
        new_token = f"{_TOKEN_PREFIX}{new_secret()}" if token else None
        if new_token is not None:
            await self._publish_token(member, new_token)
        return Secrets(member, user, new_password, new_token)

    async def shut_out(self, member: str) -> None:
        """The member may do nothing from now on, with connections that it has neither; then it cannot log in either.

        Nothing is sent to its own systems any more.
        """
        if self._broker is not None and (user := self._user(self._broker, member)) is not None:
            self._broker.forbid_all(user)
            self._broker.delete_user(user)
        tokens = await self._tokens(member)
        if tokens is not None:
            await write_registry(self._writer, GatewayTokens, member, None, tokens.version + 1)
        await forget(self._reader, self._writer, member)

    def _give_rules(self, member: str) -> str | None:
        """The member's user, with exactly its rules; None where Kafka is not secured."""
        if self._broker is None:
            return None
        prefix = self._target.prefix
        drawn = f"{users_begin(member, prefix)}{secrets.token_hex(_USER_BYTES)}"
        user = self._user(self._broker, member) or drawn
        wanted, present = member_rules(load_topics(), member, user, prefix), self._broker.rules(user)
        self._broker.forbid(present - wanted)
        self._broker.allow(wanted - present)
        return user

    def _user(self, broker: BrokerAccess, member: str) -> str | None:
        """Found by its rules, or, where a removal has taken these already, by its password."""
        begins = users_begin(member, self._target.prefix)
        topics = load_topics().for_member(member)
        by_rules = (user for topic in topics for user in broker.writers(self._target.topic(topic.name)))
        return next((user for user in chain(by_rules, broker.users()) if user.startswith(begins)), None)

    async def _publish_token(self, member: str, token: str) -> None:
        digest = TokenDigest(
            id=secrets.token_hex(_TOKEN_ID_BYTES),
            sha256=hashlib.sha256(token.encode()).hexdigest(),
            created=datetime.now(UTC),
        )
        before = await self._tokens(member)
        tokens = GatewayTokens(member=member, version=before.version + 1 if before else 1, tokens=(digest,))
        value = tokens.model_dump_json(exclude_none=True).encode()
        await write_registry(self._writer, GatewayTokens, member, value, tokens.version)

    async def _tokens(self, member: str) -> GatewayTokens | None:
        event = await self._reader.latest(GatewayTokens.topic, member)
        return None if event is None or event.data is None else GatewayTokens.model_validate_json(event.data)


@asynccontextmanager
async def admission(target: Target) -> AsyncIterator[Admission]:
    """For the block, with connections of its own. Raises CommandError, KafkaError."""
    async with Reader(target) as reader, Writer(target) as writer:
        yield Admission(target, reader, writer)
