"""The offline embedder and the whole ranking on text: one language, two languages, nothing that fits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest

import catalogue
from services.matching import embedding
from services.matching.embedding import Embedder, passages
from services.matching.encoding import Analyser, Record, body
from services.matching.evaluation import evaluate
from services.matching.index import ProfileIndex
from services.matching.measures import interval, means, ndcg
from services.matching.profile import Profile
from services.matching.ranking import logit, pair_logit, score
from services.matching.settings import MatchingSettings
from services.matching.shard import profile_of
from services.matching.vectors import cosine
from shared.contracts.events import Side
from tests.unit.matching_profiles import MODEL


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def test_one_subject_is_close_across_languages_and_another_is_far(embedder: Embedder) -> None:
    english = embedder.embed(["Thermal barrier coatings for turbine blades"])
    chinese = embedder.embed(["涡轮叶片热障涂层"])
    other = embedder.embed(["Fermentation of soy sauce"])
    assert cosine(english, chinese) > 0.6
    assert cosine(english, other) < 0.2


def test_a_text_has_one_vector_whatever_was_embedded_before(embedder: Embedder) -> None:
    texts = ["Thermal barrier coatings", "高温合金", "A much longer text about something else entirely. " * 10]
    first = [embedder.embed([text]).tolist() for text in texts]
    assert [Embedder().embed([text]).tolist() for text in reversed(texts)] == first[::-1]


def test_a_record_has_one_vector_whatever_is_embedded_beside_it() -> None:
    records: list[Record] = [each.canonical(catalogue.member_of(each), 1, "en") for each in catalogue.technologies()]
    alone, beside = Analyser(Embedder()), Analyser(Embedder())
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(beside.work_record, records)) == [alone.work_record(record) for record in records]


def test_keywords_are_embedded_with_the_title_besides_the_beginning_of_the_text() -> None:
    assert passages("Title", [], "b" * 700) == ["Title. " + "b" * 593]
    assert passages("Title", ["one", "two"], "text") == ["Title. text", "Title. one; two"]
    assert passages("", [], "text") == ["text"]


def test_a_missing_model_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(embedding, "distribution", missing)
    with pytest.raises(FileNotFoundError, match="install the matching extra"):
        embedding.model_file()


def canonical(draft: catalogue.TechnologyDraft | catalogue.DemandDraft) -> Record:
    is_chinese = sum("\u4e00" <= character <= "\u9fff" for character in draft.title) > 3
    language = draft.language or ("zh" if is_chinese else "en")
    return draft.canonical(catalogue.member_of(draft), draft.version or 1, language)


def test_in_the_catalogue_all_that_must_be_proposed_is_and_nothing_where_nothing_fits(embedder: Embedder) -> None:
    def profile(draft: catalogue.TechnologyDraft | catalogue.DemandDraft) -> Profile:
        return profile_of(Analyser(embedder).work_record(canonical(draft)), MODEL)

    index = ProfileIndex(Side.TECHNOLOGY, MODEL)
    for technology in catalogue.technologies():
        index.put(profile(technology))
    settings = MatchingSettings()
    least = logit(settings.threshold)
    demands = [profile(demand) for demand in catalogue.demands()]
    proposed = {
        demand.id: [each.id for each, z in best if z >= least]
        for demand, best in zip(demands, index.best(demands, settings.most), strict=True)
    }
    for expected in catalogue.expected():
        assert set(expected.technologies) <= set(proposed[expected.demand_id]), expected
        if not expected.technologies:
            assert proposed[expected.demand_id] == [], expected
    # What is proposed besides is little: 40 technologies, 30 demands.
    assert sum(map(len, proposed.values())) < 2 * len(proposed)


def test_evaluation_ranks_by_the_production_code_and_measures_it(tmp_path: Path) -> None:
    technologies = [
        {"id": "t1", "title": "Hydrogen sensor", "text": "A palladium chip detects hydrogen leaks within one second."},
        {"id": "t2", "title": "轨道检测", "text": "利用轴箱加速度识别钢轨波磨。", "language": "zh"},
        {"id": "t3", "title": "Dye removal", "text": "Ozone and a catalyst decolour textile wastewater."},
    ]
    demands = [
        {"id": "d1", "title": "Hydrogen leaks", "text": "Detect hydrogen leaks at filling stations within seconds."},
        {"id": "d2", "title": "Rail corrugation", "text": "Measure corrugation of rails from trains in service."},
        {"id": "d3", "title": "Without a pair", "text": "Not looked at."},
    ]
    run = tmp_path / "run.tsv"
    found = evaluate(demands, technologies, [("d1", "t1"), ("d2", "t2"), ("d9", "t1"), ("d1", "t9")], run_out=run)
    measures = {"ndcg_at_10", "recall_at_10", "recall_at_100", "mrr"}
    assert found.keys() == measures | {"seconds_per_query", "intervals"}
    assert found["intervals"].keys() == measures
    assert found["ndcg_at_10"] == found["mrr"] == found["recall_at_10"] == 1.0
    lines = [line.split("\t") for line in run.read_text().splitlines()]
    assert next(line[:2] for line in lines if line[0] == "d1") == ["d1", "t1"]
    assert len(lines) == 6
    assert all(0 <= float(line[2]) <= 1 for line in lines)
    with pytest.raises(ValueError, match="no pair names"):
        evaluate(demands, technologies, [("d9", "t1")])
    with pytest.raises(ValueError, match="needs an id"):
        evaluate(demands, [{"title": "x", "text": "y"}], [("d1", "t1")])


def test_evaluation_scores_a_pair_exactly_as_the_service_does(embedder: Embedder, tmp_path: Path) -> None:
    by_id = {draft.id: draft for draft in catalogue.technologies()}
    asked = {draft.id: draft for draft in catalogue.demands()}
    pairs = [(pair.demand_id, id) for pair in catalogue.expected() for id in pair.technologies][:4]
    analyser = Analyser(embedder)
    drafts = [*(asked[id] for id in dict(pairs)), *(by_id[id] for _, id in pairs)]
    records = {draft.id: canonical(draft) for draft in drafts}
    rows = {
        id: {"id": id, "title": each.title, "text": text(each), "keywords": each.keywords, "language": each.language}
        for id, each in records.items()
    }
    run = tmp_path / "run.tsv"
    evaluate(
        [rows[id] for id in dict(pairs)],
        [rows[id] for _, id in pairs],
        pairs,
        technology_fields=("title", "text", "keywords"),
        run_out=run,
        embedder=embedder,
    )
    told = {tuple(line.split("\t")[:2]): line.split("\t")[2] for line in run.read_text().splitlines()}
    profiles = {id: profile_of(analyser.work_record(each), MODEL) for id, each in records.items()}
    for demand, technology in pairs:
        exact = score(pair_logit(profiles[technology], profiles[demand], MODEL))
        assert told[demand, technology] == f"{exact:.6f}"


def text(record: Record) -> str:
    """All that is compared of it but the keywords, which a row of labelled records has apart."""
    joined = body(record)
    return joined.removesuffix("\n" + " ".join(record.keywords)) if record.keywords else joined


def test_other_ways_of_ranking_stand_beside_and_each_pair_of_languages_by_itself(embedder: Embedder) -> None:
    technologies = [
        {"id": "t1", "title": "Hydrogen sensor", "text": "A palladium chip detects hydrogen leaks within one second."},
        {"id": "t2", "title": "氢气传感器", "text": "钯纳米线芯片一秒内测出氢气浓度。", "language": "zh"},
    ]
    demands = [{"id": "d1", "title": "Hydrogen leaks", "text": "Detect hydrogen leaks at filling stations quickly."}]
    found = evaluate(demands, technologies, [("d1", "t1", 3.0), ("d1", "t2", 0.0)], beside=True, embedder=embedder)
    assert found["recall_at_10"] == 1.0
    assert found["beside"].keys() == {"tf_idf", "words_alone", "embedder_alone"}
    assert found["beside"]["words_alone"]["ndcg_at_10"] == 1.0
    assert "skipped" in found["beside"]["tf_idf"] or found["beside"]["tf_idf"]["mrr"] == 1.0
    assert found["by_language"].keys() == {"en on en"}


def test_measures_by_hand() -> None:
    ranking = [(f"t{number}", 1 - number / 20) for number in range(20)]
    found = means({"d": ranking}, {"d": {"t1": 1.0, "t12": 1.0}})
    assert found["mrr"] == 0.5
    assert found["recall_at_10"] == 0.5
    assert found["recall_at_100"] == 1.0
    assert found["ndcg_at_10"] == pytest.approx((1 / 1.5849625) / (1 + 1 / 1.5849625))
    assert means({"d": ranking}, {"d": {"unseen": 1.0}})["mrr"] == 0.0


def test_a_better_grade_counts_more() -> None:
    grades = {"good": 3.0, "fair": 1.0}
    assert ndcg(["good", "fair"], grades, 10) == 1.0
    assert ndcg(["fair", "good"], grades, 10) == pytest.approx((1 + 7 / 1.5849625) / (7 + 1 / 1.5849625))


def test_an_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    values = np.array([0.0, 1.0] * 50)
    low, high = interval(values)
    assert 0.35 < low < 0.5 < high < 0.65
    assert interval(values) == [low, high]
