"""What must have come, and what must not: the catalogue's own words, compared with the inboxes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import catalogue
from shared.contracts.inbox import Rejection
from shared.contracts.introduction import MutualInterest
from shared.contracts.match import Side
from tongtu.demonstration.observed import Observed
from tongtu.demonstration.scenario import Sent

_PROBLEM = "urn:tongtu:problem:"
Signature = tuple[str, str, tuple[tuple[str, str], ...]]
"""A rejection as the catalogue knows it: member, problem, and each field with its rule."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Sentences: what has not come yet, and what should not be. `counts` says what was compared: name -> (ok, all).

    `remarks` are weak places in the ranking. They are shown and fail nothing: a record in the reader's own language
    can stand before a better one in another, which the matching of this version does not rule out.
    """

    missing: Sequence[str]
    wrong: Sequence[str]
    remarks: Sequence[str]
    counts: dict[str, tuple[int, int]]

    @property
    def is_as_expected(self) -> bool:
        """Whether nothing is missing and nothing wrong."""
        return not self.missing and not self.wrong


class Expectations:
    """For the messages that were sent."""

    def __init__(self, submitted: Sequence[Sent]) -> None:
        self._submitted = submitted
        self._rejections = Counter(_expected_signature(message) for message in catalogue.malformed())
        self._kinds: dict[Signature, list[str]] = {}
        for message in catalogue.malformed():
            self._kinds.setdefault(_expected_signature(message), []).append(message.kind)

    def compare(self, observed: Observed) -> Comparison:
        """What is missing and what is wrong as things stand."""
        missing: list[str] = []
        wrong: list[str] = []
        remarks: list[str] = []
        counts = {
            "records registered": self._receipts(observed, missing),
            "malformed messages rejected, each with the fields that are wrong": self._rejected(observed, missing),
            "expected matches proposed to both parties, with their risk": _matches(observed, missing),
            "demands without a match told so": _without(observed, missing, wrong),
            "near misses ranked behind or not proposed": _near_misses(observed, remarks),
        }
        self._unexpected_rejections(observed, wrong)
        return Comparison(missing, wrong, remarks, counts)

    def _receipts(self, observed: Observed, missing: list[str]) -> tuple[int, int]:
        without = [each for each in self._submitted if (each.member, each.event_id) not in observed.receipts]
        missing += [f"no receipt for {each.key.decode()}" for each in without]
        return len(self._submitted) - len(without), len(self._submitted)

    def _rejected(self, observed: Observed, missing: list[str]) -> tuple[int, int]:
        found = Counter(_signature(member, rejection) for member, rejection in observed.rejections)
        lacking = self._rejections - found
        for signature in lacking.elements():
            wanted = ", ".join(f"{pointer or '(all)'} {code}" for pointer, code in signature[2])
            kinds = "” or “".join(self._kinds[signature])
            missing.append(f"no rejection of “{kinds}”: {signature[1]} with {wanted}")
        total = self._rejections.total()
        return total - lacking.total(), total

    def _unexpected_rejections(self, observed: Observed, wrong: list[str]) -> None:
        for member, rejection in observed.rejections:
            if _signature(member, rejection) not in self._rejections:
                errors = ", ".join(f"{error.pointer} {error.message}" for error in rejection.errors)
                wrong.append(f"{member} was told: {rejection.title} ({errors}), which the catalogue does not expect")


def with_introduction(comparison: Comparison, told: Mapping[Side, MutualInterest]) -> Comparison:
    """The comparison, and whether both parties to the match that they accepted were told of each other."""
    missing = [f"the {side} side accepted and was not told who the other one is" for side in Side if side not in told]
    named = sum(bool(message.organisation.contacts) for message in told.values())
    counts = {**comparison.counts, "parties to an accepted match told who the other is, with its contacts": (named, 2)}
    nameless = [f"the {side} side was told no contact" for side, each in told.items() if not each.organisation.contacts]
    return replace(
        comparison, missing=[*comparison.missing, *missing], wrong=[*comparison.wrong, *nameless], counts=counts
    )


def _matches(observed: Observed, missing: list[str]) -> tuple[int, int]:
    there = {(pair.demand_id, pair.technology_id) for pair in observed.pairs}
    wanted = [(each.demand_id, technology) for each in catalogue.expected() for technology in each.technologies]
    missing += [f"{technology} is not proposed for {demand}" for demand, technology in sorted({*wanted} - there)]
    return len(there.intersection(wanted)), len(wanted)


def _without(observed: Observed, missing: list[str], wrong: list[str]) -> tuple[int, int]:
    demands = [each.demand_id for each in catalogue.expected() if not each.technologies]
    proposed = {pair.demand_id: pair.technology_id for pair in observed.pairs}
    told = [demand for demand in demands if demand in observed.no_matches]
    missing += [f"nobody was told that {demand} has no good match" for demand in demands if demand not in told]
    solved = [demand for demand in demands if demand in proposed]
    wrong += [f"{proposed[demand]} is proposed for {demand}, which nothing solves" for demand in solved]
    return len({*told}.difference(solved)), len(demands)


def _near_misses(observed: Observed, remarks: list[str]) -> tuple[int, int]:
    scores = {(pair.demand_id, pair.technology_id): pair.proposal.score for pair in observed.pairs}
    good = total = 0
    for each in catalogue.expected():
        solving = [scores[each.demand_id, t] for t in each.technologies if (each.demand_id, t) in scores]
        for near in each.near_misses:
            total += 1
            score = scores.get((each.demand_id, near))
            if score is not None and solving and score >= min(solving):
                remarks.append(f"{near} stands before what solves {each.demand_id}")
            elif solving:
                good += 1
    return good, total


def _expected_signature(message: catalogue.MalformedMessage) -> Signature:
    return message.member, message.problem, _sorted((error.pointer, error.code) for error in message.errors)


def _signature(member: str, rejection: Rejection) -> Signature:
    problem = rejection.problem.removeprefix(_PROBLEM)
    return member, problem, _sorted((error.pointer, error.code) for error in rejection.errors)


def _sorted(errors: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(errors))
