"""evaluate: the production ranking over labelled records."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tongtu.errors import CommandError, UsageError

if TYPE_CHECKING:
    from rich.progress import Progress

_FIELDS = ("title", "text", "keywords")


def evaluate(
    demands: Annotated[Path, typer.Option(metavar="FILE", help="JSON lines (.gz too): id, title, text.")],
    technologies: Annotated[Path, typer.Option(metavar="FILE", help="The same.")],
    pairs: Annotated[
        Path, typer.Option(metavar="FILE", help="After a header line: demand id TAB technology id, known to fit.")
    ],
    technology_fields: Annotated[
        str, typer.Option(metavar="NAMES", help="What of a technology may be looked at: of title, text and keywords.")
    ] = "title,text",
    run_out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write demand id TAB technology id TAB score, the best 200 of each."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Measure the ranking that the platform uses against pairs that are known to fit.

    Needs no running platform. Only demands with a pair are scored, against all technologies.
    """
    from rich.progress import Progress

    from tongtu.output import notes, say_json, show

    fields = [name.strip() for name in technology_fields.split(",") if name.strip()]
    if not fields or not set(fields) <= set(_FIELDS):
        raise UsageError(f"--technology-fields is a list of {', '.join(_FIELDS)}, separated by commas")
    try:
        from services.matching.evaluation import evaluate as measure
    except ImportError as error:
        raise CommandError(f"the ranking needs the package {error.name}: pip install 'tongtu[matching]'") from error
    labelled = list(_pairs(pairs))
    try:
        with Progress(console=notes(), transient=True) as progress:
            rows = _rows(technologies, progress)
            result = measure(list(_rows(demands)), rows, labelled, technology_fields=fields, run_out=run_out)
    except ValueError as error:
        raise CommandError(f"{error}: correct the files, then try again") from error
    if json:
        say_json(result)
    else:
        show(("measure", "value"), [(name, f"{value:.4f}") for name, value in result.items()], ("value",))


def _rows(path: Path, progress: Progress | None = None) -> Iterator[dict[str, Any]]:
    """The records of a file. Raises CommandError for a line that is none: half a measurement is none."""
    from tongtu.importing.source_file import SourceFile

    source = SourceFile(path)
    task = progress.add_task(path.name, total=source.size) if progress is not None else None
    try:
        for line in source.lines():
            if line.fields is None:
                raise CommandError(f"{path} line {line.number} {line.problem}: correct it, then try again")
            yield line.fields
            if progress is not None and task is not None and line.number % 50 == 0:
                progress.update(task, completed=source.read)
    finally:
        source.close()


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from error
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            demand, tab, technology = line.partition("\t")
            if not tab:
                raise CommandError(f"{path} line {number} is not DEMAND TAB TECHNOLOGY: correct it, then try again")
            yield demand.strip(), technology.strip()
