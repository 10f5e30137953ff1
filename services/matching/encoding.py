"""What matching needs of a record: the text that is compared, analysed and embedded, and the work record."""

from __future__ import annotations

from services.matching.analysis import Term, ordered_terms
from services.matching.embedding import ENCODER, Embedder, passages
from services.matching.parties import demand_party, technology_party
from services.matching.profile import ENGLISH
from services.matching.vectors import Vector
from services.matching.work import WorkRecord
from shared.contracts.events import (
    DemandPosted,
    TechnologySubmitted,
)

Record = TechnologySubmitted | DemandPosted


def body(record: Record) -> str:
    """The text that is compared, besides the title: most telling first, for the embedding sees only its beginning."""
    if isinstance(record, TechnologySubmitted):
        parts = [record.summary, record.description, record.advantages, " ".join(record.keywords)]
    else:
        parts = [record.problem, "; ".join(target.name for target in record.targets), " ".join(record.keywords)]
    return "\n".join(part for part in parts if part)


class Analyser:
    """Turns canonical records into work records: the costly part of matching."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        # Loaded at start, where a missing model is one line, and not with the first English record.
        self._english = embedder.english

    def work_record(self, record: Record) -> WorkRecord:
        """The record, analysed and embedded; blocks for some 10 ms, and 15 more where it is English."""
        vector, english = self.vectors(record)
        return work_record(record, vector, ENCODER, english)

    def vectors(self, record: Record) -> tuple[Vector, bytes]:
        """The record as the multilingual model sees it and, of an English one, its texts as the English model does."""
        text = body(record)
        vector = self._embedder.embed(passages(record.title, record.keywords, text))
        if record.language.partition("-")[0] != ENGLISH:
            return vector, b""
        return vector, self._english.embed_record(record.title, text, isinstance(record, DemandPosted))


def words(record: Record) -> tuple[list[Term], bytes]:
    """The record's distinct terms, and every occurrence in order (see analysis.ordered_terms)."""
    return ordered_terms(record.title, body(record))


def work_record(record: Record, vector: Vector, encoder: str, english: bytes = b"") -> WorkRecord:
    """The analysed record; `vector` is the embedding of its passages by `encoder`."""
    counted, order = words(record)
    return WorkRecord(
        technology=technology_party(record) if isinstance(record, TechnologySubmitted) else None,
        demand=demand_party(record) if isinstance(record, DemandPosted) else None,
        encoder=encoder,
        terms=[term.term for term in counted],
        surfaces=[term.surface for term in counted],
        title_counts=[term.title for term in counted],
        body_counts=[term.body for term in counted],
        vector=vector.tobytes(),
        order=order,
        english=english,
    )
