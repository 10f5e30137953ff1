"""Measures the production ranking on labelled pairs, other ways of ranking beside it: what `tongtu evaluate` tells."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.matching.analysis import Term, is_han
from services.matching.embedding import Embedder
from services.matching.encoding import Analyser, Record, words
from services.matching.index import ProfileIndex
from services.matching.measures import Grades, Ranking, means, measured
from services.matching.profile import ENGLISH, Profile, demand_profile, technology_profile
from services.matching.ranking import score
from services.matching.statistics import Model
from services.matching.vectors import Vector
from shared.contracts.events import DemandPosted, Party, Side, TechnologySubmitted, Visibility

BEST = 200
"""Technologies written for each demand."""
Row = Mapping[str, Any]
Pair = tuple[str, str] | tuple[str, str, float]
"""demand id, technology id, and a grade above 0 where the pairs are graded (0: known not to fit)."""


def evaluate(
    demands: Iterable[Row],
    technologies: Iterable[Row],
    pairs: Iterable[Pair],
    technology_fields: Sequence[str] = ("title", "text"),
    run_out: Path | None = None,
    beside: bool = False,
    embedder: Embedder | None = None,
) -> dict[str, Any]:
    """Ranks all technologies for every demand that has a pair, and compares with the pairs.

    Rows hold id, title, text and, where they have them, keywords and language. Pairs of unknown records do not count.
    `technology_fields`: which of title, text and keywords of a technology may be looked at. `run_out`: a file for
    demand id TAB technology id TAB score, the best 200 each. `beside`: rank by TF-IDF, words alone and the embedder
    alone too. The result holds each measure's mean, `intervals` (95 %) and, where asked for, `beside` and
    `by_language` (each pair of languages by itself, if there are two).
    Raises ValueError where a row lacks id or text, or where no demand has a pair.
    """
    analyser, model = Analyser(embedder or Embedder()), Model.load()
    shown = [
        {name: row[name] for name in ("id", "language", *technology_fields) if name in row} for row in technologies
    ]
    offered = [_profile(row, Side.TECHNOLOGY, analyser, model) for row in shown]
    languages = {profile.id: profile.language for profile in offered}
    grades: Grades = defaultdict(dict)
    for demand, technology, *grade in pairs:
        if technology in languages and (not grade or grade[0] > 0):
            grades[demand][technology] = float(grade[0]) if grade else 1.0
    labelled = [row for row in demands if str(row.get("id", "")) in grades]
    if not labelled:
        raise ValueError("no pair names a demand and a technology of these files")
    index = _index(offered, model)
    started = time.perf_counter()
    asked: list[Profile] = []
    rankings: dict[str, Ranking] = {}
    for row in labelled:
        demand = _profile(row, Side.DEMAND, analyser, model)
        (best,) = index.best([demand], BEST)
        rankings[demand.id] = [(profile.id, score(logit)) for profile, logit in best]
        asked.append(demand)
    seconds = (time.perf_counter() - started) / len(labelled)
    if run_out is not None:
        write_run(run_out, rankings)
    result: dict[str, Any] = {**measured(rankings, grades), "seconds_per_query": seconds}
    if beside:
        words = replace(model, lexical_weight=1.0, semantic_weight=0.0, intercept=0.0)
        # Across languages words say nothing: such pairs come behind all others.
        words = replace(words, across_semantic_weight=0.0, across_intercept=-1e3)
        embedding = replace(model, lexical_weight=0.0, semantic_weight=1.0, across_semantic_weight=1.0)
        embedding = replace(embedding, intercept=0.0, across_intercept=0.0)
        result["beside"] = {
            "tf_idf": _tf_idf(labelled, shown, grades),
            "words_alone": measured(_ranked_by(offered, asked, words), grades),
            "embedder_alone": measured(_ranked_by(offered, asked, embedding), grades),
        }
        if len(set(languages.values())) > 1:
            result["by_language"] = _by_language(index, asked, languages, grades)
    return result


def _index(profiles: Iterable[Profile], model: Model) -> ProfileIndex:
    index = ProfileIndex(Side.TECHNOLOGY, model)
    for profile in profiles:
        index.put(profile)
    return index


def _ranked_by(offered: Sequence[Profile], asked: Sequence[Profile], model: Model) -> dict[str, Ranking]:
    """Rankings by the general first stage alone, under other weights."""
    index = _index((replace(profile, traits=None) for profile in offered), model)
    best = index.best([replace(profile, traits=None) for profile in asked], BEST)
    return {demand.id: [(profile.id, z) for profile, z in found] for demand, found in zip(asked, best, strict=True)}


def _by_language(
    index: ProfileIndex, asked: Sequence[Profile], languages: Mapping[str, str], grades: Grades
) -> dict[str, dict[str, float]]:
    """Each pair of languages by itself: demands of one, ranked technologies of the other alone."""
    found: dict[str, dict[str, float]] = {}
    everything = {
        demand.id: [(profile.id, z) for profile, z in best]
        for demand, best in zip(asked, index.best(asked, len(index)), strict=True)
    }
    for asking in sorted({demand.language for demand in asked}):
        for offering in sorted(set(languages.values())):
            wanted = {
                demand.id: here
                for demand in asked
                if demand.language == asking
                and (here := {id: grade for id, grade in grades[demand.id].items() if languages[id] == offering})
            }
            rankings = {id: [item for item in everything[id] if languages[item[0]] == offering] for id in wanted}
            if wanted:
                found[f"{asking} on {offering}"] = {"demands": float(len(wanted)), **means(rankings, wanted)}
    return found


def _tf_idf(labelled: Sequence[Row], technologies: Sequence[Row], grades: Grades) -> dict[str, Any]:
    """scikit-learn's TF-IDF over the same texts; says why where it cannot run."""
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        return {"skipped": "scikit-learn is not installed"}
    texts = [_text(row) for row in technologies]
    options: dict[str, Any] = {"sublinear_tf": True, "analyzer": _tf_idf_terms}
    if len(texts) >= 1_000:
        options |= {"min_df": 2, "max_df": 0.3}
    vectorizer: Any = TfidfVectorizer(**options)
    matrix = vectorizer.fit_transform(texts)
    questions = vectorizer.transform([f"{row.get('title', '')} {_text(row)}" for row in labelled])
    rankings: dict[str, Ranking] = {}
    for row, similar in zip(labelled, (questions @ matrix.T).toarray(), strict=True):
        best = (-similar).argsort(kind="stable")[:BEST]
        rankings[str(row["id"])] = [(str(technologies[place]["id"]), float(similar[place])) for place in best]
    return measured(rankings, grades)


