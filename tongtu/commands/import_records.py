"""import: a file of records into a member's outbox."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tongtu.errors import UsageError

if TYPE_CHECKING:
    from shared.contracts.base import Draft
    from tongtu.importing.field_mapping import FieldMapping
    from tongtu.importing.source_file import SourceFile
    from tongtu.importing.submission import Result


class Kind(StrEnum):
    """What the records of a file are."""

    TECHNOLOGY = "technology"
    DEMAND = "demand"


def import_records(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="JSON lines or CSV in UTF-8, also gzipped.")],
    kind: Annotated[Kind, typer.Option("--as", help="What the records are.")],
    member: Annotated[str, typer.Option(metavar="ID", help="Whose they are.")],
    map: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="TO=FROM",
            help="The record's field TO is the file's field FROM, as in description=text or trl.level=maturity; "
            "TO==TEXT gives every record that text.",
        ),
    ] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for the answers in the inbox.")] = False,
) -> None:
    """Bring a file of records into a member's outbox, and tell what became of every line.

    Fields that a record of that kind does not have are left out and named at the end. In CSV, lists are separated by
    semicolons. Importing a file again changes nothing: a record gets a new version only where its content is new.
    Exit code 0 if every line was taken, else 1.
    """
    import asyncio

    from shared.contracts.demand import DemandDraft
    from shared.contracts.technology import TechnologyDraft
    from tongtu.importing.field_mapping import FieldMapping, MappingError
    from tongtu.importing.source_file import SourceFile

    model = TechnologyDraft if kind is Kind.TECHNOLOGY else DemandDraft
    source = SourceFile(file)
    try:
        try:
            mapping = FieldMapping(model, map or [], from_text=source.is_csv)
        except MappingError as error:
            raise UsageError(f"--map {error}") from None
        result = asyncio.run(_run(source, model, member, mapping, not no_wait))
    finally:
        source.close()
    _report(result, mapping, not no_wait)
    if not result.is_complete and not (no_wait and not result.unreadable):
        raise typer.Exit(1)


async def _run(source: SourceFile, model: type[Draft], member: str, mapping: FieldMapping, wait: bool) -> Result:
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from tongtu.importing.submission import Submission
    from tongtu.output import notes
    from tongtu.target import target

    submission = Submission(target(), member, model, mapping)
    result = submission.result
    columns = (
        TextColumn("{task.description:<8}"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lines]:>9,} lines"),
        TimeElapsedColumn(),
    )
    progress = Progress(*columns, console=notes())
    sending = progress.add_task("sent", total=max(1, source.size), lines=0)
    answers = progress.add_task("answered", total=None, lines=0) if wait else None

    def progressed() -> None:
        progress.start()
        progress.update(sending, completed=source.size if result.is_sent else source.read, lines=result.sent)
        if answers is not None:
            total = result.sent if result.is_sent else None
            progress.update(answers, completed=result.answered, total=total, lines=result.answered)

    try:
        return await submission.run(source.lines(), wait, progressed)
    finally:
        progress.stop()


def _report(result: Result, mapping: FieldMapping, waited: bool) -> None:
    from tongtu.output import note, runs, say

    grouped: dict[str, list[int]] = {}
    for line, problem in result.unreadable:
        grouped.setdefault(problem, []).append(line)
    for problem, lines in grouped.items():
        say(f"not sent   {_lines(lines)} {runs(lines)}: {problem}")
    for problems, lines in sorted(result.rejected.items(), key=lambda item: item[1][0]):
        told = "; ".join(f"{pointer} {message}".strip() for pointer, message in problems)
        say(f"rejected   {_lines(lines)} {runs(lines)}: {told}")
    for (pointer, message), count in result.warnings.most_common(20):
        say(f"warning    {count} records: {pointer} {message}")
    if mapping.left_out:
        names = ", ".join(mapping.left_out)
        note(f"left out, because a record has no such field: {names} (--map TO=FROM takes one over)")
    for name in mapping.missing:
        note(f"--map: no line has {name}")
    counts = [f"{result.sent:,} sent"]
    counts += [f"{count:,} {outcome}" for outcome, count in sorted(result.outcomes.items())]
    counts += [f"{result.rejections:,} rejected"] if waited else []
    counts += [f"{len(result.unreadable):,} not sent"] if result.unreadable else []
    say(", ".join(counts))
    waiting = sum(map(len, result.waiting.values()))
    if waited and waiting:
        say(f"{waiting:,} without an answer yet: is intake running? see `tongtu status`", "red")


def _lines(lines: list[int]) -> str:
    return "line " if len(lines) == 1 else "lines"
