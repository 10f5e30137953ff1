"""positions list and set: how far each partition is processed, and the decision about one that is held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tongtu.errors import CommandError, UsageError

if TYPE_CHECKING:
    from tongtu.group_positions import GroupPosition

group = typer.Typer(
    help="How far each input partition is processed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@group.command(name="list")
def list_positions(
    service: Annotated[str | None, typer.Argument(help="One service; default: all.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show every input partition: position, group offset, the log's start and end, and why one is held."""
    import asyncio
    from dataclasses import asdict

    from tongtu.group_positions import group_positions
    from tongtu.output import say, say_json, show
    from tongtu.target import target

    found = asyncio.run(group_positions(target(), [service] if service else None))
    if json:
        say_json([asdict(each) for each in found])
        return
    rows = [(p.group, p.id, p.next, p.published, p.start, p.end, p.behind, p.epoch) for p in found]
    columns = ("group", "partition", "position", "group offset", "log start", "log end", "behind", "epoch")
    nothing = f"{service} has no positions" if service else "no service has read anything yet"
    show(columns, rows, columns[2:], nothing=nothing)
    for each in found:
        if each.held:
            say(f"{each.group} {each.id} is held: {each.held}", "yellow")
            say(f"  go on with: tongtu positions set {each.service} {each.id} earliest|latest|OFFSET", "yellow")


@group.command(name="set")
def set_position(
    service: Annotated[str, typer.Argument(help="intake, matching, risk or notify.")],
    partition: Annotated[str, typer.Argument(metavar="TOPIC/PARTITION")],
    to: Annotated[str, typer.Argument(metavar="earliest|latest|OFFSET", help="What to read next.")],
    group: Annotated[str | None, typer.Option(help="Where several groups of the service read the partition.")] = None,
) -> None:
    """Decide where a service goes on in a partition. What lies between is skipped, or processed once more.

    It takes effect within 10 s in a partition that is held, else with its next record.
    """
    import asyncio

    asyncio.run(_set(service, partition, to, group))


async def _set(service: str, partition: str, to: str, group: str | None) -> None:
    from tongtu.group_positions import decide, group_positions
    from tongtu.output import say
    from tongtu.target import target

    where = target()
    found = [each for each in await group_positions(where, [service]) if each.id == partition]
    groups = ", ".join(each.group for each in found)
    if group is not None:
        found = [each for each in found if each.group == group]
    if not found:
        raise CommandError(
            f"{service} has no position in {partition}: `tongtu positions list {service}` shows those it has"
        )
    if len(found) > 1:
        raise CommandError(f"several groups of {service} read {partition}: say which with --group ({groups})")
    position = found[0]
    offset = _offset(position, to)
    await decide(where, position, offset)
    say(f"{position.group} goes on in {partition} at {offset} (it stood at {position.next})")


def _offset(position: GroupPosition, to: str) -> int:
    if position.start is None or position.end is None:
        raise CommandError(f"there is no topic {position.topic}: create it with `tongtu topics apply`")
    if to in ("earliest", "latest"):
        return position.start if to == "earliest" else position.end
    if not to.isascii() or not to.isdigit():
        raise UsageError(f"{to} is neither earliest, nor latest, nor an offset")
    if not position.start <= int(to) <= position.end:
        raise CommandError(f"{position.id} has offsets {position.start} to {position.end}, not {to}: choose in between")
    return int(to)
