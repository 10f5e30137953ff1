"""Decides what becomes of each statement, given what is known: messages, versions, and the parties to matches."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import date

from services.intake.expiry import is_past, last_day
from services.intake.statements import ProblemKind, Refusal, Statement
from services.intake.versions import HIGHEST, Known, Ruling, rule
from services.intake.wording import Fault
from shared.contracts.events import (
    AnswerDraft,
    DemandPosted,
    MatchAnswered,
    OutcomeRecorded,
    ReceiptOutcome,
    SeenVersions,
    Side,
    TechnologySubmitted,
)

MOST_WAITING = 500
"""Statements of one member that may wait for their matches at a time; nobody fills the database with made-up ids."""

Published = TechnologySubmitted | DemandPosted | MatchAnswered | OutcomeRecorded


@dataclass(frozen=True, slots=True)
class Remembered:
    """A message that was taken: what it said, and the version that it got."""

    fingerprint: str
    version: int | None


@dataclass(frozen=True, slots=True)
class Parties:
    """Whose records a match joins, and their versions when it was last proposed."""

    technology_owner: str
    demand_owner: str
    versions: SeenVersions
    technology_id: str | None = None
    demand_id: str | None = None
    """None where the match was heard of before intake kept the ids."""

    def side_of(self, member: str) -> Side | None:
        """The member's side of the table, if it sits there."""
        if member == self.technology_owner:
            return Side.TECHNOLOGY
        return Side.DEMAND if member == self.demand_owner else None


@dataclass(frozen=True, slots=True)
class Taken:
    """A statement that was in order: what the member is told, and what the platform is told."""

    outcome: ReceiptOutcome
    version: int | None = None
    event: Published | None = None
    withdrawn: bool = False
    """To be published as a null record."""
    expires_on: date | None = None
    """When the version that was taken ends by itself."""
    outlived: bool = False
    """Whether the version before had an end that no longer counts."""


STILL_WAITING = Taken(ReceiptOutcome.WAITING)


