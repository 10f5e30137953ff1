"""An index of many gives what comparing every pair alone gives, after whatever was put, changed and removed before."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching import bounds, postings, ranking, search
from services.matching.index import ProfileIndex
from services.matching.profile import Profile
from services.matching.ranking import (
    MOST_COSINE,
    MOST_RAISED,
    english_logits,
    highest,
    least_cosine,
    least_overlap,
    logits,
    pair_logit,
)
from services.matching.traits import DemandTraits, TechnologyTraits
from shared.contracts.events import Side, Visibility
from tests.unit.matching_profiles import MODEL, demand, party, technology

LANGUAGES = ("en", "en-GB", "zh", "zh-Hant", "de")


@dataclass
class Plain:
    """The same as an index by the plainest means: a list, and every pair alone."""

    side: Side
    profiles: dict[str, Profile] = field(default_factory=dict)
    floors: dict[str, float] = field(default_factory=dict)

    def put(self, profile: Profile) -> None:
        self.remove(profile.id)
        self.profiles[profile.id] = profile

    def remove(self, id: str) -> None:
        self.profiles.pop(id, None)
        self.floors.pop(id, None)

    def pairs(self, other: Profile) -> Iterable[tuple[Profile, float]]:
        for each in self.profiles.values():
            if each.party.owner != other.party.owner and (
                each.party.visible_to(other.party.owner) and other.party.visible_to(each.party.owner)
            ):
                offered, asked = (other, each) if self.side is Side.DEMAND else (each, other)
                yield each, pair_logit(offered, asked, MODEL)

    def best(self, other: Profile, count: int) -> list[tuple[str, int, float]]:
        ranked = sorted(self.pairs(other), key=lambda pair: (-pair[1], pair[0].id))
        return [(each.id, each.version, logit) for each, logit in ranked[:count]]

    def hits(self, other: Profile, threshold: float) -> list[tuple[str, int, float]]:
        return sorted(
            (each.id, each.version, logit)
            for each, logit in self.pairs(other)
            if logit >= max(threshold, self.floors.get(each.id, -np.inf))
        )


def profile(side: Side, seed: int, id: str, version: int = 1) -> Profile:
    chance = random.Random(seed)
    named = chance.random() < 0.2
    about = party(
        id,
        version,
        chance.choice(LANGUAGES),
        Visibility.NAMED if named else Visibility.PUBLIC,
        chance.sample(["o1", "o2", "o3"], 2) if named else (),
    )
    return (technology if side is Side.TECHNOLOGY else demand)(seed, about, chance.random() < 0.7)


def same_traits(one: TechnologyTraits | DemandTraits | None, other: TechnologyTraits | DemandTraits | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(np.array_equal(getattr(one, each.name), getattr(other, each.name)) for each in fields(one))


steps = st.lists(
    st.tuples(st.sampled_from(["put", "put", "put", "remove", "floor"]), st.integers(0, 25), st.integers(0, 10_000)),
    max_size=120,
)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(Side)), steps, st.integers(1, 12), st.integers(1, 6), st.booleans())
def test_the_index_gives_what_every_pair_alone_gives(
    side: Side, done: list[tuple[str, int, int]], count: int, tail: int, is_restored: bool
) -> None:
    other_side = Side.DEMAND if side is Side.TECHNOLOGY else Side.TECHNOLOGY
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postings, "TAIL", tail)
        patch.setattr(bounds, "LEAST", 2 * tail)
        patch.setattr(search, "FIRST", 3)
        patch.setattr(search, "TOGETHER", 2)
        index, plain = ProfileIndex(side, MODEL), Plain(side)
        for version, (what, number, seed) in enumerate(done, 1):
            id = f"o{number % 4}/{number}"
            if what == "put":
                for each in (index, plain):
                    each.put(profile(side, seed, id, version))
            elif what == "remove":
                for each in (index, plain):
                    each.remove(id)
            elif id in index:
                index.set_floor(id, seed / 1000 - 5)
                plain.floors[id] = seed / 1000 - 5
        if is_restored:
            arrays = index.arrays()
            index = ProfileIndex(side, MODEL)
            index.restore(arrays)
        others = [profile(other_side, seed, f"o{seed % 6}/x") for seed in range(5)]
        assert len(index) == len(plain.profiles)
        for other, best in zip(others, index.best(others, count), strict=True):
            assert [(each.id, each.version, logit) for each, logit in best] == plain.best(other, count)
            (some,) = index.best([other], count, least=0.0, below=2)
            found = plain.best(other, count)
            good = [each for each in found if each[2] >= 0]
            assert [(each.id, each.version, logit) for each, logit in some] == found[: max(len(good), 2)]
            hits = [(each.id, each.version, logit) for each, _, logit in index.hits([other], -3.0)]
            assert sorted(hits) == plain.hits(other, -3.0)
        for id, kept in plain.profiles.items():
            held = index.get(id)
            assert held is not None
            assert (held.party, held.terms, held.expected) == (kept.party, kept.terms, kept.expected)
            assert held.values.tolist() == kept.values.tolist()
            assert held.vector.tolist() == kept.vector.tolist()
            assert same_traits(held.traits, kept.traits)
            assert index.floor(id) == plain.floors.get(id, -np.inf)


@pytest.mark.parametrize("most_raised", [MOST_RAISED, 0.1])
def test_thousands_of_rows_are_searched_by_bounds_and_nothing_is_missed(
    most_raised: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranking, "MOST_RAISED", most_raised)
    monkeypatch.setattr(bounds, "LEAST", 100)
    offered = [profile(Side.TECHNOLOGY, seed, f"o{seed % 7}/{seed}") for seed in range(3_000)]
    index, plain = ProfileIndex(Side.TECHNOLOGY, MODEL), Plain(Side.TECHNOLOGY)
    for each in offered:
        index.put(each)
        plain.put(each)
    for seed in range(4):
        asked = profile(Side.DEMAND, 50_000 + seed, "xx/1")
        (best,) = index.best([asked], 10)
        assert [(each.id, each.version, logit) for each, logit in best] == plain.best(asked, 10)


def test_a_record_without_words_or_direction_takes_part() -> None:
    bare = technology(1, party("o1/bare"))
    bare = replace(bare, terms=(), values=bare.values[:0], vector=np.zeros_like(bare.vector))
    index, plain = ProfileIndex(Side.TECHNOLOGY, MODEL), Plain(Side.TECHNOLOGY)
    for each in (bare, technology(2, party("o1/other")), replace(bare, party=party("o1/bare2", language="zh"))):
        index.put(each)
        plain.put(each)
    asked = demand(1, party("o2/1"))
    assert [(each.id, each.version, z) for each, z in next(iter(index.best([asked], 5)))] == plain.best(asked, 5)


def test_a_weight_that_has_no_room_is_refused() -> None:
    heavy = technology(1, party("o1/heavy"))
    heavy = replace(heavy, values=np.full_like(heavy.values, 70_000))
    with pytest.raises(ValueError, match="o1/heavy"):
        ProfileIndex(Side.TECHNOLOGY, MODEL).put(heavy)


@given(st.floats(-20, 40), st.floats(0, 5), st.booleans())
def test_no_overlap_below_the_least_is_enough(logit: float, expected: float, is_english: bool) -> None:
    def best(overlap: int) -> float:
        found, chance, most = np.array(float(overlap)), np.array(expected), np.array(MOST_COSINE)
        if is_english:
            return float(highest(english_logits(found, chance, most, most, MODEL)))
        return float(logits(found, chance, most, np.array(True), MODEL))

    least = least_overlap(logit, expected, MODEL, is_english)
    assert least == 0 or best(least - 1) < logit
    assert best(least + 3) >= logit


@given(st.floats(-20, 15))
def test_no_cosine_below_the_least_is_enough(logit: float) -> None:
    def found(cosine: float) -> float:
        nothing = np.array(0.0)
        return float(logits(nothing, nothing, np.array(cosine), np.array(False), MODEL))

    least = least_cosine(logit, MODEL)
    assert found(least) < logit
    assert found(least + 1e-8) >= logit
