"""Measures the production ranking on labelled pairs: what `tongtu evaluate` reports."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from services.matching.analysis import is_han, terms
from services.matching.embedding import Embedder, passages
from services.matching.index import ProfileIndex
from services.matching.profile import Profile, demand_profile, technology_profile
from services.matching.ranking import score
from services.matching.statistics import Model
from shared.contracts.events import Party, Side, Visibility

BEST = 200
"""Technologies written for each demand."""
Row = Mapping[str, Any]
Ranking = Sequence[tuple[str, float]]
"""(technology id, score), best first."""


def evaluate(
    demands: Iterable[Row],
    technologies: Iterable[Row],
    pairs: Iterable[tuple[str, str]],
    technology_fields: Sequence[str] = ("title", "text"),
    run_out: Path | None = None,
) -> dict[str, float]:
    """Ranks all technologies for every demand that has a pair, and compares with the pairs.

    Rows hold id, title, text and, where they have them, keywords and language. `pairs`: (demand id, technology id);
    pairs of unknown records do not count. `technology_fields`: which of title, text and keywords of a technology may be
    looked at. `run_out`: a file for demand id TAB technology id TAB score, the best 200 each.
    Raises ValueError where a row lacks id or text, or where no demand has a pair.
    """
    embedder, model = Embedder(), Model.load()
    index = ProfileIndex(Side.TECHNOLOGY, model)
    for row in technologies:
        shown = {name: row[name] for name in ("id", "language", *technology_fields) if name in row}
        index.put(_profile(shown, Side.TECHNOLOGY, embedder, model))
    wanted = defaultdict[str, set[str]](set)
    for demand, technology in pairs:
        if technology in index:
            wanted[demand].add(technology)
    labelled = [row for row in demands if str(row.get("id", "")) in wanted]
    if not labelled:
        raise ValueError("no pair names a demand and a technology of these files")
    started = time.perf_counter()
    rankings: dict[str, Ranking] = {}
    for row in labelled:
        demand = _profile(row, Side.DEMAND, embedder, model)
        (best,) = index.best([demand], BEST)
        rankings[demand.id] = [(profile.id, score(logit)) for profile, logit in best]
    seconds = (time.perf_counter() - started) / len(labelled)
    if run_out is not None:
        write_run(run_out, rankings)
    return measures(rankings, wanted) | {"seconds_per_query": seconds}


def measures(rankings: Mapping[str, Ranking], relevant: Mapping[str, set[str]]) -> dict[str, float]:
    """Means over the demands: nDCG@10 with binary gains, recall@10 and @100, reciprocal rank of the first hit."""
    ranked = {demand: [id for id, _ in ranking] for demand, ranking in rankings.items()}
    each: dict[str, Callable[[list[str], set[str]], float]] = {
        "ndcg_at_10": lambda ids, good: ndcg(ids[:10], good, 10),
        "recall_at_10": lambda ids, good: len(good.intersection(ids[:10])) / len(good),
        "recall_at_100": lambda ids, good: len(good.intersection(ids[:100])) / len(good),
        "mrr": lambda ids, good: next((1 / rank for rank, id in enumerate(ids, 1) if id in good), 0.0),
    }
    return {
        name: float(np.mean([measure(ids, relevant[demand]) for demand, ids in ranked.items()]))
        for name, measure in each.items()
    }


def ndcg(ids: Sequence[str], relevant: set[str], depth: int) -> float:
    """Normalised discounted cumulative gain of a ranking cut at `depth`."""
    gain = sum(1 / np.log2(rank + 1) for rank, id in enumerate(ids, 1) if id in relevant)
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(depth, len(relevant)) + 1))
    return float(gain / ideal)


def write_run(path: Path, rankings: Mapping[str, Ranking]) -> None:
    """Writes a run: demand id TAB technology id TAB score, best first."""
    lines = (f"{demand}\t{id}\t{value:.6f}\n" for demand, ranking in rankings.items() for id, value in ranking)
    path.write_text("".join(lines), encoding="utf-8")


def _profile(row: Row, side: Side, embedder: Embedder, model: Model) -> Profile:
    title, text, keywords = str(row.get("title", "")), str(row.get("text", "")), [*row.get("keywords", ())]
    if not row.get("id") or not (title or text):
        raise ValueError(f"a {side} needs an id and a title or text: {str(dict(row))[:80]}")
    language = str(row.get("language") or ("zh" if is_han(title or text) else "en"))
    party = Party.model_construct(
        id=str(row["id"]),
        version=1,
        # Owners of their own, so that no pair is kept apart.
        owner=side.value,
        visibility=Visibility.PUBLIC,
        named_members=(),
        language=language,
    )
    make = technology_profile if side is Side.TECHNOLOGY else demand_profile
    counted = terms(title, "\n".join(part for part in (text, " ".join(keywords)) if part))
    return make(party, counted, embedder.embed(passages(title, keywords, text)), model)
