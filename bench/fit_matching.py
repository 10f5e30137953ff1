"""Fits the frozen model of matching from labelled pairs: `python -m bench.fit_matching SBIR --chinese FILE`.

What comes from where:
- How common English terms and phrases are: the share of US SBIR solicitation topics and award abstracts (public data)
  that hold each. Only CRC-32 numbers and shares are kept, no text. The space of subjects: truncated singular value
  decomposition of the same documents, no labels.
- How common Chinese bigrams are: word frequencies of a Chinese dictionary (`dict.txt` of the jieba package, MIT), as
  the chance that a document of 400 characters holds them; words that every technical record uses, by hand (bench/fit/).
- Two English records: the first stage is a logistic regression on the labelled SBIR pairs among all pairs; the second
  a listwise linear score and LambdaMART over features.NAMES, on what the first one lets through; technologies are
  looked at without their titles, which are what the labels were made from. Scores become probabilities by a rising
  curve fitted on scores of demands that the re-ranker had not seen (five folds by title).
- All other pairs: bench/fit/other_languages.py.
The report is on demands that the re-ranker had not seen; the figures go to docs/matching.md. With --scores,
`python -m bench.reliability` tells how honest the probabilities are.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.fit.corpus import Mask, Matrix, Records, read
from bench.fit.logistic import curve, logistic
from bench.fit.measures import by_demand, told
from bench.fit.other_languages import with_other_languages
from bench.fit.second_stage import Query, fitted
from bench.fit.statistics import unweighted
from services.matching.embedding import Embedder
from services.matching.features import features
from services.matching.index import ProfileIndex
from services.matching.profile import Profile
from services.matching.reranking import Reranker
from services.matching.statistics import MODEL, Model
from services.matching.traits import DemandTraits, TechnologyTraits
from shared.contracts.events import Side

FOLDS = 5
LOOKED_AT = 300
"""Candidates of a demand among all technologies of the corpus, on average, that the second stage looks at."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sbir", type=Path, help="folder with demands, technologies and relevant_pairs")
    parser.add_argument("--chinese", type=Path, required=True, help="dict.txt of jieba: word, frequency, kind")
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--cache", type=Path, help="folder for the embeddings, to fit again in minutes")
    parser.add_argument("--scores", type=Path, help="where to write the probabilities told of unseen demands")
    arguments = parser.parse_args()
    embedder = Embedder()
    technologies = Records(
        ((row["id"], "", row["text"], "en") for row in read(arguments.sbir / "technologies.jsonl.gz")), Side.TECHNOLOGY
    )
    technologies.embed(embedder, arguments.cache and arguments.cache / "technologies.npz")
    topics = Records(
        ((row["id"], row["title"], row["text"], "en") for row in read(arguments.sbir / "demands.jsonl.gz")), Side.DEMAND
    )
    model = unweighted(technologies, topics, arguments.chinese)
    pairs = [line.split("\t") for line in (arguments.sbir / "relevant_pairs.tsv").read_text().splitlines()[1:]]
    labelled = {demand for demand, _ in pairs}
    demands = topics.kept([index for index, row in enumerate(topics.rows) if row[0] in labelled])
    demands.embed(embedder, arguments.cache and arguments.cache / "demands.npz")
    relevant = _labels(technologies, demands, pairs)
    model, first = _first_stage(model, technologies, demands, relevant)
    candidates = [np.flatnonzero(row >= model.english_least) for row in first]
    queries = _queries(technologies.profiles(model), demands.profiles(model), candidates, relevant)
    folds = np.array([zlib.crc32(row[1].lower().encode()) % FOLDS for row in demands.rows])
    unseen = _unseen(queries, candidates, folds, first)
    scores = np.concatenate([row[found] for row, found in zip(unseen, candidates, strict=True)])
    labels = np.concatenate([query.labels for query in queries])
    calibration = curve(scores, labels)
    model = _with_reranker(model, replace(fitted(queries), calibration=calibration))
    model = with_other_languages(model, technologies, embedder)
    model.save(arguments.out)
    print(json.dumps({name: value for name, value in vars(model).items() if isinstance(value, float)}))
    _report(first, unseen, relevant, folds)
    if arguments.scores:
        own = np.repeat(folds, [len(query.labels) for query in queries])
        np.savez(arguments.scores, probabilities=_honest(scores, labels, own), labels=labels)


