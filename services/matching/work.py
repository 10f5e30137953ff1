"""The record that the encode stage hands to the match stage: one version of a technology or demand, analysed once.

Internal to matching, on `matching.work`, one partition for each shard. A null record says that the record of its key
was withdrawn or closed.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, model_validator

from services.matching.analysis import Term
from services.matching.profile import DIMENSIONS, ENGLISH_DIMENSIONS
from shared.contracts.base import EventData
from shared.contracts.events import DemandParty, Side, TechnologyParty

SHARD = "shard"
"""Extension that names the shard; null records have it too."""
RECORD_VERSION = "recordversion"
"""Extension that names the version of a withdrawal, as intake gives it."""

Counts = list[Annotated[int, Field(ge=0)]]


@dataclass(frozen=True, slots=True)
class Subject:
    """Which record: a technology and a demand may share an id, so the side belongs to the key."""

    side: Side
    id: str

    def __str__(self) -> str:
        return f"{self.side}:{self.id}"

    @classmethod
    def parse(cls, key: str) -> Subject:
        """The subject of a key; ValueError where it is none."""
        side, _, id = key.partition(":")
        return cls(Side(side), id)

    def shards(self, count: int) -> range:
        """The shards that must know of it: every one for a technology, one for a demand."""
        if self.side is Side.TECHNOLOGY:
            return range(count)
        shard = zlib.crc32(self.id.encode()) % count
        return range(shard, shard + 1)


class WorkRecord(EventData):
    """One version of a record: exactly one of `technology` and `demand` is given."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")
    topic: ClassVar[str] = "matching.work"
    type: ClassVar[str] = "tongtu.matching.work.v1"

    technology: TechnologyParty | None = None
    demand: DemandParty | None = None
    encoder: str
    """Which model made the vector (embedding.ENCODER); vectors of two models cannot be compared."""
    terms: list[str]
    """Distinct terms in the order of their first occurrence, title first (analysis.terms)."""
    surfaces: list[str]
    """Each term as the text wrote it first."""
    title_counts: Counts
    body_counts: Counts
    vector: bytes
    """The embedding as 512 signed bytes, base64."""
    order: bytes = b""
    """Every occurrence of a term in order, title first, as its position in `terms` (analysis.ordered_terms), base64."""
    english: bytes = b""
    """For an English record, its beginning and for a demand its title too as english.EnglishEmbedder sees them, 384
    signed bytes each, base64."""

    @model_validator(mode="after")
    def _is_whole(self) -> WorkRecord:
        if (self.technology is None) is (self.demand is None):
            raise ValueError("exactly one of technology and demand must be given")
        if not len(self.terms) == len(self.surfaces) == len(self.title_counts) == len(self.body_counts):
            raise ValueError("terms, surfaces and counts must be of one length")
        if len(self.vector) != DIMENSIONS:
            raise ValueError(f"vector must have {DIMENSIONS} bytes")
        if len(self.order) not in (0, 2 * (sum(self.title_counts) + sum(self.body_counts))):
            raise ValueError("order must name every occurrence of a term")
        if len(self.english) not in (0, ENGLISH_DIMENSIONS * (2 if self.technology is None else 1)):
            raise ValueError(f"english must have {ENGLISH_DIMENSIONS} bytes for each text")
        return self

    @property
    def party(self) -> TechnologyParty | DemandParty:
        """Whichever of the two is given."""
        party = self.technology or self.demand
        assert party is not None
        return party

    @property
    def subject(self) -> Subject:
        """Which record this is a version of."""
        return Subject(Side.DEMAND if self.technology is None else Side.TECHNOLOGY, self.party.id)

    @property
    def key(self) -> str:
        """The subject as a Kafka key."""
        return str(self.subject)

    @property
    def counted_terms(self) -> list[Term]:
        """The terms with their surface forms and counts."""
        return [
            Term(*each) for each in zip(self.terms, self.surfaces, self.title_counts, self.body_counts, strict=True)
        ]

    @property
    def numbers(self) -> npt.NDArray[np.int8]:
        """The vector as whole numbers, [512]."""
        return np.frombuffer(self.vector, dtype=np.int8)
