"""How common terms and phrases are, and the space of subjects: all that the model knows without a label."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sparse
from scipy.sparse.linalg import svds

from bench.fit.corpus import Matrix, Records
from services.matching import latent, lexical
from services.matching.analysis import is_han, phrases
from services.matching.statistics import Model, fingerprint
from services.matching.traits import LEVELS, LOGARITHMS

VERSION = "5"
SEEN_OFTEN = 6
"""Documents; a term in fewer counts as rare."""
PHRASE_SEEN_OFTEN = 30
"""A phrase in fewer documents counts as rare."""
CHINESE_LENGTH = 400
"""Characters of a typical Chinese record."""
CHINESE_POWER = 0.8
"""Technical records use technical words more than a general dictionary does: raises the shares of the rarer ones."""
CHINESE_LEAST = 0.002
"""Share from which a bigram is listed; keeps the artefact small and changes no figure of the report."""
EVERYWHERE = Path(__file__).with_name("chinese_everywhere.txt")
"""Words that every technical record uses."""
EVERYWHERE_SHARE = 0.3
LATENT_LEAST, LATENT_MOST = 12, 0.3
"""Documents, and share of documents, between which a term has a direction in the space of subjects."""


def unweighted(technologies: Records, demands: Records, chinese: Path) -> Model:
    """The model with its statistics and no weights yet."""
    shares = _shares(technologies, demands, chinese)
    ordered = sorted({fingerprint(term): share for term, share in shares.items()}.items())
    lengths = [sum(term.title + term.body for term in document) for document in technologies.terms]
    none = np.zeros(0)
    model = Model(
        version=VERSION,
        fingerprints=np.array([number for number, _ in ordered], dtype=np.uint32),
        # In half precision: a share is known to a thousandth of itself at best.
        shares=np.array([share for _, share in ordered], dtype=np.float16).astype(np.float32),
        rare_share=(SEEN_OFTEN - 1) / (len(technologies.rows) + len(demands.rows)),
        average_length=float(np.mean(lengths)),
        mean_impact=0.0, mean_square_impact=0.0, lexical_weight=0.0, semantic_weight=0.0, intercept=0.0,
        across_semantic_weight=0.0, across_intercept=0.0,
        latent_fingerprints=none.astype(np.uint32), latent_directions=none.astype(np.int8), latent_scales=none,
        english_weights=np.zeros(3), english_intercept=0.0, english_least=np.inf,
        reranker_weights=none, reranker_intercept=0.0,
        tree_features=none.astype(np.uint8), tree_thresholds=none.astype(np.float32),
        tree_remaining=none.astype(np.uint8), tree_values=none.astype(np.int32), calibration=np.zeros((3, 1)),
    )  # fmt: skip
    values = np.concatenate([lexical.impacts(document, model) for document in technologies.terms]) / lexical.SCALE
    model = replace(model, mean_impact=float(values.mean()), mean_square_impact=float((values**2).mean()))
    return _with_latent(model, technologies, demands)


def _shares(technologies: Records, demands: Records, chinese: Path) -> dict[str, float]:
    """The share of documents that hold each frequent term or phrase."""
    terms: Counter[str] = Counter()
    together: Counter[str] = Counter()
    for records in (technologies, demands):
        for document, order in zip(records.terms, records.orders, strict=True):
            terms.update(term.term for term in document if not is_han(term.term))
            together.update(phrase for phrase, *_ in phrases(document, order))
    total = len(technologies.rows) + len(demands.rows)
    shares = {term: min(0.9, count / total) for term, count in terms.items() if count >= SEEN_OFTEN}
    shares |= {phrase: count / total for phrase, count in together.items() if count >= PHRASE_SEEN_OFTEN}
    return shares | _chinese_shares(chinese)


def _chinese_shares(chinese: Path) -> dict[str, float]:
    """The chance that a Chinese technical record holds each bigram."""
    frequencies: Counter[str] = Counter()
    total = 0
    with chinese.open(encoding="utf-8") as file:
        for line in file:
            word, frequency, *_ = line.split()
            total += int(frequency) * len(word)
            for start in range(len(word) - 1):
                if is_han(word[start]) and is_han(word[start + 1]):
                    frequencies[word[start : start + 2]] += int(frequency)
    found = {
        bigram: (1 - float(np.exp(-frequency * CHINESE_LENGTH / total))) ** CHINESE_POWER
        for bigram, frequency in frequencies.items()
    }
    listed = {bigram: min(0.9, share) for bigram, share in found.items() if share >= CHINESE_LEAST}
    return listed | dict.fromkeys(EVERYWHERE.read_text("utf-8").split(), EVERYWHERE_SHARE)


def _with_latent(model: Model, technologies: Records, demands: Records) -> Model:
    """The model with its space of subjects: truncated singular value decomposition of the TF-IDF matrix."""
    documents = [*technologies.terms, *demands.terms]
    counts: Counter[str] = Counter(term.term for document in documents for term in document)
    most = LATENT_MOST * len(documents)
    names = sorted({fingerprint(term) for term, count in counts.items() if LATENT_LEAST <= count <= most})
    columns = {number: column for column, number in enumerate(names)}
    idf = model.idf(np.array(names, dtype=np.uint32))
    cells: list[tuple[int, int, float]] = []
    for row, document in enumerate(documents):
        for term in document:
            column = columns.get(fingerprint(term.term))
            if column is not None:
                # A demand's title counts twice.
                count = min(term.body + term.title * (2 if row >= len(technologies.terms) else 1), LEVELS - 1)
                cells.append((row, column, float(LOGARITHMS[count]) * float(idf[column])))
    rows, places, weights = (np.array(each) for each in zip(*cells, strict=True))
    matrix = sparse.csr_matrix((weights, (rows, places)), shape=(len(documents), len(names)))
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    matrix = sparse.diags(1 / np.maximum(lengths, 1e-9)) @ matrix
    start = np.full(min(matrix.shape), 1 / np.sqrt(min(matrix.shape)))
    decompose: Any = svds
    directions: Matrix = decompose(matrix, k=latent.DIMENSIONS, v0=start, tol=1e-4)[2][::-1].T
    # The sign of a direction is the solver's whim: its largest part is made positive.
    directions *= np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(directions.shape[1])])
    scales = np.abs(directions).max(axis=0) / 127
    return replace(
        model,
        latent_fingerprints=np.array(names, dtype=np.uint32),
        latent_directions=np.rint(directions / scales).astype(np.int8),
        latent_scales=scales,
    )
