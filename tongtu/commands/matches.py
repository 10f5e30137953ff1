"""matches: what was found for a demand or a technology, ranked and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tongtu.errors import UsageError

if TYPE_CHECKING:
    from tongtu.found_matches import Matches


def matches(
    demand: Annotated[str | None, typer.Option(metavar="ID", help="The technologies found for this demand.")] = None,
    technology: Annotated[str | None, typer.Option(metavar="ID", help="The demands that this technology met.")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show the matches of one record, best first: why they fit, what is met, unmet or unknown, and their risk."""
    import asyncio

    if (demand is None) is (technology is None):
        raise UsageError("give --demand ID or --technology ID")
    found = asyncio.run(_read(demand, technology))
    if json:
        from tongtu.output import say_json

        say_json(found.as_json())
    else:
        from tongtu.match_view import show_matches

        show_matches(found)


async def _read(demand: str | None, technology: str | None) -> Matches:
    from shared.contracts.match import Side
    from tongtu.found_matches import matches_of
    from tongtu.reading import Reader
    from tongtu.target import target

    async with Reader(target()) as reader:
        side = Side.DEMAND if demand is not None else Side.TECHNOLOGY
        return await matches_of(reader, side, demand or technology or "")
