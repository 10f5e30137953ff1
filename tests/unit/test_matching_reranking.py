"""The second stage: trees as LightGBM means them, features that only the pair decides, curves that rise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from services.matching.analysis import ordered_terms, phrases
from services.matching.features import NAMES, features
from services.matching.profile import Profile
from services.matching.reranking import Curve
from services.matching.statistics import fingerprint
from services.matching.traits import LEAD, DemandTraits, TechnologyTraits, demand_traits, technology_traits
from services.matching.trees import SCALE, compiled
from services.matching.wordpiece import WordPieces
from tests.unit.matching_profiles import MODEL, demand, party, technology


def split(feature: int, threshold: float, left: Any, right: Any) -> dict[str, Any]:
    return {"split_feature": feature, "threshold": threshold, "left_child": left, "right_child": right}


def leaf(value: float) -> dict[str, Any]:
    return {"leaf_value": value}


def walked(tree: dict[str, Any], row: list[float]) -> float:
    while "leaf_value" not in tree:
        tree = tree["left_child" if row[tree["split_feature"]] <= tree["threshold"] else "right_child"]
    return tree["leaf_value"]


def test_trees_give_what_walking_them_gives() -> None:
    trees = [
        split(0, 0.5, split(1, 0.25, leaf(1), leaf(-2)), split(2, 0.75, leaf(4), split(1, 0.5, leaf(8), leaf(-16)))),
        leaf(0.125),
        split(2, 0.0, leaf(32), leaf(-64)),
    ]
    ensemble = compiled([{"tree_info": [{"tree_structure": tree} for tree in trees]}], weight=0.5)
    rows = np.random.default_rng(1).choice([0.0, 0.25, 0.5, 0.6, 0.75, 1.0], (200, 3)).astype(np.float32)
    expected = [sum(walked(tree, row) for tree in trees) / 2 for row in rows.tolist()]
    assert ensemble.sums(rows).tolist() == pytest.approx(expected, abs=3 / SCALE)
    assert [float(ensemble.sums(row[None])[0]) for row in rows] == ensemble.sums(rows).tolist()


def offers(count: int) -> list[TechnologyTraits]:
    return [
        each
        for seed in range(count)
        if isinstance(each := traits(technology(seed, party("tt/1"), True)), TechnologyTraits)
    ]


def asks(count: int) -> list[DemandTraits]:
    return [
        each for seed in range(count) if isinstance(each := traits(demand(seed, party("dd/1"), True)), DemandTraits)
    ]


def traits(profile: Profile) -> DemandTraits | TechnologyTraits:
    assert profile.traits is not None
    return profile.traits


def test_a_pair_has_the_same_features_in_any_company_and_from_both_sides() -> None:
    offered, asked = offers(30), asks(20)
    alone = np.array([[features([d], [t])[0] for t in offered] for d in asked])
    assert alone.shape == (20, 30, len(NAMES))
    for number, one in enumerate(asked):
        assert (features([one], offered) == alone[number]).all()
    for number, one in enumerate(offered):
        assert (features(asked, [one]) == alone[:, number]).all()
    assert np.isfinite(alone).all()


def test_a_record_is_closest_to_itself() -> None:
    same = technology(3, party("tt/1"), True), demand(3, party("dd/1"), True)
    asked, offered = traits(same[1]), traits(same[0])
    assert isinstance(asked, DemandTraits)
    assert isinstance(offered, TechnologyTraits)
    found = dict(zip(NAMES, features([asked], [offered, *offers(3)]).T, strict=True))
    for name in ("title_covered", "top50_covered", "offered_covered", "phrases_covered", "latent", "english"):
        assert found[name][0] == pytest.approx(found[name].max())
    assert found["title_covered"][0] == pytest.approx(1, abs=1e-6)


def test_records_without_words_have_features_too() -> None:
    empty = demand(1, party("dd/1"), True)
    assert isinstance(empty.traits, DemandTraits)
    nothing = demand_traits([], b"", empty.traits.english, empty.traits.english_title, MODEL)
    assert np.isfinite(features([nothing], offers(3))).all()


def test_the_lead_of_a_demand_is_the_beginning_of_its_text() -> None:
    other = asks(1)[0]

    def told(title: str, body: str) -> DemandTraits:
        return demand_traits(*ordered_terms(title, body), other.english, other.english_title, MODEL)

    filler = " ".join(f"word{chr(97 + number)}" for number in range(LEAD - 3))
    found = told("Quiet pump", f"Quiet pump pump {filler} pump seal. Quiet pump")
    lead = dict(zip(found.terms.tolist(), found.lead_counts.tolist(), strict=True))
    assert [lead[fingerprint(term)] for term in ("quiet", "pump", "seal")] == [1, 2, 0]
    assert sum(lead.values()) == LEAD
    phrases_in_lead = dict(zip(found.phrases.tolist(), found.phrase_lead_counts.tolist(), strict=True))
    assert [phrases_in_lead[fingerprint(each)] for each in ("quiet pump", "pump pump", "pump seal")] == [1, 1, 0]
    short = told("Quiet pump", "Seals for a quiet pump")
    assert (short.lead_counts == short.body_counts).all()
    assert (short.phrase_lead_counts == short.phrase_body_counts).all()


def test_a_technology_that_meets_the_lead_of_a_demand_is_told_from_one_that_meets_its_end() -> None:
    other, offer = asks(1)[0], offers(1)[0]
    filler = " ".join(f"word{chr(97 + number)}" for number in range(LEAD))
    title, body = "Seals wanted", f"Cryogenic valve seals {filler} sonar buoy hulls"
    asked = demand_traits(*ordered_terms(title, body), other.english, other.english_title, MODEL)
    at_the_beginning, at_the_end = (
        dict(zip(NAMES, features([asked], [offered])[0].tolist(), strict=True))
        for offered in (
            technology_traits(*ordered_terms("", text), offer.english, MODEL)
            for text in ("cryogenic valve housings", "sonar buoy housings")
        )
    )
    for name in ("lead_bm25", "lead_tfidf", "lead_phrase_cosine", "lead_phrases_covered"):
        assert at_the_beginning[name] > 0 == at_the_end[name], name
    assert at_the_end["bm25"] > 0 < at_the_end["phrase_cosine"]


def test_a_curve_rises_through_its_pieces_and_beyond() -> None:
    curve = Curve(np.array([0.0, 1.0]), np.array([-1.0, 1.0]), np.array([2.0, 0.5]))
    assert curve(np.array([-1.0, 0.0, 0.5, 1.0, 3.0])).tolist() == [-3.0, -1.0, 0.0, 1.0, 2.0]
    assert (MODEL.reranker.calibration.slopes > 0).all()


def test_phrases_are_neighbours_within_a_field() -> None:
    assert phrases(*ordered_terms("Solid state laser", "Laser radar; solid state laser")) == [
        ("solid state", 1, 1),
        ("state laser", 1, 1),
        ("laser radar", 0, 1),
        ("radar solid", 0, 1),
    ]
    assert phrases(*ordered_terms("", "")) == []


def test_words_are_cut_into_the_longest_known_pieces() -> None:
    vocabulary = {
        "[CLS]": 0,
        "[SEP]": 1,
        "[UNK]": 2,
        "coat": 3,
        "##ing": 4,
        "##s": 5,
        "re": 6,
        "-": 7,
        "cafe": 8,
        "轨": 9,
    }
    pieces = WordPieces(vocabulary, 8)
    assert pieces.numbers("Coatings re-coat") == [0, 3, 4, 5, 6, 7, 3, 1]
    assert pieces.numbers("CAFÉ轨 qqq") == [0, 8, 9, 2, 1]
    assert pieces.numbers("coat " * 20) == [0, *[3] * 6, 1]
