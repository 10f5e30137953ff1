"""What the gateway looks at in a request's head, read in one go."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from services.gateway.problems import Problem
from services.gateway.tokens import Caller, Tokens

_BEARER = b"bearer "
_KNOWN = frozenset({b"authorization", b"content-type", b"content-length", b"content-encoding", b"last-event-id"})


@dataclass(frozen=True, slots=True)
class Head:
    """Headers that mean something here, and who is calling."""

    caller: Caller
    content_type: bytes
    content_length: bytes | None
    last_event_id: str | None


def read_head(request: Request, tokens: Tokens) -> Head:
    """Who calls, and how. Raises Problem: unauthenticated, compressed."""
    headers = request.scope["headers"]
    found = dict[bytes, bytes](headers)
    if len(found) != len(headers):
        # A header that stands twice is read as neither: what is in front of the gateway may have read the other.
        names = [name for name, _ in headers]
        found = {name: b"" if name in _KNOWN and names.count(name) > 1 else value for name, value in found.items()}
    authorization = found.get(b"authorization", b"")
    scheme, token = authorization[: len(_BEARER)], authorization[len(_BEARER) :]
    caller = tokens.caller(token.strip()) if scheme.lower() == _BEARER else None
    if caller is None:
        raise Problem("unauthenticated", headers={"www-authenticate": 'Bearer realm="tongtu"'}, close=True)
    if found.get(b"content-encoding", b"identity").lower() != b"identity":
        raise Problem("unsupported-encoding", headers={"accept-encoding": "identity"}, close=True)
    last = found.get(b"last-event-id")
    return Head(
        caller,
        found.get(b"content-type", b"").strip().lower(),
        found.get(b"content-length"),
        last.decode("latin-1") if last else None,
    )
