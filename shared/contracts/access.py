"""Who may enter through the HTTP gateway: digests of tokens, never the tokens."""

from datetime import datetime
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts.base import EventData, Value
from shared.contracts.formats import MemberId
from shared.contracts.values import Version

Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""SHA-256 in lower-case hexadecimal digits."""


class TokenDigest(Value):
    """One token that opens the gateway to a member, as far as anybody but the member may know it."""

    id: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    """Names the token where the token itself must not be said; no part of it."""
    sha256: Sha256
    """Of the token's text in UTF-8."""
    created: datetime


class GatewayTokens(EventData):
    """Every token of a member that is valid now; one that is not listed opens nothing. A null record: no token does."""

    topic: ClassVar[str] = "gateway.tokens"
    type: ClassVar[str] = "tongtu.gateway.tokens.v1"

    member: MemberId
    version: Version
    tokens: Annotated[tuple[TokenDigest, ...], Field(max_length=10)]

    @property
    def key(self) -> str:
        """The member's id."""
        return self.member
