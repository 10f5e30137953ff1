"""The id of a match: the same for the same two records for ever, and not to be guessed from them."""

from __future__ import annotations

import base64
import hashlib
import hmac


def match_id(secret: bytes, technology_id: str, demand_id: str) -> str:
    """32 characters: the first 160 bits of an HMAC-SHA-256 over both ids, in lower-case base 32.

    Without versions, so that a match survives changes of its records.
    """
    # An id holds no NUL, so no two pairs read the same.
    message = f"{technology_id}\0{demand_id}".encode()
    return base64.b32encode(hmac.digest(secret, message, hashlib.sha256)[:20]).decode().lower()
