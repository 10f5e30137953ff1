"""One shard in memory: every live technology, the demands that belong to it, the versions of both, the answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.matching.answers import Answer, Answers
from services.matching.index import ProfileIndex
from services.matching.profile import Profile, demand_profile, technology_profile
from services.matching.shortlist import Entry
from services.matching.statistics import Model
from services.matching.versions import Versions
from services.matching.work import Subject, WorkRecord
from shared.contracts.events import Side


@dataclass(frozen=True, slots=True)
class Change:
    """A new version of a record, or (without `work`) its withdrawal."""

    subject: Subject
    version: int
    work: WorkRecord | None
    is_waiting: bool = False
    """Whether the state holds it, but in a form that cannot be ranked: it waits to be encoded anew."""


def profile_of(work: WorkRecord, model: Model) -> Profile:
    """The record as the ranking sees it."""
    make = demand_profile if work.technology is None else technology_profile
    return make(work.party, work.counted_terms, work.numbers, model, work.order, work.english)


class Shard:
    """Derived from the state in MongoDB, and known to be in step with it by the number of its last change.

    Changes are made at once and confirmed after the commit; what was not confirmed is taken back before the next.
    """

    def __init__(self, model: Model) -> None:
        self.number = 0
        """Changes of the state that this reflects."""
        self.technologies = ProfileIndex(Side.TECHNOLOGY, model)
        self.demands = ProfileIndex(Side.DEMAND, model)
        self.versions = Versions()
        """The latest version of every record, withdrawn ones too."""
        self.answers = Answers()
        self._model = model
        self._answers_before: list[tuple[Answer, Answer | None]] = []
        self._before: list[tuple[Subject, int | None, Profile | None, float]] = []

    def load(self, change: Change) -> None:
        """Takes over a record of the state."""
        self.versions[change.subject] = change.version
        if change.work is None:
            self._index(change.subject.side).remove(change.subject.id)
        else:
            self._index(change.subject.side).put(profile_of(change.work, self._model))

    def arrays(self) -> dict[str, Any]:
        """The records with their floors, fit for `restore`; only while nothing is unconfirmed."""
        if self._before:
            raise RuntimeError("the shard has changes that are not confirmed")
        return {
            side.value: {
                "index": self._index(side).arrays(),
                "gone": [pair for pair in self.versions.of(side).items() if pair[0] not in self._index(side)],
            }
            for side in Side
        }

    def restore(self, number: int, arrays: Mapping[str, Any]) -> None:
        """Takes over what `arrays` gave after change `number`, into an empty shard."""
        for side in Side:
            index = self._index(side)
            index.restore(arrays[side.value]["index"])
            self.versions.update(side, index.versions())
            self.versions.update(side, dict(arrays[side.value]["gone"]))
        self.number = number

    def load_answer(self, answer: Answer) -> None:
        """Takes over an answer of the state."""
        self.answers.put(answer)

    def profile(self, subject: Subject) -> Profile:
        """The profile of a live record; KeyError where there is none."""
        profile = self._index(subject.side).get(subject.id)
        if profile is None:
            raise KeyError(str(subject))
        return profile

    def newer(self, changes: Iterable[Change]) -> dict[Subject, Change]:
        """The last of the changes to each record that says something new."""
        latest: dict[Subject, Change] = {}
        for change in changes:
            known = latest[change.subject].version if change.subject in latest else self.versions.get(change.subject, 0)
            if change.version > known:
                latest[change.subject] = change
        return latest

    def knows(self, entry: Entry) -> bool:
        """Whether an entry names the latest version of its technology."""
        return self.versions.get(Subject(Side.TECHNOLOGY, entry.technology)) == entry.version

    def apply(self, changes: Iterable[Change]) -> None:
        """Makes changes that are newer than what is known; to be confirmed, or taken back."""
        for change in changes:
            index = self._index(change.subject.side)
            profile = index.get(change.subject.id)
            floor = index.floor(change.subject.id) if profile is not None else float("-inf")
            self._before.append((change.subject, self.versions.get(change.subject), profile, floor))
            self.versions[change.subject] = change.version
            if change.work is None:
                index.remove(change.subject.id)
            else:
                index.put(profile_of(change.work, self._model))

    def hear(self, answers: Iterable[Answer]) -> list[Answer]:
        """Takes newer answers, after the changes of records; to be confirmed, or taken back.

        Returns those by which a pair of live records is excluded that was not, or the other way.
        """
        telling: list[Answer] = []
        for answer in answers:
            was = self._is_excluded(answer)
            self._answers_before.append((answer, self.answers.put(answer)))
            if answer.demand in self.demands and self._is_excluded(answer) is not was:
                telling.append(answer)
        return telling

    def _is_excluded(self, answer: Answer) -> bool:
        technology = self.versions.get(Subject(Side.TECHNOLOGY, answer.technology), 0)
        demand = self.versions.get(Subject(Side.DEMAND, answer.demand), 0)
        return self.answers.excludes(answer.technology, technology, answer.demand, demand)

    def confirm(self, number: int, floors: Mapping[str, float]) -> None:
        """The changes stand in MongoDB; `floors` by demand id (one that waits to be encoded anew has none)."""
        self._before.clear()
        self._answers_before.clear()
        self.number = number
        for demand, floor in floors.items():
            if demand in self.demands:
                self.demands.set_floor(demand, floor)

    def take_back(self) -> None:
        """Restores what was before changes that have not been confirmed."""
        while self._answers_before:
            self.answers.restore(*self._answers_before.pop())
        while self._before:
            subject, version, profile, floor = self._before.pop()
            index = self._index(subject.side)
            if version is None:
                del self.versions[subject]
            else:
                self.versions[subject] = version
            if profile is None:
                index.remove(subject.id)
            else:
                index.put(profile)
                index.set_floor(subject.id, floor)

    def entries_for(
        self, technologies: Sequence[Profile], threshold: float, without: Iterable[str]
    ) -> dict[str, list[Entry]]:
        """By demand id, the technologies that reach its floor and the threshold (log-odds) and were not declined.

        `without`: demand ids.
        """
        found: dict[str, list[Entry]] = {}
        for demand, technology, logit in self.demands.hits(technologies, threshold, frozenset(without)):
            if self.answers.excludes(technology.id, technology.version, demand.id, demand.version):
                continue
            found.setdefault(demand.id, []).append(Entry(technology.id, technology.version, logit))
        return found

    def best_for(self, demands: Sequence[Profile], count: int, least: float = -math.inf) -> list[list[Entry]]:
        """For each demand its `count` best technologies that were not declined; of those below `least` (log-odds) only
        the best, where no other reaches it."""
        declined = self.answers.most_excluded(demand.id for demand in demands)
        best = self.technologies.best(demands, count + declined, least=least, below=1 + declined)
        return [
            [
                Entry(technology.id, technology.version, logit)
                for technology, logit in found
                if not self.answers.excludes(technology.id, technology.version, demand.id, demand.version)
            ][:count]
            for demand, found in zip(demands, best, strict=True)
        ]

    def _index(self, side: Side) -> ProfileIndex:
        return self.technologies if side is Side.TECHNOLOGY else self.demands
