"""What the report on honest scores counts, on figures by hand and on a set of four texts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.fit import measures, paraphrased
from services.matching.embedding import Embedder
from services.matching.encoding import Analyser
from tests.unit.matching_profiles import MODEL

TEXTS = {
    "demands.jsonl": """{"id": "d1", "language": "en", "title": "Hydrogen leaks", "text": "Detect leaks of hydrogen."}
{"id": "d2", "language": "zh", "title": "氢气泄漏", "text": "需要及时发现加氢站的氢气泄漏。"}
""",
    "technologies.jsonl": """{"id": "t1", "language": "en", "title": "Hydrogen sensor", "text": "A palladium chip."}
{"id": "t2", "language": "zh", "title": "臭氧脱色", "text": "用臭氧给印染废水脱色。"}
""",
    "pairs.tsv": "demand\ttechnology\tgrade\nd1\tt1\t3\nd2\tt1\t2\n",
    "negatives.tsv": "demand\ttechnology\nd2\tt2\n",
}


def test_bands_and_the_error_by_hand() -> None:
    told, fits = np.array([0.1, 0.1, 0.1, 0.1, 0.8, 0.6]), np.array([True, False, False, False, True, False])
    bands = measures.reliability(told, fits, (0, 0.5, 1))
    assert [band["pairs"] for band in bands] == [4, 2]
    assert [band["found"] for band in bands] == [0.25, 0.5]
    assert measures.calibration_error(bands) == pytest.approx((4 * 0.15 + 2 * 0.2) / 6)


def test_paraphrases_are_scored_by_pair_of_languages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in TEXTS.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.setattr(paraphrased, "FOLDER", tmp_path)
    found = paraphrased.scored(MODEL, Analyser(Embedder()))
    assert {name: pairs.grades.tolist() for name, pairs in found.items()} == {
        "en on en": [[3.0]],
        "en on zh": [[0.0]],
        "zh on en": [[2.0]],
        "zh on zh": [[0.0]],
    }
    assert [name for name, pairs in found.items() if pairs.is_hard_negative.any()] == ["zh on zh"]
    assert found["zh on en"].logits > found["en on zh"].logits
