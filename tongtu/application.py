"""The command line as a whole: every command and group of commands, in the order in which one meets them."""

from __future__ import annotations

from typing import Annotated

import typer

from tongtu.commands import (
    access,
    channels,
    dead_letters,
    deliveries,
    demo,
    evaluate,
    import_records,
    lag,
    matches,
    members,
    platform,
    positions,
    risk,
    topics,
    unpublishable,
    watch,
)
from tongtu.help import GroupedHelp

application = typer.Typer(
    name="tongtu",
    help="Tongtu 通途: carries research results to industrial demand, over Kafka and MongoDB.",
    cls=GroupedHelp,
    rich_markup_mode=None,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@application.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error; may stand anywhere.")] = False,
) -> None:
    """Options of every command; `main` looks at --debug itself, wherever it stands."""


_START, _WORK, _OPERATE = "Start and stop", "Members and matches", "Operate"

application.command("demo", rich_help_panel=_START)(demo.demo)
application.command("up", rich_help_panel=_START)(platform.up)
application.command("down", rich_help_panel=_START)(platform.down)
application.command("status", rich_help_panel=_START)(platform.status)
members.group.add_typer(channels.group, name="channels")
application.add_typer(members.group, name="members", rich_help_panel=_WORK)
application.command("import", rich_help_panel=_WORK)(import_records.import_records)
application.command("matches", rich_help_panel=_WORK)(matches.matches)
application.add_typer(risk.group, rich_help_panel=_WORK)
application.command("evaluate", rich_help_panel=_WORK)(evaluate.evaluate)
application.add_typer(topics.group, name="topics", rich_help_panel=_OPERATE)
application.add_typer(access.group, name="access", rich_help_panel=_OPERATE)
application.command("watch", rich_help_panel=_OPERATE)(watch.watch)
application.command("lag", rich_help_panel=_OPERATE)(lag.lag)
application.add_typer(dead_letters.group, name="dead-letters", rich_help_panel=_OPERATE)
application.add_typer(unpublishable.group, name="unpublishable", rich_help_panel=_OPERATE)
application.add_typer(deliveries.group, name="deliveries", rich_help_panel=_OPERATE)
application.add_typer(positions.group, name="positions", rich_help_panel=_OPERATE)
