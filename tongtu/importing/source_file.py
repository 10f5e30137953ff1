"""Reads a file of records line by line: JSON lines or CSV, plain or gzipped, UTF-8; what cannot be read is listed."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import orjson

from tongtu.errors import CommandError

LINE_LIMIT = 1024 * 1024
"""Bytes; a record may have no more."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP_MAGIC = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class Line:
    """A record by its field names, or why the line is none."""

    number: int
    fields: dict[str, Any] | None = None
    problem: str | None = None


class SourceFile:
    """A file of records. `is_csv` says that every value in it is text."""

    def __init__(self, path: Path) -> None:
        """Raises CommandError if it cannot be opened."""
        try:
            self._raw = path.open("rb")
            self.size = os.fstat(self._raw.fileno()).st_size
            magic = self._raw.read(2)
            self._raw.seek(0)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}") from error
        self._stream = cast(IO[bytes], gzip.GzipFile(fileobj=self._raw) if magic == _GZIP_MAGIC else self._raw)
        suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
        self._dialect: type[csv.Dialect] = csv.excel_tab if ".tsv" in suffixes else csv.excel
        self.is_csv = bool(suffixes) and suffixes[-1] in (".csv", ".tsv")

    @property
    def read(self) -> int:
        """Bytes of the file that were read, compressed ones where it is compressed."""
        return self._raw.tell()

    def close(self) -> None:
        """Lets go of the file."""
        self._raw.close()

    def lines(self) -> Iterator[Line]:
        """Every line that is not blank; a damaged file ends with a line that says so."""
        number = 0
        try:
            for line in self._csv_lines() if self.is_csv else self._json_lines():
                number = line.number
                yield line
        except (EOFError, zlib.error, gzip.BadGzipFile):
            yield Line(number + 1, problem="the compressed file is damaged from here on")
        except OSError as error:
            yield Line(number + 1, problem=f"cannot be read from here on: {error.strerror or error}")

    def _json_lines(self) -> Iterator[Line]:
        number = 0
        while raw := self._stream.readline(LINE_LIMIT + 2):
            number += 1
            if number == 1:
                raw = raw.removeprefix(_BYTE_ORDER_MARK)
            if len(raw) > LINE_LIMIT and not raw.endswith(b"\n"):
                while raw and not raw.endswith(b"\n"):
                    raw = self._stream.readline(LINE_LIMIT)
                yield Line(number, problem="is longer than 1 MiB")
            elif raw.strip():
                yield _json_line(number, raw)

    def _csv_lines(self) -> Iterator[Line]:
        csv.field_size_limit(LINE_LIMIT)
        text = io.TextIOWrapper(self._stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        rows = csv.reader(text, self._dialect)
        names: list[str] | None = None
        while True:
            number = rows.line_num + 1
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield Line(number, problem=f"is not CSV: {error}")
                continue
            if not any(row):
                continue
            if names is None:
                names = [name.strip() for name in row]
                continue
            yield _csv_line(number, names, row)


def _json_line(number: int, raw: bytes) -> Line:
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        return Line(number, problem=f"is not JSON: {error.msg}")
    if not isinstance(fields, dict):
        kind = "a list" if isinstance(fields, list) else "a single value"
        return Line(number, problem=f"is {kind}, not a JSON object: one record a line is wanted")
    return Line(number, fields)


def _csv_line(number: int, names: list[str], row: list[str]) -> Line:
    if len(row) > len(names):
        return Line(number, problem=f"has {len(row)} columns, the header has {len(names)}")
    if any("\udc80" <= character <= "\udcff" for value in row for character in value):
        return Line(number, problem="is not UTF-8: convert the file, for instance with iconv -f GB18030 -t UTF-8")
    return Line(number, {name: value for name, value in zip(names, row, strict=False) if value.strip()})
