"""The AsyncAPI document as the file docs/asyncapi.yaml."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from shared.asyncapi.document import document
from shared.runtime.topics import load_topics

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
_FIRST_LINE = "# Written by python -m shared.contracts.generate, from topics.yaml, models and examples: change those.\n"


class _Dumper(yaml.SafeDumper):
    """Texts of several lines as such, and everything written out where it stands."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def rendered() -> str:
    """The text of the file."""
    text = yaml.dump(document(load_topics()), Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)
    return _FIRST_LINE + text


def differing_files() -> Iterator[Path]:
    """The file, if it is missing or not what topics.yaml, models and examples say."""
    if not FILE.is_file() or FILE.read_text(encoding="utf-8") != rendered():
        yield FILE


def write() -> None:
    """Writes the file."""
    FILE.write_text(rendered(), encoding="utf-8")
