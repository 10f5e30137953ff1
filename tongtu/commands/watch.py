"""watch: what comes in on topics, one line an event."""

from __future__ import annotations

from typing import Annotated

import typer


def watch(
    topics: Annotated[list[str], typer.Argument(metavar="TOPIC...", help='Names; "*" in one stands for anything.')],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line, for programs.")] = False,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with what is there already.")] = False,
) -> None:
    """Follow topics until Ctrl-C: every committed event, decoded, one line each."""
    import asyncio

    try:
        asyncio.run(_watch(topics, json, from_start))
    except KeyboardInterrupt:
        return


async def _watch(patterns: list[str], json: bool, from_start: bool) -> None:
    from tongtu.event_lines import as_json, as_line
    from tongtu.output import note, say, say_json
    from tongtu.reading import Reader
    from tongtu.target import target

    async with Reader(target()) as reader:
        topics = await reader.matching(patterns)
        starts = None if from_start else await reader.ends(topics)
        note(f"following {', '.join(topics)}; Ctrl-C ends it")
        async for event in reader.follow(topics, starts, from_start):
            if event is None:
                continue
            if json:
                say_json(as_json(event))
            else:
                say(as_line(event))
