"""Strategic priority: how far a field that both records belong to moves a proposal up, in the order of what is shown.

It never counts for what is proposed: that is a matter of the score alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from shared.contracts.code_lists import STRATEGIC_FIELDS, CodeName
from shared.contracts.events import StrategicField

FILE = Path(__file__).parent / "priorities.json"
BOUND = 0.05
"""Most that priority adds, on the scale of the score (0-1): it decides between neighbours, and no more."""

Meaning = tuple[str, CodeName]
"""A list and what a code means in it, whichever of its versions has the code."""


def meaning(field: StrategicField) -> Meaning | None:
    """What a code means; None where its list, version or code is not known."""
    name = STRATEGIC_FIELDS.get((field.list, field.version or ""), {}).get(field.code)
    return None if name is None else (field.list, name)


def in_common(asked: Sequence[StrategicField], offered: Sequence[StrategicField]) -> list[StrategicField]:
    """The fields of the demand that the technology belongs to, also where it names them by another version of the list.

    Two versions use one code for two fields (7: 节能环保, then 绿色环保), so what a code means is compared.
    """
    means = {each for field in offered if (each := meaning(field)) is not None}
    return [field for field in asked if field in offered or meaning(field) in means]


@dataclass(frozen=True, slots=True)
class Priorities:
    """The reviewed weights of one version."""

    version: str
    weights: Mapping[Meaning, float]
    """0-1; what is not listed weighs nothing."""

    def bonus(self, common: Iterable[StrategicField]) -> float:
        """What the weightiest of the fields that both records belong to adds, 0 to BOUND."""
        weights = (self.weights.get(each, 0.0) for field in common if (each := meaning(field)) is not None)
        return round(BOUND * max(weights, default=0.0), 4)

    @classmethod
    def load(cls, file: Path = FILE) -> Priorities:
        """Reads the reviewed file. Raises ValueError where a code is not one of its list or a weight not 0 to 1."""
        written = orjson.loads(file.read_bytes())
        weights: dict[Meaning, float] = {}
        for each in written["fields"]:
            field = StrategicField(list=each["list"], version=each["version"], code=each["code"])
            means = meaning(field)
            if means is None or not 0 <= each["weight"] <= 1:
                raise ValueError(f"{file.name}: {each} is no known code with a weight from 0 to 1")
            weights[means] = each["weight"]
        return cls(written["version"], weights)
