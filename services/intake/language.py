"""Tells a text's language by its script; enough to choose an analyser and the language of an answer."""

import re
from typing import Any, cast

from shared.contracts.problems import Language

SAMPLE = 600
"""Characters looked at; titles and summaries decide within the first few dozen."""
MEANT = 0.15
"""Share of letters in a script that makes it the text's own. One Chinese character stands for about half a word and a
Latin letter for a fifth, so a Chinese text full of abbreviations stays above, an English one with a Chinese name
stays below."""

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]+")
_OTHERS = (
    # Kana and Hangul are looked for before Han: Japanese is written with both.
    ("ja", re.compile(r"[\u3040-\u30ff]+")),
    ("ko", re.compile(r"[\uac00-\ud7af\u1100-\u11ff]+")),
    ("ru", re.compile(r"[\u0400-\u04ff]+")),
    ("ar", re.compile(r"[\u0600-\u06ff]+")),
)


def detect(*texts: str | None) -> str:
    """BCP 47 tag of the texts' language: zh, ja, ko, ru or ar by script, otherwise en.

    A script does not tell French from English or Ukrainian from Russian: who writes such a language names it in the
    record.
    """
    sample = " ".join(text for text in texts if text)[:SAMPLE]
    if sample.isascii():
        return "en"
    latin, han = _length(_LATIN, sample), _length(_HAN, sample)
    counts = {tag: _length(script, sample) for tag, script in _OTHERS}
    letters = latin + han + sum(counts.values())
    if letters == 0:
        return "en"
    tag = next((tag for tag, count in counts.items() if count / letters >= MEANT), None)
    return tag or ("zh" if han / letters >= MEANT else "en")


def answer_language(value: Any) -> Language | None:
    """The language to answer a message in, from whatever could be read of it; None when nothing in it tells."""
    if isinstance(value, dict):
        fields = cast(dict[str, Any], value)
        tag = fields.get("language")
        if isinstance(tag, str) and tag:
            return "zh" if tag.lower().startswith("zh") else "en"
        texts = [fields.get(name) for name in ("title", "summary", "problem", "description", "comment")]
        told = [text for text in texts if isinstance(text, str) and text.strip()]
        if told:
            return "zh" if detect(*told) == "zh" else "en"
        return None
    if isinstance(value, bytes) and not value.isascii():
        # Not readable as JSON: the keys are Latin whatever the language, so a little Han is enough to tell.
        return "zh" if _HAN.search(value[:8192].decode("utf-8", "ignore")) else None
    return None


def _length(script: re.Pattern[str], text: str) -> int:
    return sum(map(len, script.findall(text)))
