"""The example messages in examples/, for the tests of whoever writes or reads a type and for the documentation."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parent / "examples"


@dataclass(frozen=True, slots=True)
class Example:
    """One message, valid or not, as it stands in a file `examples/<schema name>/{valid,invalid}-<name>.json`."""

    contract: str
    """Name of its schema: the type, with `.draft` for what a member writes."""
    name: str
    expect: str
    """What becomes of it, in words."""
    problems: tuple[str, ...]
    """JSON pointers of the wrong fields; none if it is valid."""
    warnings: tuple[str, ...]
    """JSON pointers of the fields that are not known."""
    rule_beyond_schema: bool
    """Whether only a rule that joins fields is broken, which no JSON Schema says."""
    headers: dict[str, str]
    key: str | None
    value: dict[str, Any] | None
    """The data; None is a null record."""

    @property
    def valid(self) -> bool:
        """Whether a reader takes it."""
        return not self.problems

    @property
    def value_bytes(self) -> bytes | None:
        """The record's value as it goes over the wire."""
        return None if self.value is None else json.dumps(self.value, ensure_ascii=False).encode()

    def __str__(self) -> str:
        return f"{self.contract}/{self.name}"


def load_examples(contract: str | None = None) -> list[Example]:
    """All examples, or those of one schema, in the order of their names."""
    return [_load(file) for file in sorted(EXAMPLES.glob(f"{contract or '*'}/*.json"))]


def _load(file: Path) -> Example:
    document = json.loads(file.read_text(encoding="utf-8"))
    return Example(
        contract=file.parent.name,
        name=file.stem,
        expect=document["expect"],
        problems=tuple(document.get("problems", ())),
        warnings=tuple(document.get("warnings", ())),
        rule_beyond_schema=document.get("rule_beyond_schema", False),
        headers=document["headers"],
        key=document["key"],
        value=document["value"],
    )
