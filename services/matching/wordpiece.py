"""Cuts English text into the pieces of words that the English model was trained on (BERT, uncased)."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

_LONGEST_WORD = 100
_REMEMBERED = 50_000
_BEGIN, _END, _UNKNOWN = "[CLS]", "[SEP]", "[UNK]"
# Characters that stand alone: ASCII symbols and all punctuation, and every Chinese character.
_IDEOGRAPHS = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002a6df\U0002a700-\U0002ceaf\U0002f800-\U0002fa1f"
_ALONE = re.compile(f"[{_IDEOGRAPHS}]")


class WordPieces:
    """A vocabulary: piece to number."""

    def __init__(self, vocabulary: Mapping[str, int], most: int) -> None:
        """`most`: pieces of a text at most, the marks of its beginning and end among them."""
        self._vocabulary = vocabulary
        self._most = most
        self._of_word = lru_cache(maxsize=_REMEMBERED)(self._split)

    @classmethod
    def load(cls, path: Path, most: int) -> WordPieces:
        """Reads the `tokenizer.json` that comes with the model."""
        return cls(json.loads(path.read_text("utf-8"))["model"]["vocab"], most)

    def numbers(self, text: str) -> list[int]:
        """The pieces of a text with a mark at both ends."""
        pieces: list[int] = []
        for word in _words(text):
            pieces += self._of_word(word)
            if len(pieces) >= self._most - 2:
                break
        return [self._vocabulary[_BEGIN], *pieces[: self._most - 2], self._vocabulary[_END]]

    def _split(self, word: str) -> list[int]:
        """The longest piece that begins the word, then the longest that goes on, and so on to its end."""
        pieces: list[int] = []
        start = 0
        while start < len(word):
            mark = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._vocabulary.get(mark + word[start:end])
                if number is not None:
                    break
            else:
                return [self._vocabulary[_UNKNOWN]]
            pieces.append(number)
            start = end
        return pieces if len(word) <= _LONGEST_WORD else [self._vocabulary[_UNKNOWN]]


def _words(text: str) -> list[str]:
    """Lower-case words without accents; each punctuation mark and Chinese character is a word of its own."""
    kept = "".join(_cleaned(character) for character in text)
    spaced = _ALONE.sub(r" \g<0> ", kept)
    plain = "".join(each for each in unicodedata.normalize("NFD", spaced) if unicodedata.category(each) != "Mn").lower()
    return "".join(f" {each} " if _is_punctuation(each) else each for each in plain).split()


@lru_cache(maxsize=4_096)
def _cleaned(character: str) -> str:
    if character in "\t\n\r" or unicodedata.category(character) == "Zs":
        return " "
    return "" if character in "\0\ufffd" or unicodedata.category(character).startswith("C") else character


@lru_cache(maxsize=4_096)
def _is_punctuation(character: str) -> bool:
    is_symbol = character.isascii() and character.isprintable() and not character.isalnum() and character != " "
    return is_symbol or unicodedata.category(character).startswith("P")
