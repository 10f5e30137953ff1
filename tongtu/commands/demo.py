"""demo: the sample catalogue through the whole platform."""

from __future__ import annotations

from typing import Annotated

import typer


def demo(
    against: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="KAFKA MONGODB", help="Use the platform that runs at these addresses."),
    ] = None,
) -> None:
    """Show the platform at work: sample members, their technologies and demands, and the matches with their risk.

    Starts everything, and stops it at the end, unless --against names a platform that runs. Exit code 0 only if what
    the catalogue expects has come, and nothing that it rules out.
    """
    import signal

    from shared.runtime.settings import ServiceSettings, load
    from tongtu.demonstration.run import demonstrate
    from tongtu.embedded.home import default_home
    from tongtu.target import Target

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    settings = load(ServiceSettings)
    target = Target(*against, settings.prefix, settings.login) if against else None
    if not demonstrate(default_home(), target):
        raise typer.Exit(1)
