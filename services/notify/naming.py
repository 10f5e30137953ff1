"""Whether a text says who somebody is: a member's id in the words of a check, an author in its own comment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from shared.contracts.events import DisclosedOrganisation

_LEADS_TO_SOMEBODY = re.compile(r"@|://|\bwww\.|(?:\d[\s().-]{0,2}){7}", re.IGNORECASE)
"""An address, or as many digits as a telephone number has at least."""
_SHORTEST = 2
"""Letters of a clue that is looked for; a single one stands in every text."""


def mentions(member: str, texts: Iterable[str | None]) -> bool:
    """Whether one of the texts has the member's id in it as a word."""
    named = re.compile(rf"(?<![A-Za-z0-9-]){re.escape(member)}(?![A-Za-z0-9-])", re.IGNORECASE)
    return any(text is not None and named.search(text) for text in texts)


def gives_away(comment: str, organisation: DisclosedOrganisation | None, record_id: str) -> bool:
    """Whether a comment says who wrote it, as far as that can be told from its words.

    Strict: also where it holds any address or telephone number, and where the author's names are not known yet.
    What nobody could tell, such as a nickname, passes.
    """
    text = unicodedata.normalize("NFKC", comment)
    if organisation is None or _LEADS_TO_SOMEBODY.search(text):
        return True
    contacts = organisation.contacts
    clues = [organisation.id, record_id, organisation.uscc, *organisation.names.values()]
    clues += [each for contact in contacts for each in (contact.name, contact.email, contact.phone)]
    letters = _letters(text)
    return any(len(clue) >= _SHORTEST and clue in letters for clue in map(_letters, filter(None, clues)))


def _letters(text: str) -> str:
    """Without what can be written in several ways: case, width, blanks, hyphens, stops."""
    return "".join(each for each in unicodedata.normalize("NFKC", text).casefold() if each.isalnum())
