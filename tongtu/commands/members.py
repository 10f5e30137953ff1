"""members add, list, rotate and remove."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tongtu.commands.credentials import CredentialsFile, hand_over, new_file
from tongtu.errors import CommandError, UsageError

if TYPE_CHECKING:
    from tongtu.admission import Secrets
    from tongtu.target import Target

group = typer.Typer(
    help="Who takes part: a member, its outbox and its inbox.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Member = Annotated[str, typer.Argument(metavar="ID", help="2 to 40 of a-z, 0-9 and -; never used again later.")]


@group.command()
def add(
    id: Member,
    name_zh: Annotated[str | None, typer.Option(help="Full name in Chinese.")] = None,
    name_en: Annotated[str | None, typer.Option(help="Full name in English.")] = None,
    kind: Annotated[
        str, typer.Option(help="enterprise, university, institute, government, investor, intermediary or other.")
    ] = "enterprise",
    uscc: Annotated[str | None, typer.Option(help="Unified social credit code 统一社会信用代码.")] = None,
    region: Annotated[str | None, typer.Option(help="ISO 3166, such as CN-GD.")] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="To be written to in, such as zh; again for the next best.")
    ] = None,
    contact: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME[,E-MAIL[,PHONE]]", help="Shown to the other party only after both have accepted."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the entry of a member that there is.")] = False,
    credentials_file: CredentialsFile = None,
) -> None:
    """Register a member: creates its two topics, tells every service who it is, shows its secrets once.

    A run that was interrupted can be done again. Nobody gets in before its end.
    """
    import asyncio

    names = {language: name for language, name in (("zh", name_zh), ("en", name_en)) if name}
    if not names:
        raise UsageError("give --name-zh, --name-en, or both")
    given = {
        "id": id,
        "names": names,
        "kind": kind,
        # As it is often printed, in groups.
        "uscc": uscc.replace(" ", "").replace("-", "").upper() if uscc else None,
        "region": region,
        "languages": language or list(names),
        "contacts": [_contact(text) for text in contact or []],
    }
    present: dict[str, object] = {name: value for name, value in given.items() if value not in (None, [])}
    asyncio.run(_add(present, replace, new_file(credentials_file)))


@group.command(name="list")
def list_members(json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show every member."""
    import asyncio

    asyncio.run(_list(json))


@group.command()
def rotate(
    id: Member,
    password: Annotated[bool, typer.Option("--password", help="Only the password for Kafka.")] = False,
    token: Annotated[bool, typer.Option("--token", help="Only the token for the HTTP gateway.")] = False,
    credentials_file: CredentialsFile = None,
) -> None:
    """Give a member new secrets, shown once. The former token is refused at once.

    With the former password nobody logs in any more; connections that were opened with it are closed when they have to
    show it again (connections.max.reauth.ms of the broker).
    """
    import asyncio

    both = password == token
    asyncio.run(_rotate(id, password or both, token or both, new_file(credentials_file)))


@group.command()
def remove(id: Member) -> None:
    """Take a member out of the registry and shut it out. Its topics stay until what is in them has expired."""
    import asyncio

    asyncio.run(_remove(id))


def _contact(text: str) -> dict[str, str]:
    parts = [part.strip() for part in text.replace("，", ",").split(",")]
    return {name: part for name, part in zip(("name", "email", "phone"), parts, strict=False) if part}


async def _add(given: dict[str, object], replace: bool, file: Path | None) -> None:
    from pydantic import ValidationError

    from shared.contracts.organisation import OrganisationKind, OrganisationRegistered
    from shared.contracts.problems import field_problems
    from tongtu import members
    from tongtu.admission import admission
    from tongtu.output import say
    from tongtu.reading import Reader
    from tongtu.target import target
    from tongtu.writing import Writer

    if given["kind"] not in set(OrganisationKind):
        raise UsageError(f"--kind must be one of {', '.join(OrganisationKind)}")
    try:
        wanted = OrganisationRegistered.model_validate({**given, "version": 1})
    except ValidationError as error:
        # The registry's own fields have no wording in problems.py, where members' messages have theirs.
        said = [(p.pointer.lstrip("/"), p.message) for p in field_problems(error)]
        raw = [each["msg"] for each in error.errors()]
        told = [
            f"{name} {own if text == 'is not valid' else text}" for (name, text), own in zip(said, raw, strict=True)
        ]
        raise UsageError("; ".join(told)) from None
    where = target()
    async with Reader(where) as reader:
        present = await members.entry(reader, wanted.id)
    if present is not None:
        wanted = wanted.model_copy(update={"version": present.version})
        if wanted != present:
            if not replace:
                raise CommandError(f"{wanted.id} is registered already: give --replace to replace its entry")
            wanted = wanted.model_copy(update={"version": present.version + 1})
    await members.create_topics(where, [wanted.id])
    if wanted == present:
        say(f"{wanted.id} is registered already, with exactly this entry")
    else:
        async with Writer(where) as writer:
            await members.publish(writer, wanted)
        done = "registered" if wanted.version == 1 else f"replaced (version {wanted.version})"
        say(f"{wanted.id} {done}: writes member.{wanted.id}.outbox, reads member.{wanted.id}.inbox")
    async with admission(where) as door:
        secrets = await door.let_in(wanted.id)
    if secrets is None:
        say(f"its secrets are as they were; `tongtu members rotate {wanted.id}` makes new ones")
    else:
        _hand_over(secrets, where, file)


def _hand_over(secrets: Secrets, where: Target, file: Path | None) -> None:
    from tongtu.client_configuration import client_configuration

    hand_over(client_configuration(secrets, where), file)


async def _rotate(id: str, password: bool, token: bool, file: Path | None) -> None:
    from tongtu import members
    from tongtu.admission import admission
    from tongtu.reading import Reader
    from tongtu.target import target

    where = target()
    if password and not token and where.login is None:
        raise CommandError("this Kafka is not secured, so there is no password: see `tongtu up --secure`")
    async with Reader(where) as reader:
        if await members.entry(reader, id) is None:
            raise CommandError(f"{id} is not a member: `tongtu members list` shows who is")
    async with admission(where) as door:
        secrets = await door.renew(id, password, token)
    _hand_over(secrets, where, file)


async def _list(json: bool) -> None:
    from tongtu import members
    from tongtu.output import say_json, show
    from tongtu.reading import Reader
    from tongtu.target import target

    async with Reader(target()) as reader:
        found = await members.registered(reader)
    if json:
        say_json([organisation.model_dump(mode="json", exclude_none=True) for organisation in found.values()])
        return
    rows = [
        (
            each.id,
            each.names.get("zh", ""),
            each.names.get("en", ""),
            each.kind,
            each.region,
            ", ".join(each.languages),
            each.uscc,
            each.version,
        )
        for each in found.values()
    ]
    columns = ("id", "名称", "name", "kind", "region", "languages", "USCC", "version")
    show(columns, rows, ("version",), nothing="no members yet: `tongtu members add` registers one")


async def _remove(id: str) -> None:
    from tongtu import members
    from tongtu.admission import admission
    from tongtu.output import say
    from tongtu.reading import Reader
    from tongtu.target import target
    from tongtu.writing import Writer

    where = target()
    async with Reader(where) as reader:
        present = await members.entry(reader, id)
    if present is None:
        raise CommandError(f"{id} is not a member: `tongtu members list` shows who is")
    async with admission(where) as door:
        await door.shut_out(id)
    async with Writer(where) as writer:
        await members.publish_removal(writer, id, present.version + 1)
    say(f"{id} removed; its id is never used again, its topics stay until what is in them has expired")
