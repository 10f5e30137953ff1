"""Projects in a JSON file, read as the proposals that the risk model assesses, so that no platform has to run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import orjson
from pydantic import BaseModel, ValidationError

from services.matching.parties import demand_party, technology_party
from shared.contracts.base import escaped
from shared.contracts.demand import DemandDraft
from shared.contracts.inbox import FieldProblem
from shared.contracts.match import MatchProposed
from shared.contracts.problems import UNKNOWN_FIELD, field_problems, unknown_field_warnings
from shared.contracts.technology import TechnologyDraft
from tongtu.errors import CommandError

M = TypeVar("M", bound=BaseModel)

_OWNER = "project"
"""The owner of a record whose id does not name one."""
_FIELDS = frozenset({"name", "technology", "demand", "plan"})
_LONGEST_NAME = 256


class WrongFields(CommandError):
    """A file has wrong fields; `problems` names every one of them with its pointer into the file."""

    def __init__(self, path: Path, problems: tuple[FieldProblem, ...]) -> None:
        what = "one field is" if len(problems) == 1 else f"{len(problems)} fields are"
        super().__init__(f"{path}: {what} wrong: correct the file, then try again")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Project:
    """One project of a file; `warnings` are fields of it that nothing reads."""

    name: str
    proposal: MatchProposed
    warnings: tuple[FieldProblem, ...] = ()


def read_projects(*paths: Path) -> list[Project]:
    """The projects of the files; each holds one, an array of them, or what `tongtu matches --json` printed.

    A project is `{"technology": {...}, "demand": {...}}`, each with the fields of its draft in the contract, or
    `{"plan": {...}}` alone; `name` is how it is called. Only what the assessment reads has to be there. Raises
    CommandError if a file cannot be read, and WrongFields with every wrong field of it at once.
    """
    projects: list[Project] = []
    for path in paths:
        problems: list[FieldProblem] = []
        before = len(projects)
        for pointer, entry in _entries(_written(path)):
            project = _read(entry, pointer, len(projects) + len(problems) + 1, problems)
            if project is not None:
                projects.append(project)
        if problems:
            raise WrongFields(path, tuple(problems))
        if len(projects) == before:
            raise CommandError(f"{path} holds no project: write one, or an array of them")
    return projects


def _written(path: Path) -> Any:
    try:
        return orjson.loads(path.read_bytes())
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise CommandError(f"{path} is not JSON ({error}): correct it, then try again") from error


def _entries(written: Any) -> Iterator[tuple[str, Any]]:
    """Pointer and content of each project."""
    if isinstance(written, dict) and isinstance(matches := cast(dict[str, Any], written).get("matches"), list):
        yield from ((f"/matches/{index}", entry) for index, entry in enumerate(cast(list[Any], matches)))
    elif isinstance(written, list):
        yield from ((f"/{index}", entry) for index, entry in enumerate(cast(list[Any], written)))
    else:
        yield "", written


def _read(entry: Any, pointer: str, number: int, problems: list[FieldProblem]) -> Project | None:
    """None after adding to `problems` what is wrong."""
    if not isinstance(entry, dict):
        problems.append(_problem(pointer, "must be an object"))
        return None
    written = cast(dict[str, Any], entry)
    if "match_id" in written:
        proposal = _validated(MatchProposed, written, pointer, problems)
        return Project(_title(proposal), proposal) if proposal else None
    return _draft(written, pointer, number, problems)


def _draft(written: Mapping[str, Any], pointer: str, number: int, problems: list[FieldProblem]) -> Project | None:
    found = len(problems)
    name = written.get("name", f"project {number}")
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        problems.append(_problem(f"{pointer}/name", f"must be a text of 1 to {_LONGEST_NAME} characters"))
        name = f"project {number}"
    if ("plan" in written) is ("technology" in written):
        problems.append(_problem(f"{pointer}/technology", "must be given, or plan instead, and not both"))
    is_plan = "technology" not in written
    place = pointer if is_plan else f"{pointer}/technology"
    given = {key: written[key] for key in ("plan",) if key in written} if is_plan else written["technology"]
    # What a record of the platform must have and an assessment does not read is filled in.
    filled = {"id": f"technology-{number}", "title": name, "summary": name}
    technology = _validated(TechnologyDraft, _filled(given, filled), place, problems)
    filled = {"id": f"demand-{number}", "title": name, "problem": name}
    demand = _validated(DemandDraft, _filled(written.get("demand", {}), filled), f"{pointer}/demand", problems)
    if technology is None or demand is None or len(problems) > found:
        return None
    warnings = [_problem(f"{pointer}/{escaped(key)}", UNKNOWN_FIELD.en) for key in written if key not in _FIELDS]
    for at, draft in ((place, technology), (f"{pointer}/demand", demand)):
        warnings += [_moved(each, at) for each in unknown_field_warnings(draft)]
    title = name if "name" in written else technology.title
    return Project(title, _proposal(technology, demand, f"project-{number}"), tuple(warnings))


def _filled(given: Any, text: Mapping[str, str]) -> Any:
    return {**text, **cast(dict[str, Any], given)} if isinstance(given, dict) else given


def _validated(model: type[M], written: Any, pointer: str, problems: list[FieldProblem]) -> M | None:
    try:
        # As JSON, because the contracts are strict about what JSON can say.
        return model.model_validate_json(orjson.dumps(written))
    except ValidationError as error:
        problems += [_moved(each, pointer) for each in field_problems(error)]
        return None


def _moved(problem: FieldProblem, pointer: str) -> FieldProblem:
    return problem.model_copy(update={"pointer": pointer + problem.pointer})


def _problem(pointer: str, message: str) -> FieldProblem:
    return FieldProblem(pointer=pointer, code="project", message=message)


def _title(proposal: MatchProposed) -> str:
    return f"{proposal.technology.display.title} → {proposal.demand.display.title}"


def language_of(text: str) -> str:
    """zh where the text has a Chinese character, else en."""
    return "zh" if any("\u4e00" <= character <= "\u9fff" for character in text) else "en"


def _proposal(technology: TechnologyDraft, demand: DemandDraft, match_id: str) -> MatchProposed:
    return MatchProposed(
        match_id=match_id,
        technology=technology_party(
            technology.canonical(_owner(technology.id), technology.version or 1, language_of(technology.title))
        ),
        demand=demand_party(demand.canonical(_owner(demand.id), demand.version or 1, language_of(demand.title))),
        score=1.0,
        method="file",
    )


def _owner(id: str) -> str:
    owner, slash, _ = id.partition("/")
    return owner if slash else _OWNER