def _labels(technologies: Records, demands: Records, pairs: list[list[str]]) -> Mask:
    column = {row[0]: index for index, row in enumerate(technologies.rows)}
    number = {row[0]: index for index, row in enumerate(demands.rows)}
    relevant = np.zeros((len(number), len(column)), dtype=np.bool_)
    for demand, technology in pairs:
        relevant[number[demand], column[technology]] = True
    return relevant


def _first_stage(model: Model, technologies: Records, demands: Records, relevant: Mask) -> tuple[Model, Matrix]:
    """The model with its first stage, and that stage's log-odds, [demands, technologies]."""
    offered, asked = technologies.profiles(model), demands.profiles(model)
    parts: list[Matrix] = []
    for alone in np.eye(3):
        index = ProfileIndex(Side.TECHNOLOGY, replace(model, english_weights=alone))
        for profile in offered:
            index.put(profile)
        parts.append(np.stack(list(index.columns(asked))))
    values = np.stack(parts, axis=-1)
    everything = np.ones(relevant.size)
    weights, intercept = logistic(values.reshape(-1, 3), relevant.ravel().astype(np.float64), everything)
    first = values @ weights + intercept
    least = float(np.sort(first, axis=None)[-LOOKED_AT * len(first)])
    return replace(model, english_weights=weights, english_intercept=intercept, english_least=least), first


def _queries(offered: list[Profile], asked: list[Profile], candidates: list[np.ndarray], relevant: Mask) -> list[Query]:
    traits = [each.traits for each in offered]
    queries: list[Query] = []
    for demand, found, row in zip(asked, candidates, relevant, strict=True):
        assert isinstance(demand.traits, DemandTraits)
        members = [each for index in found if isinstance(each := traits[index], TechnologyTraits)]
        queries.append(Query(features([demand.traits], members), row[found].astype(np.float64)))
    return queries


def _unseen(queries: list[Query], candidates: list[np.ndarray], folds: np.ndarray, first: Matrix) -> Matrix:
    """Each demand's scores by a re-ranker fitted on the other folds; what it does not look at comes behind."""
    scores = first - 1e6
    for fold in range(FOLDS):
        reranker = fitted([query for query, own in zip(queries, folds, strict=True) if own != fold])
        for index in np.flatnonzero(folds == fold):
            scores[index, candidates[index]] = reranker.scores(queries[index].features)
    return scores


def _honest(scores: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> Matrix:
    """What the pairs of each fold are told by a curve fitted on the others."""
    told = np.empty(len(scores))
    for fold in range(FOLDS):
        own = folds == fold
        told[own] = 1 / (1 + np.exp(-curve(scores[~own], labels[~own])(scores[own])))
    return told


def _with_reranker(model: Model, reranker: Reranker) -> Model:
    return replace(
        model,
        reranker_weights=reranker.weights,
        reranker_intercept=reranker.intercept,
        tree_features=reranker.trees.features,
        tree_thresholds=reranker.trees.thresholds,
        tree_remaining=reranker.trees.remaining,
        tree_values=reranker.trees.values,
        calibration=np.stack([reranker.calibration.starts, reranker.calibration.values, reranker.calibration.slopes]),
    )


def _report(first: Matrix, unseen: Matrix, relevant: Mask, folds: np.ndarray) -> None:
    found = by_demand(unseen, relevant)
    before = by_demand(first, relevant)
    for fold in range(FOLDS):
        own = folds == fold
        print(f"fold {fold}: {own.sum()} demands, " + ", ".join(f"{name} {told(v[own])}" for name, v in found.items()))
    print("all folds: " + ", ".join(f"{name} {told(values)}" for name, values in found.items()))
    print("first stage: " + ", ".join(f"{name} {told(values)}" for name, values in before.items()))
    print(f"gain of the second stage in nDCG@10: {told(found['ndcg_at_10'] - before['ndcg_at_10'])}")


if __name__ == "__main__":
    main()
