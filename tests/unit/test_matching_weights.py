"""The English model's weights: whose folder wins, and what a mirror may do wrong. Repositories are on this machine."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from services.matching import weights
from services.matching.weights import english_model

GROUP, NAME, VERSION = weights.COORDINATE.split(":")
CONTENT = {"inside.onnx": b"numbers", "inside.json": b"{}"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folder of a Maven repository that stands in for Maven Central; it is empty."""
    folder = tmp_path / "repository"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        settings = tmp_path / "jgo.conf"
        settings.write_text(f"[repositories]\ncentral = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(settings))
        monkeypatch.setenv("TONGTU_MATCHING_MODELS", str(tmp_path / "models"))
        yield folder
        server.shutdown()


def publish(repository: Path, content: dict[str, bytes]) -> None:
    place = repository / GROUP.replace(".", "/") / NAME / VERSION
    place.mkdir(parents=True)
    (place / f"{NAME}-{VERSION}.pom").write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        f"<groupId>{GROUP}</groupId><artifactId>{NAME}</artifactId><version>{VERSION}</version></project>"
    )
    with zipfile.ZipFile(place / f"{NAME}-{VERSION}.jar", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def expect(monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes]) -> None:
    """Makes these the files that were measured."""
    names = zip(content.items(), ("model.onnx", "tokenizer.json"), strict=True)
    files = tuple((inside, name, hashlib.sha256(data).hexdigest()) for (inside, data), name in names)
    monkeypatch.setattr(weights, "_FILES", files)


def test_the_archive_is_fetched_once_and_what_is_wanted_of_it_is_kept(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expect(monkeypatch, CONTENT)
    publish(repository, {**CONTENT, "Other.class": b"code"})
    folder = english_model()
    assert folder.parent == tmp_path / "models"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "model.onnx": b"numbers",
        "tokenizer.json": b"{}",
    }
    assert [path.name for path in folder.parent.iterdir() if path.is_dir()] == [folder.name]
    monkeypatch.setenv("JGO_CONFIG_FILE", "/nowhere")
    assert english_model() == folder


@pytest.mark.parametrize("content", [{**CONTENT, "inside.onnx": b"other numbers"}, {"inside.json": b"{}"}])
def test_a_wrong_archive_is_one_line_and_is_not_kept(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, bytes]
) -> None:
    expect(monkeypatch, CONTENT)
    publish(repository, content)
    with pytest.raises(
        FileNotFoundError, match=r"^inside\.onnx in [^\n]+ is not the file[^\n]+: check the mirror[^\n]+$"
    ):
        english_model()
    assert not any(path.is_dir() for path in (tmp_path / "models").iterdir())


def test_a_missing_archive_is_one_line_that_says_what_to_do(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"^the English model cannot be downloaded \([^\n]+check the network[^\n]+$"
    ):
        english_model()
    assert not any(path.is_dir() for path in (tmp_path / "models").iterdir())


def test_a_folder_that_is_given_is_taken_as_it_is(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = tmp_path / "elsewhere"
    folder = given / "all-minilm-l6-v2-q"
    folder.mkdir(parents=True)
    monkeypatch.setenv("TONGTU_MATCHING_MODELS", str(given))
    with pytest.raises(FileNotFoundError, match=r"has no model\.onnx: delete it"):
        english_model()
    (folder / "model.onnx").write_bytes(b"numbers")
    (folder / "tokenizer.json").write_bytes(b"{}")
    assert english_model() == folder


def test_without_a_given_folder_the_users_cache_holds_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TONGTU_MATCHING_MODELS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.models_folder() == tmp_path / "tongtu" / "models"
