"""A pair has one score, to the last bit, in whatever company it is computed; and hard filters come before it."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.matching import ranking
from services.matching.index import ProfileIndex
from services.matching.lexical import SCALE, impacts, query
from services.matching.profile import Profile, demand_profile, technology_profile
from services.matching.ranking import MOST_RAISED, english_logits, logit, overlap, pair_logit, score
from services.matching.statistics import Model, fingerprint
from services.matching.traits import DemandTraits, TechnologyTraits
from services.matching.vectors import cosine, quantised
from shared.contracts.events import Side, Visibility
from tests.unit.matching_profiles import MODEL, demand, party, technology, terms, vector


def indexed(side: Side, profiles: list[Profile]) -> ProfileIndex:
    index = ProfileIndex(side, MODEL)
    for profile in profiles:
        index.put(profile)
    return index


def technologies(count: int) -> list[Profile]:
    return [
        technology(seed, party(f"t{seed % 7}/{seed}", language="zh" if seed % 3 == 0 else "en"), seed % 2 == 0)
        for seed in range(count)
    ]


def demands(count: int) -> list[Profile]:
    return [
        demand(1000 + seed, party(f"d{seed % 5}/{seed}", language="zh-Hant" if seed % 4 == 0 else "en-GB"), True)
        for seed in range(count)
    ]


def test_an_index_gives_exactly_what_the_pair_alone_gives_in_any_batch() -> None:
    offered, asked = technologies(300), demands(200)
    alone = {(t.id, d.id): pair_logit(t, d, MODEL) for t in offered[:40] for d in asked}
    # All kinds of pairs are among them: of two stages, of one, and across languages.
    assert 0 < sum(looked_at_again(t, d) for t in offered[:40] for d in asked) < len(alone) / 2
    by_technology, by_demand = indexed(Side.TECHNOLOGY, offered), indexed(Side.DEMAND, asked)
    for batch in (asked, asked[3:4], asked[50:177]):
        for each, column in zip(batch, by_technology.columns(batch), strict=True):
            assert [alone[t.id, each.id] for t in offered[:40]] == column[:40].tolist()
    for batch in (offered[:40], offered[7:9]):
        for each, column in zip(batch, by_demand.columns(batch), strict=True):
            assert [alone[each.id, d.id] for d in asked] == column.tolist()


def test_the_second_stage_raises_a_pair_by_so_much_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = [(t, d) for t in technologies(40) for d in demands(40) if looked_at_again(t, d)]
    before = [pair_logit(t, d, MODEL) for t, d in pairs]
    assert all(z <= first_stage(t, d) + MOST_RAISED for z, (t, d) in zip(before, pairs, strict=True))
    monkeypatch.setattr(ranking, "MOST_RAISED", -1.0)
    after = [pair_logit(t, d, MODEL) for t, d in pairs]
    assert after == [min(z, first_stage(t, d) - 1.0) for z, (t, d) in zip(before, pairs, strict=True)]
    assert after != before


def looked_at_again(technology: Profile, demand: Profile) -> bool:
    return first_stage(technology, demand) >= MODEL.english_least


def first_stage(technology: Profile, demand: Profile) -> float:
    """Of two English records; minus infinity for others."""
    offered, asked = technology.traits, demand.traits
    if not isinstance(offered, TechnologyTraits) or not isinstance(asked, DemandTraits):
        return -np.inf
    first = english_logits(
        np.array(float(overlap(technology, demand))),
        np.array(demand.expected),
        np.array(cosine(offered.latent, asked.latent)),
        np.array(cosine(offered.english, asked.english)),
        MODEL,
    )
    return float(first)


def test_the_order_of_arrival_and_what_else_is_indexed_change_nothing() -> None:
    offered, asked = technologies(120), demands(5)
    expected = [[(p.id, z) for p, z in best] for best in indexed(Side.TECHNOLOGY, offered).best(asked, 10)]
    shuffled = random.Random(1).sample(offered, len(offered))
    index = ProfileIndex(Side.TECHNOLOGY, MODEL)
    for profile in shuffled:
        index.put(technology(9999, replace(profile).party))  # an older version with other words
        index.put(profile)
    assert [[(p.id, z) for p, z in best] for best in index.best(asked, 10)] == expected


def test_equal_ones_are_ordered_by_id() -> None:
    twins = [technology(1, party(f"tt/{name}")) for name in "cab"]
    (best,) = indexed(Side.TECHNOLOGY, twins).best([demand(5, party("dd/1"))], 2)
    assert [profile.id for profile, _ in best] == ["tt/a", "tt/b"]


def test_across_languages_words_count_neither_for_nor_against() -> None:
    asked = demand(5, party("dd/1", language="zh"))
    same_words = replace(technology(5, party("tt/1", language="en")), vector=vector(9))
    other_words = replace(technology(6, party("tt/2", language="en")), vector=vector(9))
    assert pair_logit(same_words, asked, MODEL) == pair_logit(other_words, asked, MODEL)
    here = replace(asked, party=party("dd/1", language="en"))
    assert pair_logit(same_words, here, MODEL) > pair_logit(other_words, here, MODEL)


def test_one_organisation_never_meets_itself() -> None:
    index = indexed(Side.TECHNOLOGY, [technology(1, party("acme/1")), technology(1, party("other/1"))])
    (best,) = index.best([demand(1, party("acme/9"))], 10)
    assert [profile.id for profile, _ in best] == ["other/1"]


def test_what_is_for_named_members_is_for_nobody_else_on_either_side() -> None:
    secret = party("tt/1", visibility=Visibility.NAMED, named=["friend"])
    index = indexed(Side.TECHNOLOGY, [technology(1, secret), technology(1, party("tt/2"))])

    def seen(asker: str, visibility: Visibility = Visibility.PUBLIC, named: tuple[str, ...] = ()) -> list[str]:
        (best,) = index.best([demand(1, party(f"{asker}/9", visibility=visibility, named=named))], 10)
        return sorted(profile.id for profile, _ in best)

    assert seen("friend") == ["tt/1", "tt/2"]
    assert seen("stranger") == ["tt/2"]
    assert seen("friend", Visibility.NAMED, ("tt",)) == ["tt/1", "tt/2"]
    assert seen("friend", Visibility.NAMED, ("someone",)) == []
    # The same from the other side: standing demands, a technology that arrives.
    standing = indexed(Side.DEMAND, [demand(1, party("friend/9")), demand(1, party("stranger/9"))])
    hits = standing.hits([technology(1, secret)], float("-1e9"))
    assert [d.id for d, _, _ in hits] == ["friend/9"]


def test_removed_and_replaced_rows_are_gone_also_after_compaction() -> None:
    asked = demand(3, party("dd/1"))
    index = indexed(Side.TECHNOLOGY, [technology(seed, party(f"tt/{seed}")) for seed in range(300)])
    for seed in range(280):
        index.remove(f"tt/{seed}")
    index.set_floor("tt/290", 1.5)
    for version in range(2, 100):
        index.put(technology(290, party("tt/290", version)))
        index.set_floor("tt/290", 1.5)
    assert len(index) == 20
    assert len(next(iter(index.columns([asked])))) < 200  # dead rows were left behind
    (best,) = index.best([asked], 50)
    assert {profile.id for profile, _ in best} == {f"tt/{seed}" for seed in range(280, 300)}
    assert next(profile.version for profile, _ in best if profile.id == "tt/290") == 99
    assert index.floor("tt/290") == 1.5


def test_only_what_reaches_threshold_and_floor_hits() -> None:
    asked, offered = demand(4, party("dd/1")), technology(4, party("tt/1"))
    standing = indexed(Side.DEMAND, [asked])
    exact = pair_logit(offered, asked, MODEL)
    assert [z for _, _, z in standing.hits([offered], exact)] == [exact]
    assert list(standing.hits([offered], np.nextafter(exact, np.inf))) == []
    standing.set_floor("dd/1", np.nextafter(exact, np.inf))
    assert list(standing.hits([offered], -50)) == []
    standing.set_floor("dd/1", -np.inf)
    assert list(standing.hits([offered], -50, without={"dd/1"})) == []


def test_a_demand_without_weighty_terms_is_matched_by_meaning_alone() -> None:
    weights = query([], MODEL)
    assert weights[0] == []
    assert weights[2] == 0
    asked = demand(4, party("dd/1"))
    asked = replace(asked, terms=(), values=asked.values[:0], expected=0.0)
    assert np.isfinite(pair_logit(technology(4, party("tt/1")), asked, MODEL))


def test_impacts_are_shares_of_one_and_fall_with_length() -> None:
    short, long = impacts(terms(["a"]), MODEL), impacts(terms(["a", *(f"w{n}" for n in range(400))]), MODEL)
    assert 0 < long[0] < short[0] < SCALE


def test_one_shared_rarity_makes_no_match() -> None:
    asked = demand_profile(party("dd/1"), terms([f"asked{number}" for number in range(60)]), vector(1), MODEL)
    words = ["asked30", *(f"offered{number}" for number in range(60))]
    offered = technology_profile(party("tt/1"), terms(words), vector(77), MODEL)
    assert score(pair_logit(offered, asked, MODEL)) < 0.25


def test_scores_and_log_odds_are_each_others_inverse() -> None:
    assert score(logit(0.25)) == pytest.approx(0.25)
    assert score(0) == 0.5
    assert score(-1000) == 0.0
    assert score(1000) == 1.0
    for outside in (0, 1, -0.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            logit(outside)


def test_a_vector_without_direction_is_close_to_nothing() -> None:
    nothing = quantised(np.zeros(512, dtype=np.float32))
    assert cosine(nothing, vector(1)) == 0.0


def test_quantising_keeps_directions() -> None:
    generator = np.random.default_rng(3)
    one, other = generator.normal(size=(2, 512)).astype(np.float32)
    exact = float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    assert cosine(quantised(one), quantised(other)) == pytest.approx(exact, abs=0.005)


def test_the_model_says_which_it_is_and_survives_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    MODEL.save(path)
    again = Model.load(path)
    assert again.method == MODEL.method == "5-bm25+use+minilm+trees-bounded"
    words = np.array([fingerprint("coat"), fingerprint("qqxyzzy")], dtype=np.uint32)
    common, rare = MODEL.share(words).tolist()
    assert again.share(words).tolist() == [common, rare]
    assert common > rare == MODEL.rare_share
    assert path.stat().st_size < 1024 * 1024
