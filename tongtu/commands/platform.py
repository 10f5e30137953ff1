"""up, down and status: the platform on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="As JSON, for programs.")]


def up(
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready; `down` stops it.")] = False,
    secure: Annotated[
        bool, typer.Option("--secure", help="Kafka asks for a login over TLS, and each user may do only what it must.")
    ] = False,
) -> None:
    """Start Kafka, MongoDB and every service, until Ctrl-C.

    Addresses in TONGTU_KAFKA and TONGTU_MONGODB win over the embedded servers. Data, logs and state are under
    TONGTU_HOME. A service that dies is started again.
    """
    from tongtu.embedded.home import default_home
    from tongtu.supervision import running

    if detach:
        running.start_detached(default_home(), secure)
    else:
        running.run(default_home(), secure)


def down() -> None:
    """Stop the platform that runs on TONGTU_HOME."""
    from tongtu.embedded.home import default_home
    from tongtu.supervision import running

    running.stop(default_home())


def status(json: Json = False) -> None:
    """Show what runs, whether it is ready, and what waits: lag, dead letters, unpublishable messages.

    Exit code 0 if everything here is ready, else 1.
    """
    import asyncio

    from tongtu import health
    from tongtu.embedded.home import default_home

    found = asyncio.run(health.gather(default_home()))
    if json:
        from tongtu.output import say_json

        say_json(found.as_json())
    else:
        health.show(found)
    if not found.is_ready:
        raise typer.Exit(1)
