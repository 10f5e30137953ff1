"""Renders asyncapi.yaml on its page of the site with AsyncAPI's own component, which is put beside it: no CDN."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from shared.asyncapi.packages import installed

PAGE = "asyncapi.md"
DOCUMENT = Path(__file__).with_name("asyncapi.yaml")
COMPONENT = {"component.js": "browser/standalone/index.js", "component.css": "styles/default.min.css"}
# The page's own table of messages stands in for the list at its side; payloads show the schemas where they are used.
SHOWN = {"sidebar": False, "schemas": False}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the component, and the document as a script, so that the page works from a file too."""
    installation = installed(renderer=True) / "@asyncapi" / "react-component"
    for name, source in COMPONENT.items():
        files.append(File.generated(config, f"asyncapi/{name}", abs_src_path=str(installation / source)))
    options = json.dumps({"schema": _document(), "config": {"show": SHOWN}}, ensure_ascii=False)
    script = f"AsyncApiStandalone.render({options}, document.getElementById('asyncapi'));\n"
    files.append(File.generated(config, "asyncapi/document.js", content=script))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts the table of messages into the page."""
    if page.file.src_uri != PAGE:
        return markdown
    return markdown.replace("<!-- messages -->", "\n".join(_table(_document())))


def _document() -> dict[str, Any]:
    return yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))


def _table(document: dict[str, Any]) -> Iterator[str]:
    yield "| message 消息 | type or content type 类型 |"
    yield "| --- | --- |"
    for operation in document["operations"].values():
        channel = document["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
        address = f" `{channel['address']}`" if channel["address"] else ""
        yield f"| **{operation['summary']}**{address} | |"
        for name in channel["messages"]:
            message = document["components"]["messages"][name]
            yield f"| [{message['title']}](#message-{name}) | `{message['name']}` |"
