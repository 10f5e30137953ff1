"""The frozen model of the ranking: how common terms are in technical text, and the weights of the score."""

import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.matching.latent import LatentSpace
from services.matching.reranking import Curve, Reranker
from services.matching.trees import Trees

MODEL = Path(__file__).parent / "model" / "matching-5.npz"
"""Made by `python -m bench.fit_matching`, which documents where every number comes from."""


def fingerprint(term: str) -> int:
    """The number under which the model keeps a term (CRC-32 of its UTF-8 form)."""
    return zlib.crc32(term.encode())


@dataclass(frozen=True)
class Model:
    """Everything that a score depends on besides the two records. Never changes within one `version`."""

    version: str
    fingerprints: npt.NDArray[np.uint32]
    """Terms and phrases seen in enough documents, ascending."""
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
    latent_fingerprints: npt.NDArray[np.uint32]
    latent_directions: npt.NDArray[np.int8]
    latent_scales: npt.NDArray[np.float64]
    """See latent.LatentSpace."""
    english_weights: npt.NDArray[np.float64]
    """First stage of two English records: log-odds per standard deviation of lexical overlap, per unit of cosine in the
    latent space, and per unit of cosine of the English embeddings."""
    english_intercept: float
    english_least: float
    """First-stage log-odds from which two English records are looked at again."""
    reranker_weights: npt.NDArray[np.float64]
    reranker_intercept: float
    tree_features: npt.NDArray[np.uint8]
    tree_thresholds: npt.NDArray[np.float32]
    tree_remaining: npt.NDArray[np.uint8]
    tree_values: npt.NDArray[np.int32]
    calibration: npt.NDArray[np.float64]
    """Starts, values and slopes of reranking.Curve, [3, pieces]."""

    @cached_property
    def _inverse_frequencies(self) -> npt.NDArray[np.float64]:
        return -np.log(self.shares.astype(np.float64))

    @cached_property
    def latent(self) -> LatentSpace:
        """The space of subjects."""
        return LatentSpace(self.latent_fingerprints, self.latent_directions, self.latent_scales)

    @cached_property
    def reranker(self) -> Reranker:
        """The second stage."""
        trees = Trees(self.tree_features, self.tree_thresholds, self.tree_remaining, self.tree_values)
        return Reranker(self.reranker_weights, self.reranker_intercept, trees, Curve(*self.calibration))

    def share(self, fingerprints: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
        """The share of technical documents that hold each of these terms or phrases, 0-1."""
        return self._listed(fingerprints, self.shares, self.rare_share)

    def idf(self, fingerprints: npt.NDArray[np.uint32]) -> npt.NDArray[np.float64]:
        """Minus the logarithm of that share."""
        return self._listed(fingerprints, self._inverse_frequencies, -np.log(self.rare_share))

    def _listed(
        self, fingerprints: npt.NDArray[np.uint32], values: npt.NDArray[np.floating], otherwise: float
    ) -> npt.NDArray[np.float64]:
        if len(self.fingerprints) == 0:
            return np.full(len(fingerprints), otherwise)
        found = np.minimum(np.searchsorted(self.fingerprints, fingerprints), len(self.fingerprints) - 1)
        return np.where(self.fingerprints[found] == fingerprints, values[found].astype(np.float64), otherwise)

    @property
    def method(self) -> str:
        """What a proposal names as the method of its score."""
        return f"{self.version}-bm25+use+minilm+trees-bounded"

    def save(self, path: Path) -> None:
        """Writes the artefact, below a megabyte."""
        with path.open("wb") as file:
            values = {name: np.asarray(getattr(self, name)) for name in self.__dataclass_fields__}
            np.savez_compressed(file, allow_pickle=False, **values)

    @classmethod
    def load(cls, path: Path = MODEL) -> "Model":
        """Reads an artefact; OSError where there is none, KeyError where it is not one of these."""
        with np.load(path, allow_pickle=False) as stored:
            values = {name: stored[name] for name in cls.__dataclass_fields__}
        return cls(**{name: value if value.ndim else value.item() for name, value in values.items()})