def _tf_idf_terms(text: str) -> list[str]:
    """Words as scikit-learn cuts them; bigrams of characters where the text is Chinese."""
    words: list[str] = re.findall(r"[^\W\u4e00-\u9fff]{2,}", text.lower())
    runs: list[str] = re.findall(r"[\u4e00-\u9fff]+", text)
    return words + [run[start : start + 2] for run in runs for start in range(max(len(run) - 1, 1))]


def _text(row: Row) -> str:
    return " ".join(
        part for part in (str(row.get("title", "")), str(row.get("text", "")), *row.get("keywords", ())) if part
    )


def write_run(path: Path, rankings: Mapping[str, Ranking]) -> None:
    """Writes a run: demand id TAB technology id TAB score, best first."""
    lines = (f"{demand}\t{id}\t{value:.6f}\n" for demand, ranking in rankings.items() for id, value in ranking)
    path.write_text("".join(lines), encoding="utf-8")


def record(row: Row, side: Side) -> Record:
    """The record that a row tells of; ValueError where it lacks an id or a text."""
    title, text = str(row.get("title", "")), str(row.get("text", ""))
    if not row.get("id") or not (title or text):
        raise ValueError(f"a {side} needs an id and a title or text: {str(dict(row))[:80]}")
    given: dict[str, Any] = {
        "id": str(row["id"]),
        "version": 1,
        # Owners of their own, so that no pair is kept apart.
        "owner": side.value,
        "visibility": Visibility.PUBLIC,
        "language": str(row.get("language") or ("zh" if is_han(title or text) else ENGLISH)),
        "title": title,
        "keywords": tuple(map(str, row.get("keywords", ()))),
    }
    # Unchecked: labelled records need no id of a member, and may be looked at without their title.
    if side is Side.TECHNOLOGY:
        return TechnologySubmitted.model_construct(**given, description=text)
    return DemandPosted.model_construct(**given, problem=text)


def profile(
    record: Record, counted: Sequence[Term], order: bytes, vector: Vector, english: bytes, model: Model
) -> Profile:
    """The record as the ranking sees it, from what encoding.words and Analyser.vectors found."""
    party = Party.model_construct(**{name: getattr(record, name) for name in Party.model_fields})
    make = technology_profile if isinstance(record, TechnologySubmitted) else demand_profile
    return make(party, counted, vector, model, order, english)


def _profile(row: Row, side: Side, analyser: Analyser, model: Model) -> Profile:
    found = record(row, side)
    return profile(found, *words(found), *analyser.vectors(found), model)
