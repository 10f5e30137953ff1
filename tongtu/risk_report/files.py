"""A report as a file: HTML that needs nothing from anywhere, PDF, or PNG."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from tongtu.errors import CommandError, UsageError
from tongtu.risk_report.page import Page

Format = Literal["html", "pdf", "png"]

_TEMPLATES = Path(__file__).parent / "templates"
_PIXELS_PER_INCH = 150.0
_FORMATS: dict[str, Format] = {".html": "html", ".htm": "html", ".pdf": "pdf", ".png": "png"}


def format_of(path: Path) -> Format:
    """By the name's ending. Raises UsageError for any other."""
    written = _FORMATS.get(path.suffix.lower())
    if written is None:
        raise UsageError(f"{path}: a report is .html, .pdf or .png")
    return written


def write_report(page: Page, path: Path) -> None:
    """Raises UsageError for another ending, CommandError where a package is missing or the file cannot be written."""
    kind = format_of(path)
    try:
        content = as_html(page).encode() if kind == "html" else typeset(page, kind)
    except ImportError as error:
        raise CommandError(f"a report needs the package {error.name}: pip install 'tongtu[reports]'") from error
    try:
        path.write_bytes(content)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from error


def as_html(page: Page) -> str:
    """One HTML document; all text is escaped, drawings stand in it as SVG."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    # The drawings are whole elements, whose texts were escaped when they were made.
    return environment.get_template("report.html").render(page=page, drawn=Markup)


def typeset(page: Page, kind: Literal["pdf", "png"]) -> bytes:
    """Set on A4 with the Chinese font of a package, so that it looks the same everywhere."""
    import pylopdf_fonts_zh_cn
    import typst

    # The page travels as data and never as source of the template, so nothing in it can be a command.
    content = json.dumps(asdict(page), ensure_ascii=False)
    return typst.compile(
        str(_TEMPLATES / "report.typ"),
        format=kind,
        ppi=_PIXELS_PER_INCH,
        font_paths=[str(pylopdf_fonts_zh_cn.sans_path().parent)],
        ignore_system_fonts=True,
        sys_inputs={"page": content, "height": "auto" if kind == "png" else "a4"},
    )
