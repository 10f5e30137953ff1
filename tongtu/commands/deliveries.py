"""deliveries list: what notify sent to members' own systems, and what it could not."""

from __future__ import annotations

import json as json_module
import urllib.error
import urllib.parse
import urllib.request
from typing import Annotated, Any

import typer

from tongtu.errors import CommandError

group = typer.Typer(
    help="What is sent to members' own systems: webhooks and e-mail.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_SECONDS = 10.0


@group.callback()
def options() -> None:
    """Keeps `list` a command of a group, where more may follow."""


@group.command(name="list")
def list_deliveries(
    member: Annotated[str | None, typer.Option(metavar="ID", help="Only those to this member.")] = None,
    most: Annotated[int, typer.Option(min=1, max=1000, help="How many, the latest first.")] = 100,
    at: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Health address of a notify process; without it, the one that runs here."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON with every try, for programs.")] = False,
) -> None:
    """Show deliveries of the last 90 days with what became of them, and why not."""
    from tongtu.output import say_json, show

    found = _read(at or _notify_here(), member, most)
    if json:
        say_json(found)
        return
    rows = [
        (
            each["first_due"],
            each["member"],
            each["channel"],
            each["target"],
            each["type"],
            each["state"],
            len(each["attempts"]),
            each["reason"] or _last_reason(each),
            each["id"],
        )
        for each in found
    ]
    columns = ("due", "member", "channel", "to", "type", "state", "tries", "reason", "id")
    show(columns, rows, ("tries",), nothing="nothing was to be sent to members' own systems")


def _last_reason(delivery: dict[str, Any]) -> str:
    tries = delivery["attempts"]
    return (tries[-1]["reason"] or "") if tries else ""


def _notify_here() -> str:
    """Notify keeps its log to itself and shows it at its health address, which operators reach."""
    from tongtu.embedded.home import default_home
    from tongtu.supervision.state import read_state

    state = read_state(default_home())
    for part in state.parts if state else ():
        if part.name == "notify" and part.pid is not None:
            return part.address
    raise CommandError("no notify runs here: give the health address of one with --at, such as http://127.0.0.1:19204")


def _read(address: str, member: str | None, most: int) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"most": most, **({"member": member} if member else {})})
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/deliveries?{query}", timeout=_SECONDS) as answer:  # noqa: S310 - the operator's own
            return json_module.load(answer)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise CommandError(f"notify does not answer at {address} ({error}): see `tongtu status`") from None
