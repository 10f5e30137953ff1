"""Takes what members say: reads it, decides, tells the platform and the member. One read and one write a collection."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from services.intake import metrics, store
from services.intake.envelope import member_of
from services.intake.expiry import ends_at
from services.intake.ledger import STILL_WAITING, Ledger, Taken
from services.intake.reading import read
from services.intake.replies import receipt_for, receipt_for_expiry, rejection_for
from services.intake.statements import Refusal, Statement
from shared.contracts.base import InboxMessage
from shared.contracts.events import DemandPosted, MatchProposed, OutcomeRecorded, RecordKind, TechnologySubmitted
from shared.streaming import Event, Message, Timer, UnitOfWork

EXPIRY = "expiry"
"""Timer that ends a record; id: its record key."""
WAITING = "waiting"
"""Timer that looks whether matches that are waited for have been proposed; id: the member that waits."""
FIRST_LOOK = timedelta(seconds=1)
"""After this the matches are looked for again; each further pause is twice as long, an hour at most."""
FIRST_LOOK_SECONDS = FIRST_LOOK.total_seconds()
LONGEST_PAUSE = timedelta(hours=1)
VERSION_ATTRIBUTE = "recordversion"
_CANONICAL = {
    RecordKind.TECHNOLOGY: TechnologySubmitted,
    RecordKind.DEMAND: DemandPosted,
    RecordKind.OUTCOME: OutcomeRecorded,
}


def now_utc() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class Intake:
    """The handlers of intake."""

    def __init__(self, match_wait: timedelta, clock: Callable[[], datetime] = now_utc) -> None:
        """`match_wait`: how long an answer or an outcome waits for its match. The clock never decides about order."""
        self._match_wait = match_wait
        self._clock = clock

    async def receive(self, events: Sequence[Event[bytes]], work: UnitOfWork) -> Iterable[Message]:
        """Messages of members: canonical records, answers and outcomes come out, and a reply to each message."""
        now = self._clock()
        # Milliseconds for a few thousand messages, and the consumer's heartbeat shares the loop.
        understood = await asyncio.to_thread(_read_all, events, now)
        statements = [said for _, said in understood if isinstance(said, Statement)]
        ledger = await _load(work, statements)
        replies = _Replies(work)
        answered: list[str] = []
        for event, said in understood:
            if said is None:
                work.dead_letter(event, "invalid-topic", f"{event.topic} holds no member id")
                work.after_commit(metrics.topics_ignored.inc)
                continue
            decision = said if isinstance(said, Refusal) else ledger.hear(said, now.date())
            if isinstance(decision, Refusal):
                replies.reject(decision, event)
                work.dead_letter(event, decision.problem, _in_short(decision))
                continue
            assert isinstance(said, Statement)
            replies.take(said, decision, event)
            if said.match_id is not None and decision is STILL_WAITING:
                until, kept = now + self._match_wait, _as_it_came(event)
                store.keep_waiting(work, said.record_key, said.speaker.member, said.match_id, until, kept)
                work.set_timer(event, WAITING, said.speaker.member, now + FIRST_LOOK, {"pause": FIRST_LOOK_SECONDS})
            elif said.match_id is not None and decision.event is not None:
                answered.append(said.record_key)
        store.end_waiting(work, answered)  # what was said later counts
        store.save(work, ledger, now)
        return replies.messages

    async def learn_parties(self, events: Sequence[Event[MatchProposed]], work: UnitOfWork) -> Iterable[Message]:
        """Whose records a match joins. A match that no longer holds keeps its parties: they may still report on it."""
        store.save_parties(work, (event.data for event in events if event.data is not None))
        return ()

    async def expire(self, timers: Sequence[Timer], work: UnitOfWork) -> Iterable[Message]:
        """Records whose day has come: a null record with the next version, and a word to the owner."""
        ledger = await store.load(work, {timer.id for timer in timers})
        messages: list[Message] = []
        for timer in timers:
            version = ledger.expire(timer.id, timer.data["version"])
            if version is None:
                continue
            kind, id = RecordKind(timer.data["kind"]), timer.data["id"]
            messages.append(_null_record(kind, id, version, timer))
            messages.append(_to_inbox(timer.data["member"], receipt_for_expiry(kind, id, version), timer))
        store.save(work, ledger, self._clock())
        return messages

    async def look_again(self, timers: Sequence[Timer], work: UnitOfWork) -> Iterable[Message]:
        """What waited for its match: taken once the match is there, rejected when the time is over."""
        now = self._clock()
        ended, still_waiting = await store.waiting_of(work, {timer.id for timer in timers}, now)
        by_member = {timer.id: timer for timer in timers}
        waited = [(by_member[each["member"]], _said_before(each["message"], now)) for each in ended]
        ledger = await _load(work, [said for _, said in waited if isinstance(said, Statement)], heard_now=False)
        replies = _Replies(work)
        for timer, said in waited:
            decision = said if isinstance(said, Refusal) else ledger.decide(said, now.date())
            if isinstance(said, Statement) and decision is STILL_WAITING:
                decision = ledger.give_up(said)
            if isinstance(decision, Refusal):
                replies.reject(decision, timer)
            elif isinstance(said, Statement):
                replies.take(said, decision, timer)
        for timer in timers:
            if timer.id in still_waiting:
                pause = min(timedelta(seconds=timer.data["pause"] * 2), LONGEST_PAUSE)
                due = min(now + pause, still_waiting[timer.id])
                work.set_timer(timer, WAITING, timer.id, due, {"pause": pause.total_seconds()})
        store.end_waiting(work, [each["_id"] for each in ended])
        store.save(work, ledger, now)
        return replies.messages


class _Replies:
    """The messages of one poll, in order, and the counts that become known with its commit."""

    def __init__(self, work: UnitOfWork) -> None:
        self.messages: list[Message] = []
        self._work = work
        self._taken: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        work.after_commit(self._count)

    def take(self, statement: Statement, taken: Taken, cause: Event[bytes] | Timer) -> None:
        """Tells the platform what is new, and the member what became of its message."""
        member, version = statement.speaker.member, taken.version
        if taken.withdrawn:
            assert version is not None
            self.messages.append(_null_record(statement.kind, statement.id, version, cause, statement.extensions))
        if taken.event is not None:
            event = taken.event
            extensions = {**statement.extensions, VERSION_ATTRIBUTE: str(version)}
            self.messages.append(Message(event.topic, event.key, event.type, event, cause, extensions=extensions))
        if taken.expires_on is not None:
            data = {"kind": str(statement.kind), "id": statement.id, "member": member, "version": version}
            self._work.set_timer(cause, EXPIRY, statement.record_key, ends_at(taken.expires_on), data)
        elif taken.outlived:
            self._work.cancel_timer(EXPIRY, statement.record_key)
        self.messages.append(_to_inbox(member, receipt_for(statement, taken), cause))
        self._taken[taken.outcome] += 1

    def reject(self, refusal: Refusal, cause: Event[bytes] | Timer) -> None:
        """Tells the member why its message was not taken."""
        self.messages.append(_to_inbox(refusal.speaker.member, rejection_for(refusal), cause))
        self._rejected[refusal.problem] += 1

    def _count(self) -> None:
        for outcome, count in self._taken.items():
            metrics.messages_taken.labels(outcome).inc(count)
        for problem, count in self._rejected.items():
            metrics.messages_rejected.labels(problem).inc(count)


Understood = Sequence[tuple[Event[bytes], Statement | Refusal | None]]


def _read_all(events: Sequence[Event[bytes]], now: datetime) -> Understood:
    """Each event with what it says; None where its topic names no member."""
    return [
        (event, None if (member := member_of(event.topic)) is None else read(event, member, now.date()))
        for event in events
    ]


async def _load(work: UnitOfWork, statements: Sequence[Statement], heard_now: bool = True) -> Ledger:
    """What is known about these statements; whether their messages were heard before, only if they are heard now."""
    records = {statement.record_key for statement in statements}
    records |= {statement.technology_key for statement in statements if statement.technology_key is not None}
    messages = {statement.message_key for statement in statements} if heard_now else ()
    matches: dict[str, set[str]] = {}
    for statement in statements:
        if statement.match_id is not None:
            matches.setdefault(statement.match_id, set()).add(statement.speaker.member)
    return await store.load(work, records, messages, matches)


def _to_inbox(member: str, reply: InboxMessage, cause: Event[bytes] | Timer) -> Message:
    return Message(reply.topic_of(member), reply.key, reply.type, reply, cause, private=True)


def _null_record(
    kind: RecordKind, id: str, version: int, cause: Event[bytes] | Timer, extensions: Mapping[str, str] | None = None
) -> Message:
    canonical = _CANONICAL[kind]
    attributes = {**(extensions or {}), VERSION_ATTRIBUTE: str(version)}
    return Message(canonical.topic, id, canonical.type, None, cause, extensions=attributes)


def _as_it_came(event: Event[bytes]) -> dict[str, Any]:
    """A message that waits, for the database."""
    return {
        "topic": event.topic,
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "data": event.data,
        "extensions": dict(event.extensions),
    }


def _said_before(message: Mapping[str, Any], now: datetime) -> Statement | Refusal:
    """What a waiting message says; it was valid when it came, by the contract of that day."""
    event = Event(
        id=message["id"],
        source=message["source"],
        type=message["type"],
        subject=None,
        time=None,
        key=None,
        topic=message["topic"],
        data=bytes(message["data"]),
        extensions=message["extensions"],
    )
    member = member_of(event.topic)
    assert member is not None
    return read(event, member, now.date())


def _in_short(refusal: Refusal) -> str:
    """The errors in one text, for operators."""
    return "; ".join(f"{error.pointer or '/'} {error.message}" for error in refusal.errors)
