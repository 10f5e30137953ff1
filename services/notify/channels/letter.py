"""A mail before it is sent: what it says, block by block, and the same as plain text and as HTML."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from jinja2 import Environment, FileSystemLoader, StrictUndefined

Language = Literal["zh", "en"]

MOST_SUBJECT = 160
"""Characters of a subject line."""


@dataclass(frozen=True, slots=True)
class Heading:
    """Begins a part; `level` 2 of the mail, 3 of such a part."""

    text: str
    level: Literal[2, 3] = 2
    kind: Literal["heading"] = "heading"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text; `quiet` for what explains and need not be read."""

    text: str
    quiet: bool = False
    kind: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what stands for them."""

    rows: tuple[tuple[str, str], ...]
    kind: Literal["facts"] = "facts"


@dataclass(frozen=True, slots=True)
class Points:
    """One after the other."""

    items: tuple[str, ...]
    kind: Literal["points"] = "points"


@dataclass(frozen=True, slots=True)
class Code:
    """What programs read, set as it is."""

    text: str
    kind: Literal["code"] = "code"


Block: TypeAlias = Heading | Paragraph | Facts | Points | Code


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail in one language. Every text in it may come from another member: none is trusted to be one line."""

    language: Language
    subject: str
    heading: str
    blocks: tuple[Block, ...]
    footer: tuple[str, ...]


def one_line(text: str) -> str:
    """The text without line breaks, control characters, and marks that turn the direction of what follows."""
    # Cc: control; Cs: half a pair; Zl, Zp: separators of lines and paragraphs. Not Cf: words need its joiners.
    kept = (" " if unicodedata.category(each) in ("Cc", "Cs", "Zl", "Zp") else each for each in _TURNING.sub("", text))
    return " ".join("".join(kept).split())


def subject_line(text: str) -> str:
    """One line, cut where it is too long."""
    # "=?" begins an encoded word (RFC 2047), which a mail program would decode to whatever stands in it.
    line = one_line(text).replace("=?", "= ?")
    return line if len(line) <= MOST_SUBJECT else f"{line[: MOST_SUBJECT - 1].rstrip()}…"


def as_text(letter: Letter) -> str:
    """Plain text; lines are as long as their sentences."""
    parts = [f"{one_line(letter.heading)}\n"]
    colon = "：" if letter.language == "zh" else ": "
    parts += [_text_of(block, colon) for block in letter.blocks]
    parts.append("-- \n" + "\n".join(map(one_line, letter.footer)))  # "-- " begins a signature for mail programs
    return "\n".join(parts) + "\n"


def _text_of(block: Block, colon: str) -> str:
    if isinstance(block, Heading):
        return f"\n{'#' * block.level} {one_line(block.text)}\n"
    if isinstance(block, Paragraph):
        return f"{one_line(block.text)}\n"
    if isinstance(block, Facts):
        return "".join(f"{one_line(name)}{colon}{one_line(value)}\n" for name, value in block.rows)
    if isinstance(block, Points):
        return "".join(f"* {one_line(item)}\n" for item in block.items)
    return "".join(f"    {line}\n" for line in block.text.splitlines())


def as_html(letter: Letter) -> str:
    """One HTML document: every text escaped, nothing fetched from anywhere, no link, readable without its style."""
    return _HTML.get_template("mail.html").render(letter=letter)


_TURNING = re.compile("[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff]")
_HTML = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_HTML.filters["one_line"] = one_line
