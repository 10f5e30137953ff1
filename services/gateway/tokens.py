"""Who a token belongs to. Only digests are known here, and a token is never kept, shown or logged."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from pydantic import ValidationError

from shared.contracts.access import GatewayTokens

LONGEST_TOKEN = 512
"""Bytes; a longer one is not even looked up."""
_PREFIX = 8


class Caller(NamedTuple):
    """Who showed a token that was valid then; `Tokens.admits` says whether it is still."""

    member: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Refused:
    """A record of the registry that could not be read; every token of its member has been shut out."""

    member: str
    errors: int


class Tokens:
    """Every valid token of every member, as the registry's topic has it."""

    def __init__(self, changed: Callable[[str], None]) -> None:
        """`changed` is told of each member whose tokens are no longer the same."""
        self._changed = changed
        self._of_member: dict[str, frozenset[bytes]] = {}
        # By the first bytes of the digest, so that the rest is compared in constant time. Nobody can work towards a
        # digest by trying tokens, so the look-up itself tells nothing.
        self._by_prefix: dict[bytes, tuple[Caller, ...]] = {}

    def __len__(self) -> int:
        """Members with at least one token."""
        return len(self._of_member)

    def apply(self, key: bytes | None, value: bytes | None) -> Refused | None:
        """Takes over a record of the topic. What cannot be read shuts its member out: better nobody than anybody."""
        member = (key or b"").decode("utf-8", "replace")
        digests: frozenset[bytes] = frozenset()
        refused = None
        if value is not None:
            try:
                read = GatewayTokens.model_validate_json(value)
            except ValidationError as error:
                refused = Refused(member, error.error_count())
            else:
                if read.member == member:
                    digests = frozenset(bytes.fromhex(token.sha256) for token in read.tokens)
                else:
                    refused = Refused(member, 1)
        self._put(member, digests)
        return refused

    def caller(self, token: bytes) -> Caller | None:
        """Whose token this is; None if it is nobody's."""
        if not 0 < len(token) <= LONGEST_TOKEN:
            return None
        digest = sha256(token).digest()
        found = None
        for candidate in self._by_prefix.get(digest[:_PREFIX], ()):
            if hmac.compare_digest(candidate.digest, digest):
                found = candidate
        return found

    def admits(self, caller: Caller) -> bool:
        """Whether the token that was shown is still valid."""
        return caller.digest in self._of_member.get(caller.member, ())

    def _put(self, member: str, digests: frozenset[bytes]) -> None:
        before = self._of_member.get(member, frozenset())
        if digests == before:
            return
        for digest in before - digests:
            left = tuple(c for c in self._by_prefix[digest[:_PREFIX]] if c != Caller(member, digest))
            if left:
                self._by_prefix[digest[:_PREFIX]] = left
            else:
                del self._by_prefix[digest[:_PREFIX]]
        for digest in digests - before:
            known = self._by_prefix.get(digest[:_PREFIX], ())
            self._by_prefix[digest[:_PREFIX]] = (*known, Caller(member, digest))
        if digests:
            self._of_member[member] = digests
        else:
            del self._of_member[member]
        self._changed(member)
