"""Made-up profiles and work records for the tests of matching: no text, no embedding, any number of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from services.matching.analysis import Term
from services.matching.embedding import ENCODER
from services.matching.profile import DIMENSIONS, ENGLISH_DIMENSIONS, Profile, demand_profile, technology_profile
from services.matching.statistics import Model
from services.matching.work import WorkRecord
from shared.contracts.events import (
    DemandDisplay,
    DemandParty,
    DemandRiskExtract,
    Party,
    Side,
    TechnologyDisplay,
    TechnologyParty,
    TechnologyRiskExtract,
    Visibility,
)

WORDS = [f"word{number}" for number in range(60)]
MODEL = Model.load()


def party(
    id: str,
    version: int = 1,
    language: str = "en",
    visibility: Visibility = Visibility.PUBLIC,
    named: Sequence[str] = (),
) -> Party:
    return Party(
        id=id,
        version=version,
        owner=id.partition("/")[0],
        visibility=visibility,
        named_members=tuple(named),
        language=language,
    )


def terms(words: Sequence[str]) -> list[Term]:
    return [Term(word, word, int(position < 2), 1 + position % 3) for position, word in enumerate(words)]


def vector(seed: int, spread: float = 1.0) -> np.ndarray:
    """A random direction; those of small spread lie close to one another."""
    generator = np.random.default_rng(seed)
    values = np.ones(DIMENSIONS) * 20 * (1 - spread) + generator.normal(0, 30, DIMENSIONS) * spread
    return np.clip(np.rint(values), -127, 127).astype(np.int8)


def some_words(chance: random.Random) -> list[str]:
    return chance.sample(WORDS, chance.randint(3, 20))


def order(counted: Sequence[Term]) -> bytes:
    """Every term in turn, first those of the title, as often as it occurs."""
    title = [position for position, term in enumerate(counted) for _ in range(term.title)]
    body = [position for position, term in enumerate(counted) for _ in range(term.body)]
    return np.array(title + body, dtype="<u2").tobytes()


def english(seed: int, texts: int, spread: float = 0.3) -> bytes:
    """Embeddings by the English model, close to one another."""
    return b"".join(vector(seed + text, spread)[:ENGLISH_DIMENSIONS].tobytes() for text in range(texts))


def technology(seed: int, about: Party, is_embedded: bool = False) -> Profile:
    """`is_embedded`: by the English model too, so that it is looked at twice if it is English."""
    counted = terms(some_words(random.Random(seed)))
    more = english(seed, 1) if is_embedded else b""
    return technology_profile(about, counted, vector(seed, 0.6), MODEL, order(counted), more)


def demand(seed: int, about: Party, is_embedded: bool = False) -> Profile:
    """The same."""
    counted = terms(some_words(random.Random(seed)))
    more = english(seed, 2) if is_embedded else b""
    return demand_profile(about, counted, vector(seed, 0.6), MODEL, order(counted), more)


def work(side: Side, seed: int, about: Party, is_embedded: bool = False) -> WorkRecord:
    """A work record with the words and the vectors of that seed; `is_embedded`: see above, where it is English."""
    counted = terms(some_words(random.Random(seed)))
    shown: Any = {"title": f"{side} {seed}", "language": about.language}
    fields: Any = about.model_dump()
    return WorkRecord(
        technology=TechnologyParty(**fields, display=TechnologyDisplay(**shown), risk=TechnologyRiskExtract())
        if side is Side.TECHNOLOGY
        else None,
        demand=DemandParty(**fields, display=DemandDisplay(**shown), risk=DemandRiskExtract())
        if side is Side.DEMAND
        else None,
        encoder=ENCODER,
        terms=[each.term for each in counted],
        surfaces=[each.surface for each in counted],
        title_counts=[each.title for each in counted],
        body_counts=[each.body for each in counted],
        vector=vector(seed, 0.6).tobytes(),
        order=order(counted),
        english=english(seed, 1 if side is Side.TECHNOLOGY else 2) if is_embedded and about.language == "en" else b"",
    )
