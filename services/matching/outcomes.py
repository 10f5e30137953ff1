"""What a set of changes comes to for each demand that it touches."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from services.matching.answers import Pair
from services.matching.shard import Change, Shard
from services.matching.shortlist import Entry, Shortlist, differences
from services.matching.work import Subject
from shared.contracts.events import Side

Cause = Subject | Pair
"""What brought an outcome about: the change of a record, or an answer to a pair."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """What is proposed for one version of a demand, best first."""

    demand: str
    version: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A demand's shortlist before and after."""

    demand: str
    cause: Cause
    """The change or the answer that brought it about."""
    before: Proposed | None
    entries: tuple[Entry, ...] = ()
    nearest: Entry | None = None
    """The best technology, where a search found none good enough."""
    is_closed: bool = False

    @property
    def is_changed(self) -> bool:
        """Whether the demand itself has changed."""
        return self.cause == Subject(Side.DEMAND, self.demand)

    @property
    def is_news(self) -> bool:
        """Whether what the search came to is to be told: a first search, or none became some or the other way."""
        return self.is_changed or self.before is None or bool(self.before.entries) is not bool(self.entries)

    @property
    def differences(self) -> tuple[list[Entry], list[Entry]]:
        """Entries to propose, and entries to withdraw."""
        return differences(self.before.entries if self.before else (), self.entries, self.is_changed)

    @property
    def subjects(self) -> set[Subject]:
        """The records that telling it takes."""
        entries = self.differences[0] + ([self.nearest] if self.nearest else [])
        return {Subject(Side.DEMAND, self.demand), *(Subject(Side.TECHNOLOGY, each.technology) for each in entries)}


Later = Mapping[str, frozenset[str]]
"""By technology id, the demands that are left for another poll."""
NOTHING_LATER: Later = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Rule:
    """A technology is proposed for a demand if it is among its `most` best and reaches `least` (log-odds)."""

    most: int
    least: float

    def floor(self, entries: tuple[Entry, ...]) -> float:
        """The log-odds that a newcomer to this shortlist must reach."""
        return Shortlist(entries, self.most).floor

    def newcomers(self, shard: Shard, changes: Mapping[Subject, Change]) -> dict[str, list[Entry]]:
        """By standing demand, the changed technologies that reach its floor. The shard has the changes already."""
        profiles = [shard.technologies.get(subject.id) for subject in changes if subject.side is Side.TECHNOLOGY]
        demands = {subject.id for subject in changes if subject.side is Side.DEMAND}
        return shard.entries_for([profile for profile in profiles if profile is not None], self.least, demands)

    def later(
        self,
        changes: Mapping[Subject, Change],
        found: Mapping[str, Sequence[Entry]],
        before: Mapping[str, Proposed],
        most: int,
    ) -> Later:
        """What goes beyond `most` demands for one technology: one event must not hold up all others.

        Left are the demands whose id comes last. Doing them later is safe: a shortlist that still holds an old entry
        is right for all other technologies, and says by itself that it is not up to date.
        """
        touched: dict[str, set[str]] = {subject.id: set() for subject in changes if subject.side is Side.TECHNOLOGY}
        for demand in found.keys() | before.keys():
            if Subject(Side.DEMAND, demand) not in changes:
                old = set(before[demand].entries) if demand in before else set[Entry]()
                new = set(found.get(demand, ()))
                outdated = {entry for entry in old if entry.technology in touched} - new
                for entry in (new - old) | outdated:
                    touched[entry.technology].add(demand)
        return {id: frozenset(sorted(demands)[most:]) for id, demands in touched.items() if len(demands) > most}

    def outcomes(
        self,
        shard: Shard,
        changes: Mapping[Subject, Change],
        found: Mapping[str, Sequence[Entry]],
        before: Mapping[str, Proposed],
        later: Later = NOTHING_LATER,
        reconsidered: Collection[Pair] = (),
    ) -> list[Outcome]:
        """One for each demand that changed, that a newcomer was `found` for, or that had a technology which changed.

        And for each with a `reconsidered` pair, which an answer now excludes or no longer does: it is searched again,
        so that the next best takes the place. `before`: what was proposed for all of these, if they were searched.
        """
        offered = {subject.id for subject in changes if subject.side is Side.TECHNOLOGY}
        changed = {subject.id for subject in changes if subject.side is Side.DEMAND}
        settled: list[Outcome] = []
        to_search: list[Outcome] = []
        answered = {demand: (technology, demand) for technology, demand in sorted(reconsidered)}
        for demand in sorted({*found, *before, *changed, *answered}):
            subject = Subject(Side.DEMAND, demand)
            if subject in changes:
                outcome = Outcome(demand, subject, before.get(demand), is_closed=changes[subject].work is None)
                (settled if outcome.is_closed else to_search).append(outcome)
                continue
            if demand in answered:
                to_search.append(Outcome(demand, answered[demand], before.get(demand)))
                continue
            technologies = {id for id in offered if demand not in later.get(id, ())} if later else offered
            old = before[demand].entries if demand in before else ()
            new = [entry for entry in found.get(demand, ()) if entry.technology in technologies]
            if technologies.isdisjoint(entry.technology for entry in (*new, *old)):
                continue
            cause = next(entry.technology for entry in (*new, *old) if entry.technology in technologies)
            outcome = Outcome(demand, Subject(Side.TECHNOLOGY, cause), before.get(demand))
            if demand not in shard.demands:
                # It waits to be encoded anew and cannot be searched; what has changed or is gone holds no longer.
                kept = (each for each in old if each.technology not in technologies or shard.knows(each))
                settled.append(replace(outcome, entries=tuple(kept)))
                continue
            shortlist = Shortlist(old, self.most).updated(technologies, new)
            # An empty one is searched for its nearest miss.
            if shortlist is None or not shortlist.entries:
                to_search.append(outcome)
            else:
                settled.append(replace(outcome, entries=shortlist.entries))
        return settled + self._searched(shard, to_search)

    def _searched(self, shard: Shard, outcomes: Sequence[Outcome]) -> list[Outcome]:
        profiles = [shard.demands.get(outcome.demand) for outcome in outcomes]
        best = shard.best_for([profile for profile in profiles if profile is not None], self.most, self.least)
        found = [tuple(entry for entry in entries if entry.logit >= self.least) for entries in best]
        return [
            replace(outcome, entries=good, nearest=entries[0] if entries and not good else None)
            for outcome, entries, good in zip(outcomes, best, found, strict=True)
        ]
