"""topics apply and list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.runtime.topics import Topic
    from tongtu.target import Target

group = typer.Typer(
    help="The topics that topics.yaml declares, and those of every member.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@group.command()
def apply() -> None:
    """Create the topics that are missing and set what differs; refuses to change a partition count."""
    import asyncio

    asyncio.run(_apply())


@group.command(name="list")
def list_topics(json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show every topic: partitions, records' offsets in it, how long it keeps them, who writes and reads."""
    import asyncio

    asyncio.run(_list(json))


async def _declared(where: Target) -> list[Topic]:
    """Those that exist once, and those of the members that are registered."""
    from shared.runtime.topics import load_topics
    from tongtu.members import registered
    from tongtu.reading import Reader

    topics = load_topics()
    declared = list(topics)
    async with Reader(where) as reader:
        if "organisation.registered" in await reader.topics():
            for member in await registered(reader):
                declared += topics.for_member(member)
    return declared


async def _apply() -> None:
    from shared.runtime.topics import apply_topics
    from tongtu.output import say
    from tongtu.target import target

    where = target()
    applied = await apply_topics(where.kafka, await _declared(where), where.prefix, **where.kafka_security)
    for name in applied.created:
        say(f"created  {name}")
    for name, changes in applied.altered.items():
        told = ", ".join(f"{setting} {before} -> {now}" for setting, (before, now) in changes.items())
        say(f"altered  {name}: {told}")
    for name, (has, wanted) in applied.fewer_replicas.items():
        say(f"replicas {name}: {has}, {wanted} wanted; move them with Kafka's own tools", "yellow")
    say(f"{len(applied.created)} created, {len(applied.altered)} altered, {len(applied.unchanged)} as they were")


async def _list(json: bool) -> None:
    from tongtu.output import say_json, show
    from tongtu.reading import Reader
    from tongtu.target import target

    where = target()
    declared = await _declared(where)
    async with Reader(where) as reader:
        existing = await reader.topics()
        sizes = await reader.sizes([topic.name for topic in declared if topic.name in existing])
    if json:
        say_json(
            [
                {
                    "topic": topic.name,
                    "partitions": existing.get(topic.name),
                    "declared_partitions": topic.partitions,
                    "offsets": sizes.get(topic.name),
                    "kept": topic.kept,
                    "written_by": topic.written_by,
                    "read_by": topic.read_by,
                }
                for topic in declared
            ]
        )
        return
    rows = [
        (
            topic.name,
            existing.get(topic.name, "missing"),
            sizes.get(topic.name),
            topic.kept,
            ", ".join(topic.written_by),
            ", ".join(topic.read_by),
        )
        for topic in declared
    ]
    columns = ("topic", "partitions", "offsets", "kept", "written by", "read by")
    show(columns, rows, ("partitions", "offsets"))
