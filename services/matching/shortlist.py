"""The rule of what is proposed: a technology is, if and only if it is among the demand's best above the threshold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One version of a technology on a demand's shortlist, with the log-odds of the pair."""

    technology: str
    version: int
    logit: float

    @property
    def rank(self) -> tuple[float, str]:
        """Sorts best first; equal ones by id, so that the order of arrival never matters."""
        return -self.logit, self.technology


@dataclass(frozen=True, slots=True)
class Shortlist:
    """A demand's best technologies above the threshold, best first, at most `size`."""

    entries: tuple[Entry, ...]
    size: int

    @property
    def floor(self) -> float:
        """The log-odds that a newcomer must reach; minus infinity while there is room."""
        return self.entries[-1].logit if len(self.entries) >= self.size else float("-inf")

    def updated(self, changed: Collection[str], found: Iterable[Entry]) -> Shortlist | None:
        """The list after some technologies changed or went; None where only a new search can tell.

        `changed`: ids whose old entry no longer counts. `found`: their new entries that reach threshold and floor.
        A list with room holds everything above the threshold, and a full one everything better than its last entry:
        whatever of the merged list is at least as good as that needs no search.
        """
        kept = [entry for entry in self.entries if entry.technology not in changed]
        merged = sorted([*kept, *found], key=lambda entry: entry.rank)
        if len(kept) == len(self.entries) or len(self.entries) < self.size:
            return Shortlist(tuple(merged[: self.size]), self.size)
        last = self.entries[-1].rank
        certain = [entry for entry in merged if entry.rank <= last]
        return Shortlist(tuple(certain[: self.size]), self.size) if len(certain) >= self.size else None


def differences(
    old: Sequence[Entry], new: Sequence[Entry], everything_changed: bool
) -> tuple[list[Entry], list[Entry]]:
    """(entries to propose, entries to withdraw). What still holds is proposed again only where its content changed:
    the technology's version, or, with `everything_changed`, the demand's."""
    before = {entry.technology: entry for entry in old}
    after = {entry.technology for entry in new}
    proposed = [
        entry
        for entry in new
        if everything_changed or entry.technology not in before or before[entry.technology].version != entry.version
    ]
    return proposed, [entry for entry in old if entry.technology not in after]
