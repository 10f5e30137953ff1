"""A place in one member's inbox as a short text: opaque to its reader, and of no use in another inbox.

It is no secret and opens nothing: the inbox that is read is always the one of the token. The check only tells a cursor
that was cut, mistyped or taken from another inbox from one that has become too old.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import blake2b

_LENGTH = 16
_OFFSET_BYTES = 8
LARGEST = 2**63 - 1


def written(member: str, offset: int) -> str:
    """The cursor of that offset."""
    place = offset.to_bytes(_OFFSET_BYTES, "big")
    return urlsafe_b64encode(place + _check(member, place)).decode()


def read(member: str, cursor: str) -> int | None:
    """The offset of a cursor; None where it is not one of this member's inbox."""
    if len(cursor) != _LENGTH or not cursor.isascii():
        return None
    try:
        raw = urlsafe_b64decode(cursor)
    except binascii.Error:
        return None
    place, check = raw[:_OFFSET_BYTES], raw[_OFFSET_BYTES:]
    offset = int.from_bytes(place, "big")
    # Decoding passes over what is no base64, so the text itself is compared.
    return (
        offset if check == _check(member, place) and offset <= LARGEST and written(member, offset) == cursor else None
    )


def _check(member: str, place: bytes) -> bytes:
    return blake2b(place, digest_size=4, key=f"tongtu inbox {member}".encode()).digest()
