"""risk portfolio: which of many matches to choose with a budget and a limit on what the worst cases may lose."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tongtu.errors import CommandError, UsageError

if TYPE_CHECKING:
    from services.risk.shared_model import SharedModel
    from shared.contracts.match import MatchProposed


def portfolio(
    budget: Annotated[
        str, typer.Option(metavar="AMOUNT", help="For the outlay (price and capital) of all that is chosen.")
    ],
    cvar_limit: Annotated[
        str, typer.Option(metavar="AMOUNT", help="The mean loss of the worst 5 % of the draws may be no more.")
    ],
    demand: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Its matches, as the running platform has them; repeatable.")
    ] = None,
    match: Annotated[
        list[str] | None, typer.Option(metavar="MATCH_ID", help="One match of the running platform; repeatable.")
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Projects as JSON, or what `tongtu matches --json` printed; repeatable."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="By default the running platform's; with files the newest checked in."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Choose among matches: the highest expected value within a budget and a limit on the tail.

    Amounts are in the currency of the matches. At most one match for each demand and of each technology is chosen.
    Matches of one strategic field rise and fall together. --file needs no running platform.
    """
    from tongtu.portfolio_view import as_json, show_portfolio

    if not (demand or match or file):
        raise UsageError("give --demand ID, --match MATCH_ID or --file FILE")
    limits = _amount("--budget", budget), _amount("--cvar-limit", cvar_limit)
    proposals, shared = _candidates(demand or [], match or [], file or [], model, json)
    from services.risk.portfolio_choice import MixedCurrencies, decide

    try:
        decision = decide(shared, proposals, *limits)
    except MixedCurrencies as error:
        raise CommandError(f"{error}: give the matches of one currency at a time") from error
    except ArithmeticError as error:
        raise CommandError(f"{error}: try a larger budget or limit") from error
    if json:
        from tongtu.output import say_json

        say_json(as_json(decision, shared, *limits))
    else:
        show_portfolio(decision, shared, *limits)


def _amount(option: str, text: str) -> float:
    try:
        value = Decimal(text.replace(",", "").replace("_", ""))
    except InvalidOperation as error:
        raise UsageError(f"{option} is an amount such as 50000000, not {text!r}") from error
    if not (value.is_finite() and 0 <= value <= Decimal(10) ** 18):
        raise UsageError(f"{option} is an amount between 0 and 10^18, not {text}")
    return float(value)


def _candidates(
    demands: list[str], matches: list[str], files: list[Path], version: str | None, json: bool
) -> tuple[list[MatchProposed], SharedModel]:
    """Each match once, and the model to assess them with."""
    from tongtu.output import note
    from tongtu.project_file import read_projects
    from tongtu.project_problems import wrong_fields_named
    from tongtu.shared_risk_model import checked_in

    with wrong_fields_named(json):
        projects = read_projects(*files)
    for project in projects:
        for warning in project.warnings:
            note(f"{project.name}: {warning.pointer} {warning.message}")
    found = [project.proposal for project in projects]
    if not (demands or matches):
        return found, checked_in(version)
    import asyncio

    more, model = asyncio.run(_of_platform(demands, matches, version))
    once = {proposal.match_id: proposal for proposal in (*more, *found)}
    if not once:
        raise CommandError("there is no match to choose from: `tongtu matches --demand ID` shows those of a demand")
    return [*once.values()], model


async def _of_platform(
    demands: list[str], matches: list[str], version: str | None
) -> tuple[list[MatchProposed], SharedModel]:
    from shared.contracts.match import Side
    from tongtu.found_matches import assessed, matches_of
    from tongtu.reading import Reader
    from tongtu.shared_risk_model import checked_in, current, restored
    from tongtu.target import target

    async with Reader(target()) as reader:
        found = [each.proposal for id in demands for each in (await matches_of(reader, Side.DEMAND, id)).found]
        found += [(await assessed(reader, match_id)).proposal for match_id in matches]
        model = checked_in(version) if version else restored(await current(reader))
    return found, model
