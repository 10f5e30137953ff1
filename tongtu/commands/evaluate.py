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
        Path,
        typer.Option(
            metavar="FILE", help="After a header line: demand id TAB technology id [TAB grade], known to fit."
        ),
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

    Needs no running platform. Only demands with a pair are scored, against all technologies. Pairs may carry a grade
    (0: known not to fit). Beside the platform's ranking stand TF-IDF, words alone and the embedder alone.
    """
    from rich.progress import Progress

    from tongtu.output import notes, say_json

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
            result = measure(
                list(_rows(demands)), rows, labelled, technology_fields=fields, run_out=run_out, beside=True
            )
    except FileNotFoundError as error:
        raise CommandError(str(error)) from error
    except ValueError as error:
        raise CommandError(f"{error}: correct the files, then try again") from error
    if json:
        say_json(result)
    else:
        _show(result)


def _show(result: dict[str, Any]) -> None:
    """One column for each way of ranking; each figure with the limits of its interval."""
    from tongtu.output import note, show

    beside: dict[str, dict[str, Any]] = result["beside"]
    columns = {"tongtu": result} | {name: found for name, found in beside.items() if "skipped" not in found}
    names = list(result["intervals"])
    cells = [
        (
            name,
            *("{:.3f} [{:.3f}, {:.3f}]".format(found[name], *found["intervals"][name]) for found in columns.values()),
        )
        for name in names
    ]
    show(("measure", *columns), cells, tuple(columns))
    for name, found in beside.items():
        if "skipped" in found:
            note(f"{name} was left out: {found['skipped']}")
    if "by_language" in result:
        rows = [(pair, *(f"{found[name]:.3f}" for name in names)) for pair, found in result["by_language"].items()]
        show(("demands on technologies", *names), rows, tuple(names))
    note(f"{result['seconds_per_query']:.4f} seconds for one demand")


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


def _pairs(path: Path) -> Iterator[tuple[str, str] | tuple[str, str, float]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}") from error
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            demand, tab, rest = line.partition("\t")
            technology, _, grade = rest.partition("\t")
            if not tab:
                raise CommandError(f"{path} line {number} is not DEMAND TAB TECHNOLOGY: correct it, then try again")
            if not grade.strip():
                yield demand.strip(), technology.strip()
                continue
            try:
                value = float(grade)
            except ValueError as error:
                raise CommandError(
                    f"{path} line {number}: {grade!r} is no grade: correct it, then try again"
                ) from error
            if not 0 <= value <= 10:
                raise CommandError(f"{path} line {number}: a grade lies between 0 and 10: correct it, then try again")
            yield demand.strip(), technology.strip(), value
