"""Records that no well-meaning producer writes, each with what the core has to make of it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cramjam
from aiokafka.codec import lz4_encode, snappy_encode

from tests import raw_batches
from tests.ledger import Entry
from tests.raw_batches import RawRecord

RawHeaders = Sequence[tuple[bytes, bytes | None]]
NUMBER = 7_000_000
"""The number in every hostile record that turns out to be a good event."""
GOOD = json.dumps({"number": NUMBER}).encode()
ENVELOPE: list[tuple[bytes, bytes | None]] = [
    (b"ce_specversion", b"1.0"),
    (b"ce_id", b"hostile"),
    (b"ce_source", b"/test"),
    (b"ce_type", Entry.type.encode()),
    (b"content-type", b"application/json"),
]
UNFOLDED = 200 * 1024 * 1024
"""Bytes that a bomb unfolds to."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """A batch of one record.

    `problems`: whether a raw subscription is told of any. `error`: that of the dead letter on a typed subscription,
    None where the record is a good event (or a null record) after all.
    """

    record: RawRecord
    problems: bool = False
    error: str | None = None
    codec: int = 0
    kept: bool = True
    """Whether the dead letter keeps the value (not where it is too large)."""

    @property
    def batch(self) -> bytes:
        """The bytes to send to the broker."""
        payload = raw_batches.body([self.record])
        if self.codec == raw_batches.GZIP:
            payload = gzip.compress(payload)
        elif self.codec == raw_batches.SNAPPY:
            payload = snappy_encode(payload)
        elif self.codec == raw_batches.LZ4:
            payload = lz4_encode(payload)
        elif self.codec == raw_batches.ZSTD:
            payload = bytes(cramjam.zstd.compress(payload))
        return raw_batches.batch(payload, 1, self.codec)


def _event(value: bytes | None = GOOD, key: bytes | None = b"k", extra: RawHeaders = ()) -> RawRecord:
    return key, value, [*ENVELOPE, *extra]


def _structured(value: bytes, content_type: bytes = b"application/cloudevents+json") -> RawRecord:
    return b"k", value, [(b"content-type", content_type)]


def _envelope(**members: object) -> bytes:
    event = {"specversion": "1.0", "id": "hostile", "source": "/test", "type": Entry.type}
    return json.dumps({**event, **members}).encode()


def _bad(record: RawRecord, codec: int = 0) -> Hostile:
    return Hostile(record, problems=True, error="NotACloudEvent", codec=codec)


HOSTILE: dict[str, Hostile] = {
    "header name not UTF-8": _bad(_event(extra=[(b"\xff\xfe", b"x")])),
    "header name empty": Hostile(_event(extra=[(b"", b"x")])),
    "header name of 50 KB": Hostile(_event(extra=[(b"n" * 50_000, b"x")])),
    "attribute name not UTF-8": _bad(_event(extra=[(b"ce_\xff", b"x")])),
    "attribute value null": _bad(_event(extra=[(b"ce_subject", None)])),
    "attribute value not UTF-8": _bad(_event(extra=[(b"ce_subject", b"\xe4\xb8")])),
    "attribute twice": _bad(_event(extra=[(b"ce_id", b"other")])),
    "attribute of 10 KB": _bad(_event(extra=[(b"ce_subject", b"s" * 10_000)])),
    "foreign header null": Hostile(_event(extra=[(b"foreign", None)])),
    "foreign header not UTF-8": Hostile(_event(extra=[(b"foreign", b"\xff\x00\xfe")])),
    "foreign header twice": Hostile(_event(extra=[(b"foreign", b"a"), (b"foreign", b"")])),
    "300 headers": _bad(_event(extra=[(b"h%d" % number, b"x") for number in range(300)])),
    "100 KB of headers": _bad(_event(extra=[(b"h", b"x" * 50_000)] * 2)),
    "no headers": _bad((b"k", GOOD, [])),
    "key null": Hostile(_event(key=None)),
    "key empty": Hostile(_event(key=b"")),
    "key not UTF-8": _bad(_event(key=b"\xff\xfe")),
    "value null": Hostile(_event(value=None)),
    "value empty": Hostile(_event(value=b""), error="Invalid"),
    "key and value null": Hostile(_event(key=None, value=None)),
    "value over 1 MiB": Hostile(
        _event(value=b'{"number":1,"padding":"' + b"x" * 1_200_000 + b'"}'), True, "TooLarge", kept=False
    ),
    "value over 1 MiB, compressed": Hostile(
        _event(value=b'{"number":1,"padding":"' + b"x" * 1_200_000 + b'"}'),
        True,
        "TooLarge",
        raw_batches.ZSTD,
        kept=False,
    ),
    "deep JSON": Hostile(_event(value=b"[" * 200_000), error="Invalid"),
    "deep JSON in its place": Hostile(
        _event(value=b'{"number":' + b'{"a":' * 50_000 + b"1" + b"}" * 50_001), error="Invalid"
    ),
    "huge number": Hostile(_event(value=b'{"number":1' + b"0" * 100_000 + b"}"), error="Invalid"),
    "infinite number": Hostile(_event(value=b'{"number":1e999}'), error="Invalid"),
    "JSON not UTF-8": Hostile(_event(value=b'{"number":1,"order":"\xff\xfe"}'), error="Invalid"),
    "JSON with half a surrogate pair": Hostile(_event(value=b'{"number":1,"order":"\\ud800"}'), error="Invalid"),
    "JSON with a byte order mark": Hostile(_event(value=b"\xef\xbb\xbf" + GOOD), error="Invalid"),
    "structured": Hostile(_structured(_envelope(data={"number": NUMBER}))),
    "structured, UTF-8 named": Hostile(
        _structured(_envelope(data={"number": NUMBER}), b"application/cloudevents+json; charset=UTF-8")
    ),
    "structured, base64": Hostile(_structured(_envelope(data_base64="eyJudW1iZXIiOjcwMDAwMDB9"))),
    "structured, other charset": _bad(
        _structured(_envelope(data={"number": 1}), b"application/cloudevents+json; charset=gbk")
    ),
    "structured, a batch of events": _bad(_structured(b"[]", b"application/cloudevents-batch+json")),
    "structured, broken JSON": _bad(_structured(_envelope()[:-5])),
    "structured, deep JSON": _bad(_structured(b'{"data":' + b"[" * 200_000)),
    "structured, not an object": _bad(_structured(b'"text"')),
    "structured, null": _bad((b"k", None, [(b"content-type", b"application/cloudevents+json")])),
    "structured, broken base64": _bad(_structured(_envelope(data_base64="e!"))),
    "structured, base64 that is no text": _bad(_structured(_envelope(data_base64={"a": 1}))),
    "structured, data twice": _bad(_structured(_envelope(data={"number": 1}, data_base64="e30="))),
    "structured, id not a text": _bad(_structured(_envelope(id={"a": 1}, data={"number": 1}))),
    "gzip": Hostile(_event(), codec=raw_batches.GZIP),
    "snappy": Hostile(_event(), codec=raw_batches.SNAPPY),
    "lz4": Hostile(_event(), codec=raw_batches.LZ4),
    "zstd": Hostile(_event(), codec=raw_batches.ZSTD),
    "compressed, header name not UTF-8": _bad(_event(extra=[(b"\xff", b"x")]), codec=raw_batches.ZSTD),
}


def bombs() -> list[bytes]:
    """Batches of one record that unfolds to hundreds of megabytes, one for each codec that can."""
    return [
        _bomb(raw_batches.GZIP, UNFOLDED, lambda payload: gzip.compress(payload, 1)),
        _bomb(raw_batches.ZSTD, UNFOLDED, lambda payload: bytes(cramjam.zstd.compress(payload, 1))),
        _bomb(raw_batches.LZ4, UNFOLDED // 2, lz4_encode),
    ]


def _bomb(codec: int, size: int, compress: Callable[[bytes], bytes]) -> bytes:
    return raw_batches.batch(compress(raw_batches.body([_event(value=bytes(size))])), 1, codec)
