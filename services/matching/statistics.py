"""The frozen model of the ranking: how common terms are in technical text, and the weights of the score."""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

MODEL = Path(__file__).parent / "model" / "matching-1.npz"
"""Made by `python -m bench.fit_matching`, which documents where every number comes from."""


def fingerprint(term: str) -> int:
    """The number under which the model keeps a term (CRC-32 of its UTF-8 form)."""
    return zlib.crc32(term.encode())


@dataclass(frozen=True)
class Model:
    """Everything that a score depends on besides the two records. Never changes within one `version`."""

    version: str
    fingerprints: npt.NDArray[np.uint32]
    """Terms seen in enough documents, ascending."""
    shares: npt.NDArray[np.float32]
    """The share of documents that hold each of them, 0-1."""
    rare_share: float
    """The share that a term not listed counts with."""
    average_length: float
    """Terms per technology, repetitions counted."""
    mean_impact: float
    """Mean of a term's impact in a technology that holds it (see lexical.impacts), 0-1."""
    mean_square_impact: float
    lexical_weight: float
    """Log-odds per standard deviation of lexical overlap, within one language."""
    semantic_weight: float
    """Log-odds per unit of cosine, within one language."""
    intercept: float
    across_semantic_weight: float
    """The same between two languages, where only the embedding sees anything."""
    across_intercept: float

    @cached_property
    def _share_of(self) -> dict[int, float]:
        return dict(zip(self.fingerprints.tolist(), self.shares.tolist(), strict=True))

    def share(self, term: str) -> float:
        """The share of technical documents that hold this term, 0-1."""
        return self._share_of.get(fingerprint(term), self.rare_share)

    @property
    def method(self) -> str:
        """What a proposal names as the method of its score."""
        return f"{self.version}-bm25+use"

    def save(self, path: Path) -> None:
        """Writes the artefact, about 300 KB."""
        with path.open("wb") as file:
            values = {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}
            np.savez_compressed(file, allow_pickle=False, **values)

    @classmethod
    def load(cls, path: Path = MODEL) -> "Model":
        """Reads an artefact; OSError where there is none, KeyError where it is not one of these."""
        with np.load(path, allow_pickle=False) as stored:
            values = {name: stored[name] for name in cls.__dataclass_fields__}
        return cls(**{name: value if value.ndim else value.item() for name, value in values.items()})
