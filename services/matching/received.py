"""What the events of a poll say to one shard: changes of records, and answers to pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.matching.answers import Answer, WorkAnswer, WorkItem
from services.matching.embedding import ENCODER
from services.matching.outcomes import Cause
from services.matching.shard import Change
from services.matching.work import RECORD_VERSION, SHARD, Subject
from shared.streaming import Event, UnitOfWork


@dataclass(slots=True)
class Received:
    """In the order of the log."""

    changes: list[Change] = field(default_factory=list[Change])
    answers: dict[Answer, WorkAnswer] = field(default_factory=dict[Answer, WorkAnswer])
    causes: dict[Cause, Event[WorkItem]] = field(default_factory=dict[Cause, Event[WorkItem]])
    """The last event about each record and each pair."""

    def add(self, event: Event[WorkItem]) -> None:
        """Takes an event in."""
        item = event.data and event.data.root
        if isinstance(item, WorkAnswer):
            answer = Answer.of(item)
            self.answers[answer] = item
            self.causes[answer.pair] = event
            return
        subject = Subject.parse(event.key or "")
        version = item.party.version if item else int(event.extensions[RECORD_VERSION])
        self.changes.append(Change(subject, version, item))
        self.causes[subject] = event


def received_by_shard(
    events: Sequence[Event[WorkItem]], work: UnitOfWork, id_of: Callable[[str, str], str]
) -> dict[int, Received]:
    """By shard what the events say; what must not count becomes a dead letter.

    `id_of`: the match id of a technology and a demand. An answer that does not come from the owner of the record on its
    side, or not to the match of its two records, changes nothing, whoever let it through.
    """
    by_shard: dict[int, Received] = {}
    for event in events:
        item = event.data and event.data.root
        if isinstance(item, WorkAnswer):
            if not item.is_of_a_party or item.answer.match_id != id_of(item.technology_id, item.demand_id):
                work.dead_letter(event, "NotAParty", "this is no answer of a party to the match of these two records")
                continue
        elif item is not None and item.encoder != ENCODER:
            work.dead_letter(event, "OtherEncoder", f"encoded by {item.encoder}, not by {ENCODER}")
            continue
        by_shard.setdefault(int(event.extensions[SHARD]), Received()).add(event)
    return by_shard
