"""How the order of what is shown spreads attention: Gini of exposure by score alone, and as notify orders it.

`python -m bench.exposure [--run FILE] [--json]`

Without a file the proposals are generated: organisations of very different size, technologies of different appeal, a
demand's ten best above the threshold. With one they are those of real records: what `tongtu evaluate --run-out` wrote
(demand, technology, score), the owners dealt out by chance. Who exists in a list is the same in both orders.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.matching.settings import MatchingSettings
from services.notify.showing import standing

MOST: int = MatchingSettings.model_fields["most"].default
THRESHOLD: float = MatchingSettings.model_fields["threshold"].default
"""Proposals of a demand and their least score, as the matching service is set by default."""
FIRST = 3
"""How far down a list people look before they answer; a planning assumption."""
TECHNOLOGIES, DEMANDS, ORGANISATIONS = 4_000, 3_000, 600
SMALL_SHARE = 0.6
"""Of organisations that are micro or small enterprises. In the generated set they are the ones with fewest records."""


@dataclass(frozen=True, slots=True)
class Market:
    """The proposals of each demand in the order of arrival, best first, and whose the technologies are."""

    lists: Sequence[Sequence[tuple[int, float]]]
    owners: np.ndarray
    small: frozenset[int]


def generated(seed: int = 7) -> Market:
    """Subjects in 24 dimensions; appeal (how well a record is written) is larger where the organisation is."""
    chance = np.random.default_rng(seed)
    weights = 1 / np.arange(1, ORGANISATIONS + 1)
    owners = chance.choice(ORGANISATIONS, TECHNOLOGIES, p=weights / weights.sum())
    appeal = chance.normal(0, 1, TECHNOLOGIES) - 0.25 * np.log10(1 + owners)
    technologies, demands = (chance.normal(0, 1, (count, 24)) for count in (TECHNOLOGIES, DEMANDS))
    for vectors in (technologies, demands):
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = 1 / (1 + np.exp(-(18 * demands @ technologies.T - 11 + appeal)))
    return Market([_best(dict(enumerate(row.tolist()))) for row in scores], owners, _small(owners))


def of_run(file: Path, seed: int = 7) -> Market:
    """The lists of a run over real records."""
    rows: dict[str, dict[str, float]] = {}
    for line in file.read_text("utf-8").splitlines():
        demand, technology, score = line.split("\t")
        rows.setdefault(demand, {})[technology] = float(score)
    numbers = {id: number for number, id in enumerate(sorted({id for row in rows.values() for id in row}))}
    chance = np.random.default_rng(seed)
    count = max(1, len(numbers) * ORGANISATIONS // TECHNOLOGIES)
    weights = 1 / np.arange(1, count + 1)
    owners = chance.choice(count, len(numbers), p=weights / weights.sum())
    lists = [_best({numbers[id]: score for id, score in row.items()}) for row in rows.values()]
    return Market(lists, owners, _small(owners))


def _best(scores: Mapping[int, float]) -> list[tuple[int, float]]:
    good = [(id, score) for id, score in scores.items() if score >= THRESHOLD]
    return sorted(good, key=_rank)[:MOST]


def _rank(entry: tuple[int, float]) -> tuple[float, int]:
    return -entry[1], entry[0]


def _small(owners: np.ndarray) -> frozenset[int]:
    sizes = Counter[int](owners.tolist())
    ranked = sorted((size, owner) for owner, size in sizes.items())
    return frozenset(owner for _, owner in ranked[: int(len(ranked) * SMALL_SHARE)])


Adding = Callable[[int, bool], float]
"""From the number of other demands and whether the owner is small to what is added to the score."""


def measured(market: Market, added: Adding) -> dict[str, float]:
    """Exposure is in how many lists a technology stands among the first."""
    proposed, shown = Counter[int](), Counter[int]()
    scores: list[float] = []
    for entries in market.lists:
        order = {id: score + added(proposed[id], int(market.owners[id]) in market.small) for id, score in entries}
        first = sorted(entries, key=lambda entry: (-order[entry[0]], entry[0]))[:FIRST]
        shown.update(id for id, _ in first)
        scores += [score for _, score in first]
        proposed.update(id for id, _ in entries)
    by_owner = Counter[int]()
    for id in proposed:
        by_owner[int(market.owners[id])] += shown[id]
    small = sum(count for owner, count in by_owner.items() if owner in market.small)
    return {
        "gini_technologies": round(gini(shown[id] for id in proposed), 3),
        "gini_organisations": round(gini(by_owner.values()), 3),
        "never_shown_first": round(sum(1 for id in proposed if not shown[id]) / max(1, len(proposed)), 3),
        "most_shown": max(shown.values(), default=0),
        "small_share": round(small / max(1, sum(by_owner.values())), 3),
        "mean_score": round(float(np.mean(scores)) if scores else 0.0, 4),
    }


def gini(values: Iterable[int]) -> float:
    """0: all alike; towards 1: one has everything."""
    ranked = np.sort(np.fromiter(values, dtype=np.float64))
    if not len(ranked) or not ranked.sum():
        return 0.0
    places = np.arange(1, len(ranked) + 1)
    return float((2 * places - len(ranked) - 1) @ ranked / (len(ranked) * ranked.sum()))


def main() -> None:
    """Prints both orders and, last, one JSON object."""
    parser = argparse.ArgumentParser(description="Gini of exposure with and without what notify adds to the score.")
    parser.add_argument("--run", type=Path, help="lists of `tongtu evaluate --run-out` instead of generated ones")
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    arguments = parser.parse_args()
    market = of_run(arguments.run) if arguments.run else generated()
    proposals = sum(map(len, market.lists))
    by_score, as_shown = measured(market, lambda others, small: 0.0), measured(market, standing)
    if not arguments.json:
        print(f"{proposals:,} proposals to {len(market.lists):,} demands; exposure: among the first {FIRST}")
        for name, before in by_score.items():
            print(f"{name:<20}{before:>10}{as_shown[name]:>10}")
    print(json.dumps({"proposals": proposals, "by_score": by_score, "as_shown": as_shown}))


if __name__ == "__main__":
    main()
