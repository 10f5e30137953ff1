"""Evaluates boosted regression trees over many pairs at once, in numpy.

Each tree has at most eight leaves. A pair fails some of a tree's splits; every failed split rules out the leaves on
its left; the first leaf that is left is the pair's (QuickScorer, Lucchese et al. 2015). Leaf values are whole numbers,
so the sum over trees is exact: a pair has one value in every batch. Needs no LightGBM where the service runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LEAVES = 8
SCALE = 1 << 20
"""Leaf values are held in steps of 2^-20."""
_ALL = 0xFF
# By the set of leaves that are left (bit 0: the leftmost), the number of the first one.
_FIRST = np.array([next((bit for bit in range(LEAVES) if leaves >> bit & 1), 0) for leaves in range(256)], np.uint8)


@dataclass(frozen=True)
class Trees:
    """The ensemble as arrays; a tree with fewer than seven splits is filled up with splits that nothing fails."""

    features: npt.NDArray[np.uint8]
    """[trees, 7] which feature a split looks at."""
    thresholds: npt.NDArray[np.float32]
    """[trees, 7] a pair fails where its feature is above."""
    remaining: npt.NDArray[np.uint8]
    """[trees, 7] the leaves that are left after a failed split, as bits."""
    values: npt.NDArray[np.int32]
    """[trees, 8] by leaf, in steps of 2^-20."""

    def sums(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """The sum over all trees for each row of [pairs, features]."""
        columns = np.ascontiguousarray(features.T)
        leaves = np.full((len(self.features), len(features)), _ALL, dtype=np.uint8)
        for split in range(LEAVES - 1):
            fails = columns[self.features[:, split]] > self.thresholds[:, split, np.newaxis]
            # All bits where a pair does not fail: 0 - 1 in eight bits.
            leaves &= self.remaining[:, split, np.newaxis] | (fails.view(np.uint8) - np.uint8(1))
        reached = self.values[np.arange(len(self.features))[:, np.newaxis], _FIRST[leaves]]
        return reached.sum(axis=0, dtype=np.int64) / SCALE


def compiled(models: list[Mapping[str, Any]], weight: float) -> Trees:
    """Trees from LightGBM's `dump_model()`, their values times `weight`."""
    rows = [_compiled(tree["tree_structure"]) for model in models for tree in model["tree_info"]]
    return Trees(
        np.array([row[0] for row in rows], dtype=np.uint8).reshape(-1, LEAVES - 1),
        np.array([row[1] for row in rows], dtype=np.float32).reshape(-1, LEAVES - 1),
        np.array([row[2] for row in rows], dtype=np.uint8).reshape(-1, LEAVES - 1),
        np.rint(np.array([row[3] for row in rows]).reshape(-1, LEAVES) * weight * SCALE).astype(np.int32),
    )


def _compiled(root: Mapping[str, Any]) -> tuple[list[int], list[float], list[int], list[float]]:
    features, thresholds, remaining, values = list[int](), list[float](), list[int](), list[float]()

    def walk(node: Mapping[str, Any]) -> int:
        """Numbers the leaves from the left; returns their set below this node."""
        if "leaf_value" in node:
            values.append(float(node["leaf_value"]))
            return 1 << (len(values) - 1)
        left = walk(node["left_child"])
        features.append(int(node["split_feature"]))
        thresholds.append(float(node["threshold"]))
        remaining.append(_ALL & ~left)
        return left | walk(node["right_child"])

    walk(root)
    spare = LEAVES - 1 - len(features)
    return (
        features + [0] * spare,
        thresholds + [float("inf")] * spare,
        remaining + [_ALL] * spare,
        values + [0.0] * (LEAVES - len(values)),
    )
