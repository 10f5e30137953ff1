"""risk: the risk of one match, drawn in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from shared.contracts.risk import RiskAssessed


def risk(
    match_id: Annotated[str, typer.Argument(metavar="MATCH_ID", help="As `tongtu matches` names it.")],
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Show the risk of one match: figures, distribution, timeline, what drives it, and what was assumed."""
    import asyncio

    found = asyncio.run(_read(match_id))
    if json:
        from tongtu.output import say_json

        say_json(found.model_dump(mode="json", exclude_none=True))
    else:
        from tongtu.risk_view import show_risk

        show_risk(found)


async def _read(match_id: str) -> RiskAssessed:
    from tongtu.found_matches import assessed
    from tongtu.reading import Reader
    from tongtu.target import target

    async with Reader(target()) as reader:
        return await assessed(reader, match_id)
