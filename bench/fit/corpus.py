"""The records that matching is fitted on, analysed and embedded as the service does it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching.analysis import Term, ordered_terms
from services.matching.embedding import Embedder, passages
from services.matching.profile import ENGLISH, Profile, demand_profile, technology_profile
from services.matching.statistics import Model
from shared.contracts.events import Party, Side, Visibility

Matrix = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Row = tuple[str, str, str, str]
"""id, title, text, language."""


class Records:
    """Records of one side."""

    def __init__(self, rows: Iterable[Row], side: Side) -> None:
        self.side = side
        self.rows = list(rows)
        analysed = [ordered_terms(title, text) for _, title, text, _ in self.rows]
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
        for id, title, text, language in self.rows:
            if id not in known:
                is_demand = self.side is Side.DEMAND
                english = embedder.english.embed_record(title, text, is_demand) if language == ENGLISH else b""
                known[id] = embedder.embed(passages(title, (), text)), english
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
        make = technology_profile if self.side is Side.TECHNOLOGY else demand_profile
        owner = self.side.value
        return [
            make(
                Party.model_construct(
                    id=id, version=1, owner=owner, visibility=Visibility.PUBLIC, named_members=(), language=language
                ),
                terms,
                vector,
                model,
                order,
                english,
            )
            for (id, _, _, language), terms, order, vector, english in zip(
                self.rows, self.terms, self.orders, self.vectors, self.english, strict=True
            )
        ]


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file, compressed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
