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
import json
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from bench.fit.corpus import Matrix, Records, components, read, unweighted
from services.matching.embedding import Embedder
from services.matching.ranking import Floats
from services.matching.statistics import MODEL, Model
from shared.contracts.events import Side

HAND = Path(__file__).parent / "fit" / "bilingual_pairs.jsonl"
POOL = 100
"""Technologies that do not answer, for each that does: what the score is a probability against."""
HAND_WEIGHT = 0.3


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


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sbir", type=Path, required=True, help="demands, technologies and relevant_pairs")
    parser.add_argument("--chinese", type=Path, required=True, help="dict.txt of jieba: word, frequency, kind")
    parser.add_argument("--hand", type=Path, default=HAND)
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
