"""dead-letters list, show, replay and discard."""

from __future__ import annotations

from typing import Annotated

import typer

group = typer.Typer(
    help="Records that a service could not handle, kept byte for byte.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Service = Annotated[str, typer.Argument(help="intake, matching, risk or notify.")]
Letters = Annotated[list[str] | None, typer.Argument(metavar="[LETTER]...", help="As `list` names them.")]
All = Annotated[bool, typer.Option("--all", help="Every letter of the service.")]


@group.command(name="list")
def list_letters(
    service: Service, json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False
) -> None:
    """Show what a service could not handle, and why."""
    import asyncio

    asyncio.run(_list(service, json))


@group.command()
def show(
    service: Service,
    letter: Annotated[str, typer.Argument(metavar="LETTER", help="topic/partition/offset of the original record.")],
    json: Annotated[bool, typer.Option("--json", help="As JSON, bytes in base64.")] = False,
) -> None:
    """Show one dead letter whole: the original key, headers and value."""
    import asyncio

    asyncio.run(_show(service, letter, json))


@group.command()
def replay(service: Service, letters: Letters = None, all: All = False) -> None:
    """Hand dead letters to the service again, for when it was the service's fault.

    The letter stays until it is discarded; if it fails again, it can be replayed again.
    """
    import asyncio

    asyncio.run(_replay(service, letters or [], all))


@group.command()
def discard(service: Service, letters: Letters = None, all: All = False) -> None:
    """Give dead letters up for good: their content vanishes from the log within a day."""
    import asyncio

    asyncio.run(_discard(service, letters or [], all))


async def _list(service: str, json: bool) -> None:
    from tongtu import dead_letters
    from tongtu.output import moment, say, say_json
    from tongtu.output import show as show_table
    from tongtu.reading import Reader
    from tongtu.target import target

    async with Reader(target()) as reader:
        found = await dead_letters.summaries(reader, service)
    if json:
        say_json([summary.as_json() for summary in found.values()])
        return
    rows = [
        (key, each.error, each.message[:200], each.tries, f"{each.first_seen:%Y-%m-%d %H:%M:%S}", each.size)
        for key, each in found.items()
    ]
    columns = ("letter", "error", "message", "tries", "first seen (UTC)", "bytes")
    show_table(columns, rows, ("tries", "bytes"), nothing=f"{service} has no dead letters")
    if found:
        oldest = moment(min(each.timestamp for each in found.values()))
        say(f"{len(found)} in all, the oldest of {oldest}; kept for 90 days")


async def _show(service: str, key: str, json: bool) -> None:
    from tongtu import dead_letters
    from tongtu.output import say, say_json
    from tongtu.reading import Reader
    from tongtu.target import target

    async with Reader(target()) as reader:
        letter = await dead_letters.letter(reader, service, key)
    if json:
        say_json(letter.model_dump(mode="json"))
        return
    original = letter.original
    say(f"letter      {letter.key}")
    say(f"error       {letter.error}")
    say(f"message     {letter.message}")
    say(f"tries       {letter.tries}")
    say(f"first seen  {letter.first_seen:%Y-%m-%dT%H:%M:%SZ}")
    if letter.traceback_hash:
        say(f"traceback   {letter.traceback_hash}")
    say(f"key         {dead_letters.readable(original.key_bytes)}")
    for name, value in original.header_bytes:
        say(f"header      {dead_letters.readable(name)} = {dead_letters.readable(value)}")
    say("value")
    say(dead_letters.readable(original.value_bytes))


async def _replay(service: str, keys: list[str], all: bool) -> None:
    from tongtu import dead_letters
    from tongtu.output import say
    from tongtu.target import target

    done = await dead_letters.replay(target(), service, keys, all)
    for key in done.written:
        say(f"replayed {key}")
    for key in done.done_before:
        say(f"skipped  {key}: it was replayed before and went through; discard it")
    if done.written:
        say(f"when they have gone through: tongtu dead-letters discard {service} …")


async def _discard(service: str, keys: list[str], all: bool) -> None:
    from tongtu import dead_letters
    from tongtu.output import say
    from tongtu.target import target

    for key in await dead_letters.discard(target(), service, keys, all):
        say(f"discarded {key}")
