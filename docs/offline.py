"""Refuses a site whose pages or styles fetch anything from elsewhere: it is read where there is no network, too."""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError

FETCHED = {
    ".html": re.compile(
        r"<(?!a\b)\w+\b[^>]*?\b(?:src|href|srcset|data|poster)=[\"']?\s*(?:https?:)?//[^\"'>\s]+", re.I
    ),
    ".css": re.compile(r"(?:url\(|@import)\s*[\"']?\s*(?:https?:)?//[^\"')\s]+", re.I),
}


def on_post_build(config: MkDocsConfig) -> None:
    """Looks at every file of the site."""
    for file in sorted(Path(config.site_dir).rglob("*")):
        pattern = FETCHED.get(file.suffix)
        if pattern is not None and (found := pattern.search(file.read_text(encoding="utf-8"))):
            raise PluginError(f"{file} fetches from elsewhere: {found[0][-200:]}")
