"""A shard's arrays on local disk, so that a restart reads from MongoDB only what has changed since.

One file for each shard, an uncompressed .npz: its checksums tell a broken one, its header whose it is. A snapshot is
never needed: where there is none that fits, the shard is loaded from MongoDB.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import numpy as np
import orjson
import structlog

log = structlog.get_logger(__name__)

FORMAT = 1
_HEADER = "header"
_LISTS = ".json"
"""Ends the name of what is not an array."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a snapshot must agree with."""

    state: str
    """Which database it follows (MatchingStore.identity)."""
    method: str
    """Which model weighed the terms."""
    encoder: str
    """Which model made the vectors."""
    shard: int


class Snapshots:
    """The snapshots in one folder of this machine."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, origin: Origin, number: int, content: Mapping[str, Any]) -> None:
        """Replaces the shard's snapshot, as a whole or not at all. OSError where the disk does not take it.

        `number`: of the last change that the content holds. Arrays, lists and numbers in nested mappings.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(origin.shard)
        for left_over in self._folder.glob(f"{path.name}.*"):
            left_over.unlink(missing_ok=True)
        parts = dict(_flat(content))
        header = {"format": FORMAT, "number": number, "parts": sorted(parts), **asdict(origin)}
        with NamedTemporaryFile(dir=self._folder, prefix=f"{path.name}.", delete=False) as file:
            try:
                np.savez(file, allow_pickle=False, **{_HEADER: _as_bytes(header)}, **parts)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def read(self, origin: Origin, most: int) -> tuple[int, dict[str, Any]] | None:
        """The number of the last change and the content, or None where there is none that fits.

        `most`: the number of the last change of the state; a snapshot that knows more is of another past.
        """
        path = self._path(origin.shard)
        try:
            with np.load(path, allow_pickle=False) as stored:
                header = orjson.loads(stored[_HEADER].tobytes())
                number, parts = header.pop("number"), header.pop("parts")
                if header != {"format": FORMAT, **asdict(origin)} or not 0 < number <= most:
                    log.info("snapshot_passed_over", file=str(path), reason="of another state or method")
                    return None
                return number, _nested({name: stored[name] for name in parts})
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            log.warning("snapshot_passed_over", file=str(path), reason=f"broken: {error}")
            return None

    def _path(self, shard: int) -> Path:
        return self._folder / f"shard-{shard}.npz"


def _as_bytes(value: object) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(orjson.dumps(value), dtype=np.uint8)


def _flat(content: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}/")
        elif isinstance(value, np.ndarray):
            yield before + name, value
        else:
            yield before + name + _LISTS, _as_bytes(value)


def _nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for path, value in flat.items():
        *folders, name = path.split("/")
        inner = content
        for folder in folders:
            inner = inner.setdefault(folder, {})
        if name.endswith(_LISTS):
            inner[name.removesuffix(_LISTS)] = orjson.loads(value.tobytes())
        else:
            inner[name] = value
    return content
