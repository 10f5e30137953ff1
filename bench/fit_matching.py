"""Fits the frozen model of matching from labelled pairs: `python -m bench.fit_matching --sbir DIR --chinese FILE`.

What comes from where:
- How common English terms are: the share of US SBIR solicitation topics and award abstracts (public data) that hold
  each. Only CRC-32 numbers and shares are kept, no text.
- How common Chinese bigrams are: word frequencies of a Chinese dictionary (`dict.txt` of the jieba package, MIT), as
  the chance that a document of 400 characters holds them; words that every technical record uses, by hand (bench/fit/).
- The weights: the semantic weight relative to the lexical one maximises the likelihood that a labelled technology comes
  first, on half of the labelled SBIR topics (split by title). Both are then scaled so that the score is the probability
  that a pair belongs together, against a hundred that do not; the pairs of bench/fit/ (hand-written, Chinese and
  English, small pools) count with a third of the weight of the SBIR pairs.
- Across languages the SBIR cosines are first lowered by the ratio that the hand-written pairs show between two
  languages and one.
The other half of the labelled topics is reported, never used.
"""

import argparse
import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from services.matching import lexical
from services.matching.analysis import Term, is_han, terms
from services.matching.embedding import Embedder, passages
from services.matching.index import ProfileIndex
from services.matching.profile import Profile, demand_profile, technology_profile
from services.matching.ranking import Floats
from services.matching.statistics import MODEL, Model, fingerprint
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
FIT = Path(__file__).parent / "fit"
EVERYWHERE = FIT / "chinese_everywhere.txt"
"""Words that every technical record uses."""
EVERYWHERE_SHARE = 0.3
POOL = 100
"""Technologies that do not answer, for each that does: what the score is a probability against."""
HAND_WEIGHT = 0.3

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


def listwise_loss(scores: Matrix, relevant: npt.NDArray[np.bool_]) -> float:
    """Minus the mean log-likelihood of the relevant ones coming first, scores scaled as they are."""
    shifted = scores - scores.max(axis=1, keepdims=True)
    likelihood = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -float(np.mean([row[mask].mean() for row, mask in zip(likelihood, relevant, strict=True)]))


def calibrated(sets: Sequence[tuple[Matrix, npt.NDArray[np.bool_], float]]) -> tuple[float, float]:
    """Slope and intercept of a logistic over [demands, technologies] scores; each demand: one to POOL, and a weight."""
    values, labels, weights = [], [], []
    for scores, relevant, weight in sets:
        for row, mask in zip(scores, relevant, strict=True):
            values.append(row)
            labels.append(mask)
            share = np.where(mask, 1 / mask.sum(), POOL / (~mask).sum())
            weights.append(share * weight / len(scores))
    x, y, w = np.concatenate(values), np.concatenate(labels).astype(float), np.concatenate(weights)
    scale = float(x.std())

    def loss(parameters: Matrix) -> tuple[float, Matrix]:
        z = parameters[0] * x / scale + parameters[1]
        gradient = w * (1 / (1 + np.exp(-z)) - y)
        return float(np.sum(w * (np.logaddexp(0, z) - y * z))), np.array([gradient @ x / scale, gradient.sum()])

    slope, intercept = minimize(loss, np.zeros(2), jac=True, method="L-BFGS-B").x
    return float(slope) / scale, float(intercept)


