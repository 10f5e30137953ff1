"""Payload schemas as AsyncAPI tools read them: JSON Schema draft 07, every definition once and in one place."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.contracts.generate import Untitled

PLACE = "#/components/schemas/"


def payload_schemas(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """The definitions of these models and of all that they hold, by name; a model's own name is its class's."""
    _, generated = models_json_schema(
        [(model, "validation") for model in models], ref_template=f"{PLACE}{{model}}", schema_generator=Untitled
    )
    definitions = {name: _in_draft_07(schema) for name, schema in generated["$defs"].items()}
    missing = [model.__name__ for model in models if model.__name__ not in definitions]
    if missing:  # pydantic has given them longer names, to tell them from others of the same name
        raise ValueError(f"two models of what members send and receive are called {', '.join(missing)}: rename one")
    return definitions


def _in_draft_07(schema: Any) -> Any:
    """The same schema (ours are 2020-12) without what draft 07 reads otherwise.

    There a `$ref` hides everything beside it. OpenAPI's `discriminator` only repeats what `oneOf` and `const` say.
    """
    if isinstance(schema, list):
        return [_in_draft_07(each) for each in schema]
    if not isinstance(schema, Mapping):
        return schema
    kept = {
        name: _in_draft_07(value)
        for name, value in schema.items()
        if not (name == "discriminator" and isinstance(value, Mapping) and "propertyName" in value)
    }
    if isinstance(kept.get("$ref"), str) and len(kept) > 1:
        return {"allOf": [{"$ref": kept.pop("$ref")}], **kept}
    return kept


def reference(name: str) -> dict[str, Any]:
    """A pointer to one of them."""
    return {"$ref": f"{PLACE}{name}"}
