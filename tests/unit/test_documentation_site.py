"""What the documentation site may not hold: anything that is fetched from elsewhere."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

HOOK = Path(__file__).parents[2] / "docs" / "offline.py"


@pytest.fixture(scope="module")
def offline() -> ModuleType:
    spec = importlib.util.spec_from_file_location("offline", HOOK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def configuration(site: Path) -> Any:
    config = MkDocsConfig()
    config.load_dict({"site_name": "a site", "site_dir": str(site)})
    return config


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.html", '<script src="https://cdn.example/library.js"></script>'),
        ("page.html", "<script async src=//cdn.example/library.js></script>"),
        ("page.html", '<link rel="stylesheet"\n  href="https://fonts.example/css">'),
        ("deep/page.html", '<img alt="" srcset="http://pictures.example/2x.png 2x">'),
        ("page.html", "<IFRAME SRC='https://video.example/1'></IFRAME>"),
        ("page.html", '<object data="//pictures.example/flow.svg"></object>'),
        ("style.css", "body { background: url( 'https://pictures.example/b.png' ) }"),
        ("style.css", '@import "//fonts.example/css";'),
    ],
)
def test_a_site_that_fetches_from_elsewhere_is_refused(
    offline: ModuleType, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(PluginError, match=rf"(?s){name} fetches from elsewhere.*\.example"):
        offline.on_post_build(configuration(tmp_path))


def test_links_and_what_lies_in_the_site_are_taken(offline: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(
        '<a class="external" href="https://kafka.example/">通途</a> <script src="search/main.js"></script>'
        '<link href="/css/theme.css"> <svg xmlns="http://www.w3.org/2000/svg"></svg> <p>src="https://in.text"</p>',
        encoding="utf-8",
    )
    (tmp_path / "style.css").write_text("a { background: url(data:image/png,A) url(../b.png) }", encoding="utf-8")
    (tmp_path / "library.js").write_text('fetch("https://elsewhere.example")', encoding="utf-8")
    offline.on_post_build(configuration(tmp_path))