def ndcg_and_recall(scores: Matrix, relevant: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Mean nDCG@10 and recall@10."""
    gains, recalls = [], []
    for row, mask in zip(scores, relevant, strict=True):
        order = np.argsort(-row, kind="stable")[:10]
        discount = 1 / np.log2(np.arange(2, 12))
        gains.append(float((mask[order] * discount).sum() / discount[: min(10, int(mask.sum()))].sum()))
        recalls.append(float(mask[order].sum() / mask.sum()))
    return float(np.mean(gains)), float(np.mean(recalls))


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON Lines file, compressed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sbir", type=Path, required=True, help="demands, technologies and relevant_pairs")
    parser.add_argument("--chinese", type=Path, required=True, help="dict.txt of jieba: word, frequency, kind")
    parser.add_argument("--hand", type=Path, default=FIT / "bilingual_pairs.jsonl")
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--cache", type=Path, help="folder for the embeddings, to fit again in seconds")
    arguments = parser.parse_args()
    embedder = Embedder()
    cached = {name: arguments.cache and arguments.cache / f"{name}.npz" for name in ("technologies", "demands")}
    technologies = Records(
        ((row["id"], "", row["text"], "en") for row in read(arguments.sbir / "technologies.jsonl.gz")),
        Side.TECHNOLOGY, embedder, cached["technologies"],
    )  # fmt: skip
    demands = Records(
        ((row["id"], row["title"], row["text"], "en") for row in read(arguments.sbir / "demands.jsonl.gz")),
        Side.DEMAND, embedder, cached["demands"],
    )  # fmt: skip
    model = unweighted(technologies, demands, arguments.chinese)
    position = {row[0]: index for index, row in enumerate(technologies.rows)}
    pairs = [line.split("\t") for line in (arguments.sbir / "relevant_pairs.tsv").read_text().splitlines()[1:]]
    labelled = {demand for demand, _ in pairs}
    kept = [index for index, row in enumerate(demands.rows) if row[0] in labelled]
    demands.keep(kept)
    relevant = np.zeros((len(kept), len(technologies.rows)), dtype=np.bool_)
    number = {row[0]: index for index, row in enumerate(demands.rows)}
    for demand, technology in pairs:
        relevant[number[demand], position[technology]] = True
    words, cosines = components(technologies, demands, model)
    fitting = np.array([zlib.crc32(row[1].lower().encode()) % 2 == 0 for row in demands.rows])

    hand: dict[tuple[str, str], tuple[Matrix, Matrix]] = {}
    written = read(arguments.hand)
    for asked in ("en", "zh"):
        for offered in ("en", "zh"):
            rows = [(row["id"], row[f"demand_{asked}"], row[f"technology_{offered}"]) for row in written]
            hand[asked, offered] = components(
                Records(((id, o["title"], o["text"], offered) for id, _, o in rows), Side.TECHNOLOGY, embedder, None),
                Records(((id, d["title"], d["text"], asked) for id, d, _ in rows), Side.DEMAND, embedder, None),
                model,
            )
    same = np.eye(len(written), dtype=np.bool_)

    def mixed(ratio: float, which: npt.NDArray[np.bool_]) -> Matrix:
        return words[which] + ratio * cosines[which]

    def temperature(ratio: float) -> float:
        scores = mixed(ratio, fitting)

        def loss(steepness: float) -> float:
            return listwise_loss(steepness * scores, relevant[fitting])

        best: Any = minimize_scalar(loss, bounds=(0.01, 3), method="bounded")
        return float(best.fun)

    found: Any = minimize_scalar(temperature, bounds=(0, 30), method="bounded")
    ratio = float(found.x)
    one_language = [(hand[language, language], language) for language in ("en", "zh")]
    slope, intercept = calibrated(
        [(mixed(ratio, fitting), relevant[fitting], 1.0)]
        + [(w + ratio * c, same, HAND_WEIGHT / 2) for (w, c), _ in one_language]
    )
    between = [hand["zh", "en"][1], hand["en", "zh"][1]]
    lowered = float(
        np.mean([c[same].mean() for c in between]) / np.mean([c[same].mean() for (_, c), _ in one_language])
    )
    across_slope, across_intercept = calibrated(
        [(cosines[fitting] * lowered, relevant[fitting], 1.0)] + [(c, same, HAND_WEIGHT / 2) for c in between]
    )
    fitted = replace(
        model,
        lexical_weight=slope,
        semantic_weight=slope * ratio,
        intercept=intercept,
        across_semantic_weight=across_slope,
        across_intercept=across_intercept,
    )
    fitted.save(arguments.out)
    report(fitted, words, cosines, relevant, fitting, hand, same, lowered)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1024:.0f} KB, {len(fitted.shares)} terms")


def probability(logits: Floats) -> Floats:
    """Log-odds as probabilities."""
    return 1 / (1 + np.exp(-logits))


def report(
    model: Model,
    words: Matrix,
    cosines: Matrix,
    relevant: npt.NDArray[np.bool_],
    fitting: npt.NDArray[np.bool_],
    hand: dict[tuple[str, str], tuple[Matrix, Matrix]],
    same: npt.NDArray[np.bool_],
    lowered: float,
) -> None:
    """Prints the weights, the quality on both halves, and what each threshold would let through."""
    scalars = {name: value for name, value in vars(model).items() if isinstance(value, float)}
    print(json.dumps({name: round(value, 4) for name, value in scalars.items()} | {"across_ratio": round(lowered, 3)}))
    logits = model.lexical_weight * words + model.semantic_weight * cosines + model.intercept
    for name, rows in (("fitted half", fitting), ("other half", ~fitting), ("all", fitting | True)):
        ndcg, recall = ndcg_and_recall(logits[rows], relevant[rows])
        print(f"{name}: {rows.sum()} topics, nDCG@10 {ndcg:.4f}, recall@10 {recall:.4f}")
    found: list[Matrix] = []
    for (asked, offered), (w, c) in hand.items():
        if asked == offered:
            values = model.lexical_weight * w + model.semantic_weight * c + model.intercept
        else:
            values = model.across_semantic_weight * c + model.across_intercept
        print(
            f"hand-written {asked} on {offered}: first is right {np.mean(values.argmax(1) == np.arange(len(same))):.2f}"
        )
        found.append(probability(values))
    scores = probability(logits)
    best = -np.sort(-scores, axis=1)[:, :10]
    for threshold in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5):
        within = [found[0], found[3]]
        across = [found[1], found[2]]
        line = {
            "threshold": threshold,
            "sbir labelled above": float((scores[relevant] >= threshold).mean()),
            "sbir proposals per demand": float((best >= threshold).sum(1).mean()),
            "sbir without any": float((best[:, 0] < threshold).mean()),
            "hand right above": float(np.mean([(p[same] >= threshold).mean() for p in within])),
            "hand wrong per demand": float(np.mean([(p[~same] >= threshold).sum() / len(same) for p in within])),
            "across right above": float(np.mean([(p[same] >= threshold).mean() for p in across])),
            "across wrong per demand": float(np.mean([(p[~same] >= threshold).sum() / len(same) for p in across])),
        }
        print(json.dumps({name: round(value, 3) for name, value in line.items()}))


if __name__ == "__main__":
    main()
