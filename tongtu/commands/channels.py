"""members channels show, set, remove and rotate-secret."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tongtu.commands.credentials import CredentialsFile, hand_over, new_file
from tongtu.errors import CommandError, UsageError

if TYPE_CHECKING:
    from shared.contracts.channels import ChannelsConfigured
    from tongtu.reading import Reader

group = typer.Typer(
    help="How a member is told beside its inbox: webhook and e-mail.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Member = Annotated[str, typer.Argument(metavar="ID", help="The member.")]


class Way(StrEnum):
    """A channel as one configures it."""

    WEBHOOK = "webhook"
    EMAIL = "email"


@group.command()
def show(id: Member, json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show what a member has configured, without secrets."""
    import asyncio

    asyncio.run(_show(id, json))


@group.command(name="set")
def set_channel(
    id: Member,
    channel: Annotated[Way, typer.Argument(help="webhook or email.")],
    url: Annotated[str | None, typer.Option(help="Where webhooks are posted to; https.")] = None,
    plain: Annotated[
        bool, typer.Option("--plain", help="Take an http address, where notify is set to allow it.")
    ] = False,
    address: Annotated[
        list[str] | None, typer.Option(help="An e-mail address; again for the next, up to five.")
    ] = None,
    language: Annotated[str | None, typer.Option(help="Of e-mails: zh or en.")] = None,
    digest_at: Annotated[
        str | None, typer.Option(metavar="HH:MM", help="One e-mail a day at that time; - for each message at once.")
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only messages of this kind, such as proposal; again for the next.")
    ] = None,
    least_score: Annotated[float | None, typer.Option(help="Of proposals, from 0 to 1.")] = None,
    most_p_loss: Annotated[float | None, typer.Option(help="Of proposals: chance of a loss, from 0 to 1.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(help="Only proposals in this strategic field or industry; again for the next.")
    ] = None,
    quiet: Annotated[str | None, typer.Option(metavar="HH:MM-HH:MM", help="Nothing is sent in these hours.")] = None,
    timezone: Annotated[str | None, typer.Option(help="Of these times, such as Asia/Shanghai.")] = None,
    all_messages: Annotated[
        bool, typer.Option("--all", help="Forget what was preferred so far: send everything, at any time.")
    ] = False,
    credentials_file: CredentialsFile = None,
) -> None:
    """Set a channel up, or change it; what is not given stays as it is. A new webhook's secret is shown once."""
    import asyncio

    if channel is Way.WEBHOOK and (address or language or digest_at):
        raise UsageError("--address, --language and --digest-at belong to email")
    if channel is Way.EMAIL and (url or plain):
        raise UsageError("--url and --plain belong to webhook")
    if url is not None and not url.startswith("https://") and not plain:
        raise UsageError("--url must be an https address (or give --plain, where notify is set to allow it)")
    preferred: dict[str, Any] = {
        "kinds": kind,
        "least_score": least_score,
        "most_p_loss": most_p_loss,
        "fields": field,
        "quiet_hours": _hours(quiet),
        "timezone": timezone,
    }
    given: dict[str, Any] = (
        {"url": url} if channel is Way.WEBHOOK else {"addresses": address, "language": language, "digest_at": digest_at}
    )
    file = new_file(credentials_file)
    asyncio.run(_set(id, channel, _present(given), _present(preferred), all_messages, file))


@group.command()
def remove(
    id: Member, channel: Annotated[Way | None, typer.Argument(help="webhook or email; without it, both.")] = None
) -> None:
    """Take channels away. What was still to be sent on them is given up; all of it is in the member's inbox."""
    import asyncio

    asyncio.run(_remove(id, channel))


@group.command(name="rotate-secret")
def rotate_secret(id: Member, credentials_file: CredentialsFile = None) -> None:
    """Give a webhook a new secret, shown once. Both sign, until the secret is rotated again."""
    import asyncio

    asyncio.run(_rotate_secret(id, new_file(credentials_file)))


def _present(given: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if value is not None and value != []}


def _hours(written: str | None) -> dict[str, str] | None:
    if written is None:
        return None
    begins, dash, ends = written.replace("—", "-").replace("–", "-").partition("-")
    if not dash:
        raise UsageError("--quiet must be two times, such as 22:00-07:00")
    return {"begins": begins.strip(), "ends": ends.strip()}


async def _entry(reader: Reader, id: str) -> ChannelsConfigured:
    from tongtu import channels, members

    if await members.entry(reader, id) is None:
        raise CommandError(f"{id} is not a member: `tongtu members list` shows who is")
    return await channels.configured(reader, id)


async def _show(id: str, json: bool) -> None:
    from tongtu.output import say, say_json
    from tongtu.reading import Reader
    from tongtu.target import target

    async with Reader(target()) as reader:
        entry = await _entry(reader, id)
    shown = entry.model_dump(mode="json", exclude_none=True)
    if entry.webhook is not None:
        shown["webhook"]["secrets"] = len(entry.webhook.secrets)
    if json:
        say_json(shown)
        return
    if entry.webhook is None and entry.email is None:
        say(f"{id} is told through its inbox alone")
    for way in Way:
        if way in shown:
            say(f"{way}: {_told(shown[way])}")
            say(f"  wants {_told(shown[f'{way}_preferences'])}")


def _told(fields: dict[str, Any]) -> str:
    return "; ".join(f"{name.replace('_', ' ')} {_in_words(value)}" for name, value in fields.items() if value != [])


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        return f"{value['begins']}-{value['ends']}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


async def _set(
    id: str, way: Way, given: dict[str, Any], preferred: dict[str, Any], forget: bool, file: Path | None
) -> None:
    from tongtu import channels
    from tongtu.access.webhook_keys import sealed
    from tongtu.output import say
    from tongtu.reading import Reader
    from tongtu.target import target
    from tongtu.writing import Writer

    where = target()
    async with Reader(where) as reader:
        present = await _entry(reader, id)
    secret = channels.new_webhook_secret() if way is Way.WEBHOOK and present.webhook is None else None
    if secret is not None:
        given = {**given, "secrets": [sealed(secret, present.purpose, where)]}
    wanted = channels.changed(present, way, given, preferred, forget)
    async with Writer(where) as writer:
        await channels.publish(writer, wanted)
    say(f"{id}: {way} is set (version {wanted.version}); it gets what comes into its inbox from now on")
    if secret is not None:
        hand_over(_secret_text(id, secret), file)


def _secret_text(member: str, secret: str) -> str:
    return (
        f"# {member}: what webhooks are signed with (Standard Webhooks).\n"
        f"# Shown this once. `tongtu members channels rotate-secret {member}` makes a new one.\n"
        f"webhook secret: {secret}\n"
    )


async def _remove(id: str, way: Way | None) -> None:
    from tongtu import channels
    from tongtu.output import say
    from tongtu.reading import Reader
    from tongtu.target import target
    from tongtu.writing import Writer

    where = target()
    async with Reader(where) as reader:
        present = await _entry(reader, id)
    ways = [each for each in Way if way in (None, each) and getattr(present, each) is not None]
    if not ways:
        raise CommandError(f"{id} has no {way or 'channel'}: `tongtu members channels show {id}` shows what it has")
    left = present.model_copy(update={**dict.fromkeys(ways), "version": present.version + 1})
    async with Writer(where) as writer:
        await channels.publish(writer, left)
    say(f"{id}: {' and '.join(ways)} removed (version {left.version})")


async def _rotate_secret(id: str, file: Path | None) -> None:
    from tongtu import channels
    from tongtu.access.webhook_keys import sealed
    from tongtu.reading import Reader
    from tongtu.target import target
    from tongtu.writing import Writer

    where = target()
    async with Reader(where) as reader:
        present = await _entry(reader, id)
    if present.webhook is None:
        raise CommandError(f"{id} has no webhook: `tongtu members channels set {id} webhook --url URL` makes one")
    secret = channels.new_webhook_secret()
    webhook = channels.rotated(present.webhook, sealed(secret, present.purpose, where))
    async with Writer(where) as writer:
        await channels.publish(writer, present.model_copy(update={"webhook": webhook, "version": present.version + 1}))
    hand_over(_secret_text(id, secret), file)
