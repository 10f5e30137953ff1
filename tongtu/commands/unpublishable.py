"""unpublishable list: messages that Kafka refused for good."""

from __future__ import annotations

from typing import Annotated

import typer

group = typer.Typer(
    help="Messages that Kafka refused for good.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@group.callback()
def options() -> None:
    """Keeps `list` a command of a group, where more may follow."""


@group.command(name="list")
def list_messages(
    service: Annotated[str, typer.Argument(help="intake, matching, risk or notify.")],
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show what a service could not publish, where it was meant to go, and why Kafka refused it."""
    import asyncio

    from tongtu.output import say_json, show

    found = asyncio.run(_read(service))
    if json:
        say_json(found)
        return
    rows = [(each["topic"], each["key"], each["reason"], each["bytes"], each["id"]) for each in found]
    columns = ("topic", "key", "reason", "bytes", "outbox document")
    show(columns, rows, ("bytes",), nothing=f"{service} has published everything")


async def _read(service: str) -> list[dict[str, object]]:
    from tongtu import dead_letters
    from tongtu.group_positions import database, mongodb
    from tongtu.target import target

    where = target()
    dead_letters.topic_of(service)  # a name that no service has is an error, not an empty list
    async with mongodb(where) as client:
        documents = await database(client, where, service)["unpublishable"].find().sort("_id").to_list(None)
    return [
        {
            "id": document["_id"],
            "topic": document["topic"].removeprefix(where.prefix),
            "key": _text(document["key"]),
            "reason": document["reason"],
            "bytes": len(document["value"] or b""),
            "timestamp": document["timestamp"],
        }
        for document in documents
    ]


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode("utf-8", "backslashreplace")
