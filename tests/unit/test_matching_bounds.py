"""No cosine exceeds its bound, whatever the vectors; and where they spread unevenly the bounds are close."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching import bounds
from services.matching.bounds import Bounds
from services.matching.directions import Directions
from services.matching.vectors import quantised, quantised_rows

DIMENSIONS = 512


def drawn(chance: np.random.Generator, count: int, power: float) -> npt.NDArray[np.int8]:
    """`power`: how fast what directions hold falls off; about .65 for real embeddings, and 0 is even."""
    values = chance.standard_normal((count, DIMENSIONS)) * (np.arange(DIMENSIONS) + 10.0) ** -power
    return quantised_rows(values)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.65, 3.0]), st.lists(st.integers(1, 60), min_size=1, max_size=5))
def test_no_cosine_exceeds_its_bound_as_the_table_grows(seed: int, power: float, sizes: list[int]) -> None:
    chance = np.random.default_rng(seed)
    table = Directions(DIMENSIONS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "LEAST", 1)
        found = Bounds(table)
        for size in sizes:
            table.extend(drawn(chance, size, power))
            table.append(np.zeros(DIMENSIONS, dtype=np.int8))
            one_of_them = table.vectors[chance.integers(len(table.vectors))]
            for vector in (drawn(chance, 1, power)[0], drawn(chance, 1, 0.0)[0], one_of_them, -one_of_them):
                assert (found.of(vector) >= table.cosines(vector)).all()
        table.keep(np.arange(len(table.vectors)) % 2 == 1)
        found.clear()
        vector = drawn(chance, 1, power)[0]
        assert (found.of(vector) >= table.cosines(vector)).all()
        assert len(found.of(vector)) == len(table.vectors)


def test_where_vectors_spread_unevenly_the_bounds_are_close() -> None:
    chance = np.random.default_rng(5)
    table = Directions(DIMENSIONS)
    table.extend(drawn(chance, bounds.LEAST, 0.65))
    vector = drawn(chance, 1, 0.65)[0]
    above = Bounds(table).of(vector) - table.cosines(vector)
    assert above.min() >= 0
    assert np.median(above) < 0.25


def test_few_rows_are_told_exactly() -> None:
    table = Directions(DIMENSIONS)
    table.extend(drawn(np.random.default_rng(6), 100, 0.65))
    vector = table.vectors[7]
    assert Bounds(table).of(vector).tolist() == table.cosines(vector).tolist()


def test_rows_are_quantised_as_one_vector_is() -> None:
    values = np.random.default_rng(7).standard_normal((50, DIMENSIONS)).astype(np.float32)
    values[3] = 0
    assert np.array_equal(quantised_rows(values), np.stack([quantised(row) for row in values]))
