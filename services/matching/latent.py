"""Places a record in the space of subjects that terms occurring together span: latent semantic analysis, frozen.

Two records about one subject lie close although they share few words. Learnt from public English text without any
label; a record without English terms has no place in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from services.matching.vectors import Vector, quantised

DIMENSIONS = 64
"""On labelled pairs 128 found no more among the first 300; 64 keep the artefact below a megabyte."""
_STEPS = 64
"""A term's weight is held in steps of 1/64, so that sums over terms are whole numbers and exact."""


@dataclass(frozen=True)
class LatentSpace:
    """The directions of the space, per term."""

    fingerprints: npt.NDArray[np.uint32]
    """Of the terms that count, ascending."""
    directions: npt.NDArray[np.int8]
    """[terms, 64], each column in steps of its own scale."""
    scales: npt.NDArray[np.float64]
    """[64]"""

    @cached_property
    def _whole(self) -> npt.NDArray[np.int64]:
        return self.directions.astype(np.int64)

    def vector(self, fingerprints: npt.NDArray[np.uint32], weights: npt.NDArray[np.float64]) -> Vector:
        """Where a record lies whose terms have these weights: a direction in 64 whole numbers."""
        if len(self.fingerprints) == 0:
            return np.zeros(DIMENSIONS, dtype=np.int8)
        found = np.minimum(np.searchsorted(self.fingerprints, fingerprints), len(self.fingerprints) - 1)
        known = self.fingerprints[found] == fingerprints
        sums = np.rint(_STEPS * weights[known]).astype(np.int64) @ self._whole[found[known]]
        return quantised((sums * self.scales).astype(np.float32))
