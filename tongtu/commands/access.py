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


@group.command(name="webhook-key")
def webhook_key(
    keys: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the two files are; those that are missing are made.")
    ] = None,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="Seal with a new key from now on; notify still opens what was sealed before."),
    ] = False,
) -> None:
    """Make the keys that webhook secrets are sealed with: a public one for members channels, a private one for notify.

    `tongtu up` does it by itself.
    """
    from shared.runtime.sealing import SealingKeyError
    from tongtu.access.webhook_keys import NOTIFY_VARIABLE, REGISTRY_VARIABLE, WebhookKeys
    from tongtu.embedded.home import default_home
    from tongtu.errors import CommandError
    from tongtu.output import say

    files = WebhookKeys(keys.absolute()) if keys else WebhookKeys.at(default_home())
    try:
        files.renew() if renew else files.make()
    except (OSError, SealingKeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CommandError(f"{files.private} cannot be used ({reason}): name another folder with --keys") from None
    say(f"notify: {NOTIFY_VARIABLE}={files.private}")
    say(f"members channels: {REGISTRY_VARIABLE}={files.public}")


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
