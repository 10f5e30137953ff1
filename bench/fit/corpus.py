"""The records that matching is fitted on, analysed and embedded as the service does it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.analysis import Term
from services.matching.embedding import Embedder
from services.matching.encoding import Analyser, words
from services.matching.evaluation import profile, record
from services.matching.profile import Profile
from services.matching.statistics import Model
from shared.contracts.events import Side

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Row = tuple[str, str, str, str]
"""id, title, text, language."""


class Records:
    """Records of one side."""

    def __init__(self, rows: Iterable[Row], side: Side) -> None:
        self.side = side
        self.rows = list(rows)
        self._records = [
            record({"id": id, "title": title, "text": text, "language": language}, side)
            for id, title, text, language in self.rows
        ]
        analysed = [words(each) for each in self._records]
        self.terms: list[list[Term]] = [terms for terms, _ in analysed]
        self.orders = [order for _, order in analysed]
        self.vectors: list[npt.NDArray[np.int8]] = []
        self.english: list[bytes] = []

    def embed(self, embedder: Embedder, cache: Path | None = None) -> None:
        """Embeds all of them; `cache`: a file that remembers, by id."""
        known: dict[str, tuple[npt.NDArray[np.int8], bytes]] = {}
        if cache is not None and cache.is_file():
            with np.load(cache) as file:
                stored = zip(file["ids"].tolist(), file["vectors"], file["english"], strict=True)
                known = {id: (vector, english.tobytes()) for id, vector, english in stored}
        analyser = Analyser(embedder)
        for each in self._records:
            if each.id not in known:
                known[each.id] = analyser.vectors(each)
        self.vectors = [known[id][0] for id, *_ in self.rows]
        self.english = [known[id][1] for id, *_ in self.rows]
        if cache is not None:
            flat = np.stack([np.frombuffer(english, dtype=np.int8) for _, english in known.values()])
            vectors = np.stack([vector for vector, _ in known.values()])
            np.savez(cache, ids=np.array(list(known)), vectors=vectors, english=flat)

    def kept(self, indexes: Sequence[int]) -> Records:
        """Some of them, not embedded yet."""
        return Records([self.rows[index] for index in indexes], self.side)

    def profiles(self, model: Model) -> list[Profile]:
        """The profiles of all of them, each side with an owner of its own."""
        analysed = zip(self._records, self.terms, self.orders, self.vectors, self.english, strict=True)
        return [profile(*each, model) for each in analysed]


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file, compressed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
