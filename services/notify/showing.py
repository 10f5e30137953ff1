"""In which order a reader is shown its proposals: by score, moved within bounds, so that the popular crowd out nobody.

It decides what is shown first and never what exists. Ranking by score alone sends all seekers to a few owners, who
cannot answer them, and none to small organisations that have as good an answer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from services.notify.match_state import MatchState
from shared.contracts.events import MatchProposed, Side

MOST_PRIORITY = 0.05
"""Most that strategic priority may add; a proposal says how much it is (component `priority`)."""
FREE = 3
"""Other demands that a technology is proposed for before it is shown later."""
STEP = 0.02
"""What each further one takes off."""
MOST_STEPS = 0.1
"""Most that they take off: a clearly better answer still comes first."""
CAP = 20
"""Other demands from which on a technology has as many as its owner can answer (bench.exposure measures all this)."""
CAPPED = 0.3
"""What is taken off then: it comes after all that are not far worse, and first where there is nothing else."""
FLOOR = 3
"""Demands that a technology of a small organisation is raised for."""
RAISED = 0.05
"""What it is raised by."""


class Exposure:
    """For how many demands each technology is proposed now, as far as this poll knows.

    Another poll may count at the same time: then both see a little less than there is, and what is shown first moves
    by a step. Nothing else depends on it.
    """

    def __init__(self, counts: Mapping[str, int], small: Iterable[str]) -> None:
        """`counts` by technology id; `small`: members that are registered as micro or small enterprises."""
        self._counts = Counter(counts)
        self._small = frozenset(small)

    def note(self, before: MatchState, after: MatchState) -> None:
        """Counts a match in or out."""
        for state, step in ((before, -1), (after, 1)):
            if state.holds and state.parties is not None:
                self._counts[state.parties[Side.TECHNOLOGY].record_id] += step

    def order(self, proposal: MatchProposed, side: Side, known: MatchState) -> float:
        """What the reader on that side sorts by, highest first; `known`: the match before this proposal.

        An owner of a technology reads of demands, which nobody crowds out: at most ten technologies are proposed to
        each. So only the seeker's order knows exposure.
        """
        order = proposal.score + min(max(proposal.components.get("priority", 0.0), 0.0), MOST_PRIORITY)
        if side is Side.DEMAND:
            technology = proposal.technology
            others = self._counts[technology.id] - (1 if known.holds else 0)
            order += standing(others, technology.owner in self._small)
        return round(order, 4)


def standing(others: int, is_small: bool) -> float:
    """What is added for a technology that is proposed for so many other demands, -0.3 to 0.05."""
    if is_small and others < FLOOR:
        return RAISED
    if others >= CAP:
        return -CAPPED
    return -min(MOST_STEPS, STEP * max(0, others - FREE))
