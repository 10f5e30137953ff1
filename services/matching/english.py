"""Turns English text into one vector, offline, with a model that sees more in English than the multilingual one.

The model is all-MiniLM-L6-v2 (Apache 2.0), quantised, as `weights` brings it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from services.matching.onnx_session import onnx_session
from services.matching.vectors import Vector, quantised
from services.matching.weights import english_model
from services.matching.wordpiece import WordPieces

ENCODER = "minilm-l6-2-q8-400"
"""Names the model, the quantisation of its vectors and how much of a text they see."""
LONGEST = 400
"""Characters: a third cheaper than 600, and no worse (docs/matching.md)."""
_MOST_TOKENS = 128
"""None of 3,000 real texts of 400 characters has more (SBIR); one of invented words would take twice as long."""
_REMEMBERED = 4_096


class EnglishEmbedder:
    """The model, loaded: 0.2 s, 23 MB on disk. FileNotFoundError with what to do where it is not there."""

    def __init__(self, threads: int = 1) -> None:
        folder = english_model()
        self._session = onnx_session(folder / "model.onnx", threads)
        self._pieces = WordPieces.load(folder / "tokenizer.json", _MOST_TOKENS)
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._embed)

    def embed(self, text: str) -> Vector:
        """The direction of a text in 384 whole numbers.

        Blocks for about 10 ms at 400 characters on one core; a text seen lately costs nothing. Alone, never in a
        batch: the quantised layers share one scale per call.
        """
        return self._remembered(text)

    def embed_record(self, title: str, body: str, is_demand: bool) -> bytes:
        """The vectors of a record's texts, one after the other."""
        return b"".join(self.embed(text).tobytes() for text in english_passages(title, body, is_demand))

    def _embed(self, text: str) -> Vector:
        numbers = np.array([self._pieces.numbers(text)], dtype=np.int64)
        outputs = self._session.run(
            ["last_hidden_state"],
            {
                "input_ids": numbers,
                "attention_mask": np.ones_like(numbers),
                "token_type_ids": np.zeros_like(numbers),
            },
        )
        # The mean over all tokens stands for the text (the model was trained so).
        return quantised(np.asarray(outputs[0], dtype=np.float32)[0].mean(axis=0))


def english_passages(title: str, body: str, is_demand: bool) -> list[str]:
    """The texts that are embedded: a record's beginning, and a demand's title by itself."""
    beginning = f"{title}. {body}"[:LONGEST] if title else body[:LONGEST]
    return [beginning, title or beginning] if is_demand else [beginning]
