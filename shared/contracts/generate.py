"""Writes the JSON Schema of every type into schemas/, and docs/asyncapi.yaml.

`python -m shared.contracts.generate [--check | --release]`
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from shared.contracts.compatibility import Direction, breaks
from shared.contracts.events import DRAFTS, EVENTS, INBOX_MESSAGES

SCHEMAS = Path(__file__).parent / "schemas"
RELEASED = SCHEMAS / "released"


class Contract(NamedTuple):
    """One schema: its name (the file's stem), its model, and what a new version of it must keep working."""

    name: str
    model: type[BaseModel]
    directions: tuple[Direction, ...]


CONTRACTS: tuple[Contract, ...] = (
    # Written and read by services of different versions, and kept in the log for ever.
    *(Contract(model.type, model, ("reading", "writing")) for model in EVENTS),
    # Written by members, who do not change when the platform does.
    *(Contract(f"{model.type}.draft", model, ("reading",)) for model in DRAFTS),
    # Read by members.
    *(Contract(model.type, model, ("writing",)) for model in INBOX_MESSAGES),
)


class Untitled(GenerateJsonSchema):
    """Schemas without a title for each field that only repeats its name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never."""
        return False


def schema_of(contract: Contract) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a contract, its `$id` the dataschema attribute of its events."""
    generated = contract.model.model_json_schema(by_alias=True, mode="validation", schema_generator=Untitled)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:tongtu:schema:{contract.name}",
        **generated,
    }


def rendered(schema: Mapping[str, Any]) -> str:
    """The text of a schema file."""
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"


def differing_files() -> Iterator[Path]:
    """The files in schemas/ that are missing, are not what the models say, or belong to no type."""
    wanted = {SCHEMAS / f"{contract.name}.json": rendered(schema_of(contract)) for contract in CONTRACTS}
    for file, text in wanted.items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            yield file
    yield from (file for file in SCHEMAS.glob("*.json") if file not in wanted)


def incompatibilities() -> Iterator[str]:
    """What the models break of the released schemas, one line each."""
    current = {contract.name: contract for contract in CONTRACTS}
    for file in sorted(RELEASED.glob("*.json")):
        name = file.name.removesuffix(".json")
        if name not in current:
            yield f"{name}: the type was removed; records of it may stand in a log"
            continue
        released = json.loads(file.read_text(encoding="utf-8"))
        for direction in current[name].directions:
            for problem in breaks(released, schema_of(current[name]), direction):
                yield f"{name} ({direction}) {problem}"


def write(folder: Path) -> None:
    """Writes every schema into the folder and removes those of types that are no more."""
    folder.mkdir(exist_ok=True)
    wanted = {f"{contract.name}.json": rendered(schema_of(contract)) for contract in CONTRACTS}
    for file in folder.glob("*.json"):
        if file.name not in wanted:
            file.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text, encoding="utf-8")


def main() -> int:
    """Writes, checks or releases; 1 if a check fails or a release would break a reader or a writer."""
    # Needs topics.yaml, which those who import the contracts need not be able to read.
    from shared.asyncapi import files as asyncapi

    parser = argparse.ArgumentParser(description="Write the JSON Schemas of the contracts, and the AsyncAPI document.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="only say whether the files are current and compatible")
    what.add_argument("--release", action="store_true", help="also make them the released ones")
    arguments = parser.parse_args()
    problems = list(incompatibilities())
    if arguments.check:
        differing = [*differing_files(), *asyncapi.differing_files()]
        problems += [f"{file.name} is not current: run python -m shared.contracts.generate" for file in differing]
    else:
        write(SCHEMAS)
        asyncapi.write()
        if arguments.release and not problems:
            write(RELEASED)
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
