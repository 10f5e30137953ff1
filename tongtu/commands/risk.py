"""risk: the risk of one match, of a project in a file, of a portfolio; and the model behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tongtu.commands import risk_model, risk_portfolio
from tongtu.default_command import GroupWithDefault
from tongtu.errors import CommandError, UsageError

if TYPE_CHECKING:
    from services.risk.shared_model import SharedModel
    from shared.contracts.match import MatchProposed
    from shared.contracts.risk import Assessment, NotAssessed, RiskAssessed

Report = Annotated[
    Path | None, typer.Option("--report", metavar="FILE", help="Write a one-page report: .html, .pdf or .png.")
]
Language = Annotated[
    str | None, typer.Option(metavar="zh|en", help="Of the report; by default the language of the demand.")
]
Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]

group = typer.Typer(
    name="risk",
    cls=GroupWithDefault,
    no_args_is_help=True,
    rich_markup_mode=None,
    options_metavar="MATCH_ID [--json] [--report FILE] [--language zh|en]\n       tongtu risk",
    help="""Show the risk of one match, with MATCH_ID as `tongtu matches` names it; or what the commands below do.

    Figures, distribution, timeline, what drives it, which missing information would narrow it, and what was assumed.
    --report FILE writes it as a page (.html, .pdf or .png), --language zh or en says in which language, --json prints
    it for programs.""",
)


@group.command("match", hidden=True)
def risk(
    match_id: Annotated[str, typer.Argument(metavar="MATCH_ID", help="As `tongtu matches` names it.")],
    json: Json = False,
    report: Report = None,
    language: Language = None,
) -> None:
    """Show the risk of one match: figures, distribution, timeline, what drives it, and what was assumed."""
    import asyncio

    _check(report, language)
    found, model = asyncio.run(_read(match_id, with_model=report is not None))
    if json:
        from tongtu.output import say_json

        say_json(found.model_dump(mode="json", exclude_none=True))
    else:
        from tongtu.risk_view import show_risk

        show_risk(found)
    if report is not None:
        _report(report, found.proposal, found.assessment, model, language)


@group.command("assess")
def assess(
    file: Annotated[Path, typer.Option(metavar="FILE", help="One project as JSON; docs/commands.md says how.")],
    json: Json = False,
    report: Report = None,
    language: Language = None,
    model: Annotated[
        str | None, typer.Option(metavar="VERSION", help="Of the model; by default the newest that is checked in.")
    ] = None,
) -> None:
    """Assess a project in a file with the shared model; needs no running platform."""
    _check(report, language)
    from tongtu.project_file import read_projects
    from tongtu.project_problems import wrong_fields_named
    from tongtu.shared_risk_model import checked_in

    with wrong_fields_named(json):
        projects = read_projects(file)
    if len(projects) > 1:
        raise CommandError(f"{file} holds {len(projects)} projects: `tongtu risk portfolio --file` takes many")
    [project] = projects
    shared = checked_in(model)
    from services.risk.assessment import RiskModel

    [assessment] = RiskModel(shared).assess([project.proposal])
    if json:
        from tongtu.output import say_json

        written = assessment.model_dump(mode="json", exclude_none=True)
        warnings = [each.model_dump(mode="json") for each in project.warnings]
        say_json({"project": project.name, "assessment": written, "warnings": warnings})
    else:
        from tongtu.output import note, say
        from tongtu.risk_view import show_assessment

        for warning in project.warnings:
            note(f"{warning.pointer} {warning.message}")
        say(f"project {project.name}", "bold")
        say()
        show_assessment(assessment)
    if report is not None:
        _report(report, project.proposal, assessment, shared, language)


group.command("portfolio")(risk_portfolio.portfolio)
group.add_typer(risk_model.group, name="model")


async def _read(match_id: str, with_model: bool) -> tuple[RiskAssessed, SharedModel | None]:
    """The match, and the model that assessed it where that can still be had."""
    from tongtu.found_matches import assessed
    from tongtu.reading import Reader
    from tongtu.shared_risk_model import current, restored
    from tongtu.target import target

    async with Reader(target()) as reader:
        found = await assessed(reader, match_id)
        if not with_model:
            return found, None
        try:
            model = restored(await current(reader))
        except CommandError:
            return found, None
    return found, model


def _check(report: Path | None, language: str | None) -> None:
    """Before anything else runs."""
    if language not in (None, "zh", "en"):
        raise UsageError("--language is zh or en")
    if report is not None:
        from tongtu.risk_report.files import format_of

        format_of(report)


def _report(
    path: Path,
    proposal: MatchProposed,
    assessment: Assessment | NotAssessed,
    model: SharedModel | None,
    language: str | None,
) -> None:
    from datetime import date

    from shared.contracts.risk import NotAssessed
    from tongtu.output import note
    from tongtu.risk_report.files import write_report
    from tongtu.risk_report.page import page_of
    from tongtu.risk_report.repeated import repeated_draws

    if isinstance(assessment, NotAssessed):
        raise CommandError(f"no report was written: the risk is not assessed ({assessment.reason})")
    draws = repeated_draws(model, proposal, assessment) if model is not None else None
    asked = language or proposal.demand.language
    page = page_of(proposal, assessment, draws, "zh" if asked.startswith("zh") else "en", date.today())
    write_report(page, path)
    note(f"{path} is written")
