"""The records that matching is fitted on, and the term statistics that they give."""

import gzip
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from services.matching import lexical
from services.matching.analysis import Term, is_han, terms
from services.matching.embedding import Embedder, passages
from services.matching.index import ProfileIndex
from services.matching.profile import Profile, demand_profile, technology_profile
from services.matching.statistics import Model, fingerprint
from shared.contracts.events import Party, Side, Visibility

VERSION = "1"
SEEN_OFTEN = 6
"""Documents; a term in fewer counts as rare."""
CHINESE_LENGTH = 400
"""Characters of a typical Chinese record."""
CHINESE_POWER = 0.8
"""Technical records use technical words more than a general dictionary does: raises the shares of the rarer ones."""
CHINESE_LEAST = 0.002
"""Share from which a bigram is listed; keeps the artefact small and changes no figure of the report."""
EVERYWHERE = Path(__file__).with_name("chinese_everywhere.txt")
"""Words that every technical record uses."""
EVERYWHERE_SHARE = 0.3

Matrix = npt.NDArray[np.float64]
Vectors = dict[str, npt.NDArray[np.int8]]


class Records:
    """Analysed and embedded records of one side."""

    def __init__(self, rows: Iterable[tuple[str, str, str, str]], side: Side, embedder: Embedder, cache: Path | None):
        self.side = side
        self.rows = list(rows)
        self.terms: list[list[Term]] = [terms(title, text) for _, title, text, _ in self.rows]
        stored: Vectors = {}
        if cache is not None and cache.is_file():
            with np.load(cache) as file:
                stored = dict(zip(file["ids"].tolist(), file["vectors"], strict=True))
        for id, title, text, _ in self.rows:
            if id not in stored:
                stored[id] = embedder.embed(passages(title, (), text))
        if cache is not None:
            np.savez(cache, ids=np.array(list(stored)), vectors=np.stack(list(stored.values())))
        self.vectors = [stored[id] for id, *_ in self.rows]

    def keep(self, indexes: Sequence[int]) -> None:
        """Forgets all the others."""
        self.rows = [self.rows[index] for index in indexes]
        self.terms = [self.terms[index] for index in indexes]
        self.vectors = [self.vectors[index] for index in indexes]

    def profiles(self, model: Model) -> list[Profile]:
        """The profiles of all of them, each side with an owner of its own."""
        make = technology_profile if self.side is Side.TECHNOLOGY else demand_profile
        owner = self.side.value
        return [
            make(
                Party.model_construct(
                    id=id, version=1, owner=owner, visibility=Visibility.PUBLIC, named_members=(), language=language
                ),
                analysed,
                vector,
                model,
            )
            for (id, _, _, language), analysed, vector in zip(self.rows, self.terms, self.vectors, strict=True)
        ]


def components(technologies: Records, demands: Records, model: Model) -> tuple[Matrix, Matrix]:
    """Lexical part (standard deviations) and cosine of every pair, [demands, technologies], by the production index."""
    parts: list[Matrix] = []
    for lexical_weight, semantic_weight in ((1.0, 0.0), (0.0, 1.0)):
        index = ProfileIndex(
            Side.TECHNOLOGY,
            replace(
                model,
                lexical_weight=lexical_weight,
                semantic_weight=semantic_weight,
                intercept=0.0,
                across_semantic_weight=semantic_weight,
                across_intercept=0.0,
            ),
        )
        for profile in technologies.profiles(model):
            index.put(profile)
        parts.append(np.stack(list(index.columns(demands.profiles(model)))))
    return parts[0], parts[1]


def term_shares(documents: Sequence[Sequence[Term]], chinese: Path) -> dict[str, float]:
    """The share of documents that hold each frequent term."""
    counts: Counter[str] = Counter()
    for document in documents:
        counts.update(term.term for term in document if not is_han(term.term))
    shares = {term: min(0.9, count / len(documents)) for term, count in counts.items() if count >= SEEN_OFTEN}
    frequencies: Counter[str] = Counter()
    total = 0
    with chinese.open(encoding="utf-8") as file:
        for line in file:
            word, frequency, *_ = line.split()
            total += int(frequency) * len(word)
            for start in range(len(word) - 1):
                if is_han(word[start]) and is_han(word[start + 1]):
                    frequencies[word[start : start + 2]] += int(frequency)
    for bigram, frequency in frequencies.items():
        share = 1 - float(np.exp(-frequency * CHINESE_LENGTH / total))
        share = share**CHINESE_POWER
        if share >= CHINESE_LEAST:
            shares[bigram] = min(0.9, share)
    return shares | dict.fromkeys(EVERYWHERE.read_text("utf-8").split(), EVERYWHERE_SHARE)


def unweighted(technologies: Records, demands: Records, chinese: Path) -> Model:
    """The model with its statistics and no weights yet."""
    documents = technologies.terms + demands.terms
    shares = term_shares(documents, chinese)
    ordered = sorted({fingerprint(term): share for term, share in shares.items()}.items())
    lengths = [sum(term.title + term.body for term in document) for document in technologies.terms]
    model = Model(
        version=VERSION,
        fingerprints=np.array([number for number, _ in ordered], dtype=np.uint32),
        shares=np.array([share for _, share in ordered], dtype=np.float32),
        rare_share=(SEEN_OFTEN - 1) / len(documents),
        average_length=float(np.mean(lengths)),
        mean_impact=0.0,
        mean_square_impact=0.0,
        lexical_weight=0.0,
        semantic_weight=0.0,
        intercept=0.0,
        across_semantic_weight=0.0,
        across_intercept=0.0,
    )
    values = np.concatenate([lexical.impacts(document, model) for document in technologies.terms]) / lexical.SCALE
    return replace(model, mean_impact=float(values.mean()), mean_square_impact=float((values**2).mean()))


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file, compressed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]
