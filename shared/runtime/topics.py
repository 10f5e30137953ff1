"""Every topic of the platform as topics.yaml says it: how many partitions, how it is kept, who writes, who reads."""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import product
from pathlib import Path
from typing import Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

import shared.contracts
from shared.runtime.topic_administration import AppliedTopics, TopicsError, apply_topics

__all__ = [
    "AppliedTopics",
    "Carried",
    "Topic",
    "Topics",
    "TopicsError",
    "apply_topics",
    "load_topics",
    "markdown_table",
]

TOPICS_FILE = Path(shared.contracts.__file__).with_name("topics.yaml")
_DAY = 86_400_000  # milliseconds


class Carried(BaseModel):
    """One type of event that a topic carries, and the file in schemas/ that describes its data."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: str
    # `schema` is taken in pydantic.
    schema_file: str = Field(alias="schema")


class Topic(BaseModel):
    """One topic; one with a name in braces stands for many."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    what: str
    for_each: Mapping[str, tuple[str, ...]] = {}
    key: str
    partitions: int = Field(ge=1)
    replication: int = Field(ge=1)
    config: Mapping[str, str | int]
    carries: tuple[Carried, ...]
    written_by: tuple[str, ...] = Field(min_length=1)
    read_by: tuple[str, ...] = Field(min_length=1)

    @property
    def settings(self) -> dict[str, str]:
        """The topic's configuration as Kafka takes it."""
        return {name: str(value) for name, value in self.config.items()}

    @property
    def kept(self) -> str:
        """How long its records stay, in words."""
        retention = int(self.config["retention.ms"])
        period = "for ever" if retention < 0 else f"{retention // _DAY} days"
        return f"compacted, {period}" if "compact" in str(self.config["cleanup.policy"]) else period

    def filled(self, **values: str) -> Self:
        """The topic with its placeholders filled in."""
        changes = {
            "name": self.name.format(**values),
            "written_by": tuple(name.format(**values) for name in self.written_by),
            "read_by": tuple(name.format(**values) for name in self.read_by),
            "for_each": {},
        }
        return self.model_copy(update=changes)

    def expanded(self) -> Iterator[Self]:
        """Itself, or one topic for each value that it is meant for."""
        if not self.for_each:
            yield self
        for values in product(*self.for_each.values()):
            yield self.filled(**dict(zip(self.for_each, values, strict=True)))


class Topics:
    """All topics: iteration gives those that exist once, `for_member` those that each member has."""

    def __init__(self, declared: Iterable[Topic]) -> None:
        self.declared = tuple(declared)
        """As topics.yaml has them, placeholders and all."""
        self._each_member = tuple(topic for topic in self.declared if "{member}" in topic.name)
        once = (topic for topic in self.declared if topic not in self._each_member)
        self._once = {topic.name: topic for each in once for topic in each.expanded()}

    def __iter__(self) -> Iterator[Topic]:
        return iter(self._once.values())

    def __len__(self) -> int:
        return len(self._once)

    def __getitem__(self, name: str) -> Topic:
        """The topic of that name; KeyError with one readable line if no topic has it."""
        if name in self._once:
            return self._once[name]
        for topic in self._each_member:
            pattern = re.escape(topic.name).replace(r"\{member\}", "([a-z0-9-]{2,40})")
            if match := re.fullmatch(pattern, name):
                return topic.filled(member=match[1])
        raise KeyError(f"no topic is called {name}: topics.yaml names them all")

    def partitions(self, name: str) -> int:
        """How many partitions that topic has; KeyError if there is none of that name."""
        return self[name].partitions

    def for_member(self, member: str) -> tuple[Topic, ...]:
        """The topics of one member."""
        return tuple(topic.filled(member=member) for topic in self._each_member)


@cache
def load_topics(file: Path = TOPICS_FILE) -> Topics:
    """Reads topics.yaml; pydantic.ValidationError names every field of it that is wrong."""
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    return Topics(TypeAdapter(tuple[Topic, ...]).validate_python(document["topics"]))


def markdown_table(topics: Topics) -> str:
    """The topics as a table for the documentation."""
    head = ("topic", "key", "partitions", "kept", "written by", "read by", "what")
    rows = [
        (
            f"`{topic.name}`",
            topic.key,
            str(topic.partitions),
            topic.kept,
            ", ".join(topic.written_by),
            ", ".join(topic.read_by),
            topic.what,
        )
        for topic in topics.declared
    ]
    lines = (head, tuple("---" for _ in head), *rows)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
    """`python -m shared.runtime.topics [--markdown]`: the names of the topics, or the table."""
    parser = argparse.ArgumentParser(description="List the topics that topics.yaml declares.")
    parser.add_argument("--markdown", action="store_true", help="as the table of docs/contracts.md")
    arguments = parser.parse_args()
    topics = load_topics()
    names = "".join(f"{topic.name}\n" for topic in topics)
    sys.stdout.write(markdown_table(topics) if arguments.markdown else names)


if __name__ == "__main__":
    main()
