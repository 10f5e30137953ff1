"""Whether a technology reaches the figures that a demand names, as far as its own words give them with their units.

A verdict needs a clause that names what the target names, gives exactly the conditions that the target's name gives,
and a figure in a comparable unit that lies wholly on one side of the bound. Whatever is less than that is unknown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from services.matching import wording
from services.matching.figures import Clause, Interval, numbers_of, terms_of
from services.matching.units import unit
from shared.contracts.events import Check, Comparator, Target, Verdict

_SAME_NAME = 2 / 3
"""Share of the terms of a target's name that a clause must hold."""
_STRICTLY = 1e-6
"""Share of a bound by which it must be passed where reaching it is not enough; well above what conversion rounds."""
_LONGEST = 240
"""Characters of a quotation."""


def target_checks(targets: Sequence[Target], clauses: Sequence[Clause]) -> Iterator[Check]:
    """One check for each target; `clauses`: of what is shown of the technology."""
    for number, target in enumerate(targets, 1):
        asked = " ".join(
            part for part in (target.name, wording.SYMBOLS[target.comparator], str(target.value), target.unit) if part
        )
        verdict, clause = held_against(target, clauses)
        quoted = None if clause is None else clause.text[:_LONGEST]
        yield Check(
            criterion=f"target.{number}",
            asked=asked[:500],
            offered=quoted,
            verdict=verdict,
            wording=wording.target(asked[:_LONGEST], quoted, verdict),
        )


def held_against(target: Target, clauses: Sequence[Clause]) -> tuple[Verdict, Clause | None]:
    """The verdict, and the clause that it rests on or, without one, that comes nearest."""
    wanted = _wanted(target)
    name = terms_of(target.name)
    if wanted is None or not name:
        return Verdict.UNKNOWN, None
    kind = unit(target.unit or "").kind
    conditions = numbers_of(target.name)
    near: Clause | None = None
    found: list[tuple[Verdict, Clause]] = []
    for clause in clauses:
        comparable = [figure.interval for figure in clause.figures if figure.kind == kind]
        if not comparable or len(name & clause.terms) < _SAME_NAME * len(name):
            continue
        near = near or clause
        # Several figures of one kind in a clause: nobody can tell which of them is meant.
        if len(comparable) == 1 and conditions <= clause.numbers:
            found.append((_verdict(comparable[0], wanted), clause))
    verdicts = {verdict for verdict, _ in found}
    return found[0] if len(verdicts) == 1 else (Verdict.UNKNOWN, near)


def _wanted(target: Target) -> Interval | None:
    if isinstance(target.value, str):
        return None
    value = float(target.value) * unit(target.unit or "").scale
    beyond = max(abs(value), 1e-12) * _STRICTLY
    match target.comparator:
        case Comparator.AT_LEAST:
            return Interval(value, inf)
        case Comparator.MORE_THAN:
            return Interval(value + beyond, inf)
        case Comparator.AT_MOST:
            return Interval(-inf, value)
        case Comparator.LESS_THAN:
            return Interval(-inf, value - beyond)
        case _:
            return None


def _verdict(given: Interval, wanted: Interval) -> Verdict:
    if given.within(wanted):
        return Verdict.MET
    return Verdict.UNMET if given.outside(wanted) else Verdict.UNKNOWN
