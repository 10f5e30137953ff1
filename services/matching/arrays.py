"""Arrays that grow: what a million records are held in, where a Python object for each would cost ten times as much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_SMALLEST = 64


class Column:
    """One value, or one row of values, for each record. What was appended stays where it is until `values` is asked
    again: an array handed out earlier goes on showing the records that it showed."""

    def __init__(self, dtype: npt.DTypeLike, width: int | None = None) -> None:
        shape = (_SMALLEST,) if width is None else (_SMALLEST, width)
        self._room: Array = np.empty(shape, dtype=dtype)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def values(self) -> Array:
        """All of them; not a copy."""
        return self._room[: self._count]

    def append(self, value: object) -> None:
        """One more."""
        self._reserve(1)
        self._room[self._count] = value
        self._count += 1

    def extend(self, values: npt.ArrayLike) -> None:
        """Several more."""
        more = np.asarray(values)
        self._reserve(len(more))
        self._room[self._count : self._count + len(more)] = more
        self._count += len(more)

    def replace(self, values: Array) -> None:
        """These and no others; the array is taken over, not copied, if its type is right."""
        self._room = np.ascontiguousarray(values, dtype=self._room.dtype)
        if not self._room.flags.writeable:
            self._room = self._room.copy()
        self._count = len(values)

    def _reserve(self, more: int) -> None:
        needed = self._count + more
        if needed > len(self._room):
            # Pages of the new half that nothing has touched yet take no memory.
            room = np.empty((max(needed, 2 * len(self._room)), *self._room.shape[1:]), dtype=self._room.dtype)
            room[: self._count] = self.values
            self._room = room


class Lists:
    """A list for each record, one after the other; its elements have a value in each of some named columns."""

    def __init__(self, **types: npt.DTypeLike) -> None:
        self._ends = Column(np.int64)
        self._ends.append(0)
        self._columns = {name: Column(type) for name, type in types.items()}

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, name: str) -> Array:
        """One column of all lists."""
        return self._columns[name].values

    @property
    def ends(self) -> Array:
        """[records + 1] list r lies from ends[r] to ends[r + 1]."""
        return self._ends.values

    def append(self, **values: npt.ArrayLike) -> None:
        """The list of one more record, column by column."""
        for name, column in self._columns.items():
            column.extend(values[name])
        self._ends.append(max(map(len, self._columns.values())))

    def take(self, rows: Array) -> tuple[Array, dict[str, Array]]:
        """The length of each of these records' lists, and their columns laid end to end."""
        starts = self.ends[rows]
        sizes = self.ends[rows + 1] - starts
        before = np.cumsum(sizes) - sizes
        places = np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()))
        return sizes, {name: column.values.take(places) for name, column in self._columns.items()}

    def keep(self, kept: npt.NDArray[np.bool_]) -> None:
        """Forgets the lists of all other records."""
        lengths = np.diff(self.ends)
        within = np.repeat(kept, lengths)
        self._ends.replace(np.concatenate([[0], np.cumsum(lengths[kept])]))
        for column in self._columns.values():
            column.replace(column.values[within])

    def arrays(self) -> dict[str, Array]:
        """The ends and every column, fit for `restore`."""
        return {"ends": self.ends, **{name: column.values for name, column in self._columns.items()}}

    def restore(self, arrays: Mapping[str, Array]) -> None:
        """These lists and no others."""
        self._ends.replace(arrays["ends"])
        for name, column in self._columns.items():
            column.replace(arrays[name])


class Codes:
    """Small whole numbers for names, in the order in which they were first met."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.names)

    def put(self, name: str) -> int:
        """The code of a name, a new one where it has none."""
        code = self._codes.get(name)
        if code is None:
            code = self._codes[name] = len(self.names)
            self.names.append(name)
        return code

    def get(self, name: str) -> int:
        """The code of a name, -1 where it has none."""
        return self._codes.get(name, -1)

    def replace(self, names: list[str]) -> None:
        """These names and no others."""
        self.names = names
        self._codes = {name: code for code, name in enumerate(names)}
