"""What the parties to a match answered, and which pairs are not proposed again because one of them declined."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import Field, RootModel

from services.matching.work import WorkRecord
from shared.contracts.base import EventData
from shared.contracts.events import Decision, MatchAnswered, Side
from shared.contracts.formats import RecordId

ANSWER = "answer"
"""What the key of an answer begins with on `matching.work`; those of records begin with their side."""


class WorkAnswer(EventData):
    """An answer on its way to the shard of its demand, where it meets both records in one order."""

    topic: ClassVar[str] = WorkRecord.topic
    type: ClassVar[str] = "tongtu.matching.answer.v1"

    technology_id: RecordId
    demand_id: RecordId
    answer: MatchAnswered
    at: str | None = Field(default=None, max_length=64)
    """When intake said so; told, never used for order."""

    @property
    def key(self) -> str:
        """Each party has one answer to a match."""
        return f"{ANSWER}:{self.answer.key}"

    @property
    def is_of_a_party(self) -> bool:
        """Whether it is the owner of the record on its side who answers; nobody else's answer changes anything."""
        record = self.technology_id if self.answer.side is Side.TECHNOLOGY else self.demand_id
        return self.answer.member == record.partition("/")[0]


class WorkItem(RootModel[WorkRecord | WorkAnswer]):
    """Whatever comes on `matching.work`."""

    model_config = {"frozen": True}
    root: WorkRecord | WorkAnswer = Field(union_mode="left_to_right")


Pair = tuple[str, str]
"""Ids of a technology and a demand."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One party's latest answer to a pair, as far as the rule needs it."""

    technology: str
    demand: str
    side: Side
    version: int
    """Counts this party's answers to this pair."""
    declined: tuple[int, int] | None
    """The versions (technology, demand) that were declined; None for an acceptance."""

    @property
    def pair(self) -> Pair:
        """What it is about."""
        return self.technology, self.demand

    @classmethod
    def of(cls, work: WorkAnswer) -> Answer:
        """What the rule needs of it."""
        answer, seen = work.answer, work.answer.versions
        declined = (seen.technology, seen.demand) if answer.decision is Decision.DECLINED else None
        return cls(work.technology_id, work.demand_id, answer.side, answer.version, declined)


_ByDemand = dict[str, dict[str, dict[Side, Answer]]]
"""By demand and technology."""


@dataclass(slots=True)
class Answers:
    """The latest answer of each party to each pair of a shard.

    A pair is excluded while a party's latest answer declines exactly the versions that the two records have: a new
    version of either is another question, and so is a party that has changed its mind.
    """

    _by_demand: _ByDemand = field(default_factory=dict[str, dict[str, dict[Side, Answer]]])

    def put(self, answer: Answer) -> Answer | None:
        """Takes an answer over; returns the one that it replaces."""
        of_pair = self._by_demand.setdefault(answer.demand, {}).setdefault(answer.technology, {})
        before = of_pair.get(answer.side)
        of_pair[answer.side] = answer
        return before

    def restore(self, answer: Answer, before: Answer | None) -> None:
        """Undoes what `put` did."""
        if before is not None:
            self.put(before)
            return
        of_demand = self._by_demand[answer.demand]
        del of_demand[answer.technology][answer.side]
        if not of_demand[answer.technology]:
            del of_demand[answer.technology]
        if not of_demand:
            del self._by_demand[answer.demand]

    def newer(self, answers: Iterable[Answer]) -> list[Answer]:
        """Those that say something new, one for each party and pair, in their order."""
        latest: dict[tuple[Pair, Side], Answer] = {}
        for each in answers:
            key = each.pair, each.side
            known = latest.get(key) or self._of(each.demand, each.technology).get(each.side)
            if known is None or each.version > known.version:
                latest[key] = each
        return list(latest.values())

    def most_excluded(self, demands: Iterable[str]) -> int:
        """How many technologies at most are excluded for one of these demands."""
        return max((len(self._by_demand.get(demand, ())) for demand in demands), default=0)

    def excludes(self, technology: str, technology_version: int, demand: str, demand_version: int) -> bool:
        """Whether this pair, at these versions, must not be proposed."""
        versions = (technology_version, demand_version)
        return any(each.declined == versions for each in self._of(demand, technology).values())

    def _of(self, demand: str, technology: str) -> dict[Side, Answer]:
        return self._by_demand.get(demand, {}).get(technology, {})
