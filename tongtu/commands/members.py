"""members add, list and remove."""

from __future__ import annotations

from typing import Annotated

import typer

from tongtu.errors import CommandError, UsageError

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
) -> None:
    """Register a member: creates its two topics and tells every service who it is."""
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
    asyncio.run(_add({name: value for name, value in given.items() if value not in (None, [])}, replace))


@group.command(name="list")
def list_members(json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False) -> None:
    """Show every member."""
    import asyncio

    asyncio.run(_list(json))


@group.command()
def remove(id: Member) -> None:
    """Take a member out of the registry. Its topics stay until what is in them has expired."""
    import asyncio

    asyncio.run(_remove(id))


def _contact(text: str) -> dict[str, str]:
    parts = [part.strip() for part in text.replace("，", ",").split(",")]
    return {name: part for name, part in zip(("name", "email", "phone"), parts, strict=False) if part}


async def _add(given: dict[str, object], replace: bool) -> None:
    from pydantic import ValidationError

    from shared.contracts.organisation import OrganisationKind, OrganisationRegistered
    from shared.contracts.problems import field_problems
    from tongtu import members
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
        if wanted == present:
            await members.create_topics(where, [wanted.id])
            say(f"{wanted.id} is registered already, with exactly this entry")
            return
        if not replace:
            raise CommandError(f"{wanted.id} is registered already: give --replace to replace its entry")
        wanted = wanted.model_copy(update={"version": present.version + 1})
    await members.create_topics(where, [wanted.id])
    async with Writer(where) as writer:
        await members.publish(writer, wanted)
    done = "registered" if wanted.version == 1 else f"replaced (version {wanted.version})"
    say(f"{wanted.id} {done}: writes member.{wanted.id}.outbox, reads member.{wanted.id}.inbox")


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
    from tongtu.output import say
    from tongtu.reading import Reader
    from tongtu.target import target
    from tongtu.writing import Writer

    where = target()
    async with Reader(where) as reader:
        present = await members.entry(reader, id)
    if present is None:
        raise CommandError(f"{id} is not a member: `tongtu members list` shows who is")
    async with Writer(where) as writer:
        await members.publish_removal(writer, id, present.version + 1)
    say(f"{id} removed; its id is never used again, its topics stay until what is in them has expired")
