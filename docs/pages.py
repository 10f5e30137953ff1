"""Brings the pages that live beside what they describe into the documentation site."""

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
SERVICES = ("intake", "matching", "risk", "notify", "gateway")
LANGUAGES = ("python", "node", "java", "shell", "http")
ELSEWHERE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "deploy.md": "deploy/README.md",
    **{f"services/{name}.md": f"services/{name}/README.md" for name in SERVICES},
    "examples/README.md": "examples/README.md",
    **{f"examples/{name}/README.md": f"examples/{name}/README.md" for name in LANGUAGES},
}
PAGE_OF = {source: page for page, source in ELSEWHERE.items()}
LINK = re.compile(r"(?<=\]\()([^)#:]+\.md)(?=[)#])")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the READMEs as pages."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that are right in the repository lead to the pages of the site."""
    here = page.file.src_uri
    source = ELSEWHERE.get(here, f"docs/{here}")

    def target(link: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        found = PAGE_OF.get(path, path.removeprefix("docs/"))
        return posixpath.relpath(found, posixpath.dirname(here) or ".") if files.get_file_from_path(found) else link[1]

    return LINK.sub(target, markdown)