@dataclass(slots=True)
class Ledger:
    """What is known about the records, messages and matches of one poll; each decision counts for the next one."""

    records: MutableMapping[str, Known]
    messages: MutableMapping[str, Remembered]
    matches: Mapping[str, Parties]
    waiting: MutableMapping[str, set[str]] = field(default_factory=dict[str, set[str]])
    """By member: the record keys of what waits for its match."""
    changed: dict[str, Known] = field(default_factory=dict[str, Known])
    """Records with a version that they had not before; to be stored."""
    new: set[str] = field(default_factory=set[str])
    """Those of them that there was no version of."""
    remembered: dict[str, Remembered] = field(default_factory=dict[str, Remembered])
    """Messages taken for the first time; to be stored."""
    forgotten: set[str] = field(default_factory=set[str])
    """Messages that were taken and came to nothing, so that they may be sent again; to be deleted."""

    def hear(self, statement: Statement, today: date) -> Taken | Refusal:
        """Decides about a message: one that was heard before changes nothing, whatever has happened since."""
        before = self.messages.get(statement.message_key)
        if before is not None:
            if before.fingerprint != statement.fingerprint:
                return _refused(statement, "id-reused", Fault("/headers/ce_id", "id_reused"))
            return Taken(ReceiptOutcome.REPEATED, before.version)
        decision = self.decide(statement, today)
        if decision is STILL_WAITING:
            waiting = self.waiting.setdefault(statement.speaker.member, set())
            if len(waiting) >= MOST_WAITING and statement.record_key not in waiting:
                return _refused(statement, "unknown-match", Fault("/match_id", "too_many_wait", {"most": MOST_WAITING}))
            waiting.add(statement.record_key)
        if isinstance(decision, Taken):
            remembered = Remembered(statement.fingerprint, decision.version)
            self.messages[statement.message_key] = self.remembered[statement.message_key] = remembered
        return decision

    def decide(self, statement: Statement, today: date) -> Taken | Refusal:
        """Decides about a statement, wherever it comes from: a message, or one that has waited for its match."""
        body = statement.body
        match_id = statement.match_id
        parties = None
        if match_id is not None:
            parties = self.matches.get(match_id)
            if parties is None:
                return STILL_WAITING
            if parties.side_of(statement.speaker.member) is None:
                return _refused(statement, "not-a-party", Fault("/match_id", "not_a_party"))
        technology = statement.technology_key
        if technology is not None and technology not in self.records:
            return _refused(statement, "unknown-record", Fault("/technology_id", "unknown_record"))
        known = self.records.get(statement.record_key)
        content = statement.content
        if isinstance(body, AnswerDraft) and parties is not None:
            # An answer is to versions: the same words to a match proposed anew are another answer.
            content = f"{content} {_seen(body, parties).model_dump_json()}"
        ruling, version = rule(known, statement.version, content)
        if ruling is Ruling.UNKNOWN:
            return _refused(statement, "unknown-record", Fault("/headers/ce_subject", "unknown_record"))
        if ruling is Ruling.CONFLICT:
            pointer = "/headers/ce_recordversion" if body is None else "/version"
            return _refused(statement, "version-conflict", Fault(pointer, "version_reused", {"version": version}))
        if ruling is Ruling.EXHAUSTED:
            return _refused(statement, "version-conflict", Fault("/version", "version_exhausted"))
        if ruling is not Ruling.TAKE:
            outcome = ReceiptOutcome.REPEATED if ruling is Ruling.REPEATED else ReceiptOutcome.OUTDATED
            return Taken(outcome, version)
        expires_on = last_day(body, today) if isinstance(body, TechnologySubmitted | DemandPosted) else None
        if is_past(expires_on, today):
            return _refused(statement, "invalid-record", Fault("/expires_on", "expired"))
        self._change(statement.record_key, Known(version, content, expires_on is not None))
        outlived = known is not None and known.expires and expires_on is None
        if body is None:
            return Taken(ReceiptOutcome.WITHDRAWN, version, withdrawn=True, outlived=outlived)
        event = _published(statement, version, parties)
        return Taken(ReceiptOutcome.ACCEPTED, version, event, expires_on=expires_on, outlived=outlived)

    def expire(self, record_key: str, version: int) -> int | None:
        """The version of the null record that ends this version of a record; None when it is no longer the latest."""
        known = self.records.get(record_key)
        if known is None or known.version != version or known.content is None:
            return None
        ended = min(version + 1, HIGHEST)
        self._change(record_key, Known(ended, None))
        return ended

    def give_up(self, statement: Statement) -> Refusal:
        """The end of waiting: no such match was proposed."""
        self.forgotten.add(statement.message_key)
        return _refused(statement, "unknown-match", Fault("/match_id", "unknown_match"))

    def _change(self, record_key: str, known: Known) -> None:
        if record_key not in self.records:
            self.new.add(record_key)
        self.records[record_key] = self.changed[record_key] = known


def _published(statement: Statement, version: int, parties: Parties | None) -> Published:
    body = statement.body
    assert body is not None
    if not isinstance(body, AnswerDraft):
        return body if version == body.version else body.model_copy(update={"version": version})
    assert parties is not None
    side = parties.side_of(statement.speaker.member)
    own = {"side": side, "member": statement.speaker.member, "version": version}
    joined = {"technology_id": parties.technology_id, "demand_id": parties.demand_id}
    return MatchAnswered.model_validate({**body.model_dump(), **own, **joined, "versions": _seen(body, parties)})


def _seen(body: AnswerDraft, parties: Parties) -> SeenVersions:
    """The versions that an answer is to: those that it names, or those last proposed."""
    return body.versions or parties.versions


def _refused(statement: Statement, problem: ProblemKind, fault: Fault) -> Refusal:
    speaker = statement.speaker
    return Refusal(speaker, problem, (fault.said(speaker.language),), statement.reference())
