"""The one place that makes a MongoDB client (Motor, deprecated upstream, stays behind this module)."""

from __future__ import annotations

from typing import Any

from bson.codec_options import CodecOptions
from motor.motor_asyncio import AsyncIOMotorClient, AsyncIOMotorDatabase

SELECTION_SECONDS = 5
"""How long one operation waits for a primary before it fails and is tried again above."""
SOCKET_SECONDS = 30


def connect(uri: str) -> AsyncIOMotorClient[dict[str, Any]]:
    """A client that writes with majority and reads instants as aware UTC datetimes; connects at first use."""
    return AsyncIOMotorClient(
        uri,
        w="majority",
        retryWrites=True,
        tz_aware=True,
        serverSelectionTimeoutMS=SELECTION_SECONDS * 1000,
        socketTimeoutMS=SOCKET_SECONDS * 1000,
        appname="tongtu",
    )


def database_of(
    client: AsyncIOMotorClient[dict[str, Any]], service: str, prefix: str
) -> AsyncIOMotorDatabase[dict[str, Any]]:
    """The service's own database. A prefix keeps several platforms apart on one server."""
    name = f"{prefix}tongtu-{service}".replace(".", "-")
    return client.get_database(name, codec_options=CodecOptions(tz_aware=True))
