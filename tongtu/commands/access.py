"""access apply and list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(
    help="Who may do what on a secured Kafka.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@group.command()
def apply(
    passwords: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where the services' passwords are; those that are missing are made."),
    ] = None,
) -> None:
    """Give every service its user and exactly the rules that topics.yaml asks for.

    `tongtu up --secure` does it by itself. To change a password, delete its file, apply, and start the service again.
    """
    import asyncio

    from tongtu.access.services import apply_access
    from tongtu.embedded.home import default_home
    from tongtu.output import say
    from tongtu.target import target

    where = target()
    folder = passwords or default_home() / "kafka" / "passwords"
    applied = asyncio.run(apply_access(where, folder))
    for rules, word in ((applied.allowed, "allowed  "), (applied.forbidden, "forbidden")):
        for rule in sorted(rules):
            say(f"{word} {rule}")
    for service, login in applied.logins.items():
        say(f"{service}: {' '.join('='.join(variable) for variable in login.environment.items())}")


@group.command(name="list")
def list_rules(json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show every user, and what it may do."""
    from dataclasses import asdict

    from tongtu.access.services import administration
    from tongtu.output import say_json, show
    from tongtu.target import target

    broker = administration(target())
    rules = sorted(broker.rules())
    idle = sorted(broker.users() - {rule.user for rule in rules})
    if json:
        say_json({"rules": [asdict(rule) for rule in rules], "users_without_rules": idle})
        return
    rows = [(rule.user, rule.operation, rule.resource, rule.pattern) for rule in rules]
    show(("user", "may", "what", "name"), [*rows, *((user, None, None, None) for user in idle)])
