"""Brings the pages that live beside what they describe into the documentation site."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
ELSEWHERE = {
    "index.md": "README.md",
    "changelog.md": "CHANGELOG.md",
    "deploy.md": "deploy/README.md",
} | {
    f"services/{name}.md": f"services/{name}/README.md" for name in ("intake", "matching", "risk", "notify", "gateway")
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the READMEs as pages."""
    for page, source in ELSEWHERE.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / source)))
    return files
