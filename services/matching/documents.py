"""How the state of the match stage reads as MongoDB documents; store.py says which fields there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from services.matching.answers import Answer, WorkAnswer
from services.matching.embedding import ENCODER
from services.matching.outcomes import Proposed
from services.matching.shard import Change
from services.matching.shortlist import Entry
from services.matching.work import Subject, WorkRecord
from shared.contracts.events import Decision, Side

Document = dict[str, Any]


def id_of(shard: int, record: str) -> str:
    """Every shard keeps its own copy of a technology."""
    return f"{shard}/{record}"


def document(shard: int, change: Change, method: str) -> Document:
    """A record as analysed, with the method that ranks it; one that was withdrawn has its version alone."""
    subject, work = change.subject, change.work
    document = {"_id": id_of(shard, subject.id), "shard": shard, "record": subject.id, "version": change.version}
    if work is None:
        return document
    return document | {
        "party": work.party.model_dump(mode="json", exclude_none=True),
        "encoder": work.encoder,
        "method": method,
        # Hundreds of short strings: decoding them as BSON is what loading a shard would spend its time on.
        "analysis": orjson.dumps([work.terms, work.surfaces, work.title_counts, work.body_counts]),
        "vector": work.vector,
        "order": work.order,
        "english": work.english,
    }


def change(side: Side, found: Document, method: str) -> Change:
    """The record of a document.

    One of another encoder cannot be compared, and the shortlist of a demand that another method ranked holds log-odds
    of that: such a record counts as not heard of in its version, so that it is taken when it is encoded anew.
    """
    subject = Subject(side, found["record"])
    if "party" not in found:
        return Change(subject, found["version"], None)
    if found["encoder"] != ENCODER or (side is Side.DEMAND and found.get("method") != method):
        return Change(subject, found["version"] - 1, None, is_waiting=True)
    terms, surfaces, title_counts, body_counts = orjson.loads(found["analysis"])
    work = WorkRecord.model_validate(
        {
            side.value: found["party"],
            "encoder": found["encoder"],
            "terms": terms,
            "surfaces": surfaces,
            "title_counts": title_counts,
            "body_counts": body_counts,
            "vector": bytes(found["vector"]),
            "order": bytes(found.get("order", b"")),
            "english": bytes(found.get("english", b"")),
        }
    )
    return Change(subject, found["version"], work)


def label(shard: int, method: str, work: WorkAnswer) -> Document:
    """An answer, as a label."""
    answer = work.answer
    return {
        "_id": answer.key,
        "shard": shard,
        "technology": work.technology_id,
        "demand": work.demand_id,
        "side": answer.side.value,
        "version": answer.version,
        "versions": {"technology": answer.versions.technology, "demand": answer.versions.demand},
        "decision": answer.decision.value,
        "reason": answer.reason and answer.reason.value,
        "method": method,
        "at": work.at,
    }


def answer(found: Document) -> Answer:
    """What the rule needs of a label."""
    versions = found["versions"]
    declined = (versions["technology"], versions["demand"]) if found["decision"] == Decision.DECLINED else None
    return Answer(found["technology"], found["demand"], Side(found["side"]), found["version"], declined)


def shortlist(shard: int, proposed: Proposed, id_of: Callable[[str, str], str]) -> Document:
    """What is proposed for a demand; `id_of`: the match id of a technology and a demand."""
    return {
        "_id": proposed.demand,
        "shard": shard,
        "version": proposed.version,
        "proposed": [
            {
                "technology": entry.technology,
                "version": entry.version,
                "logit": entry.logit,
                "match_id": id_of(entry.technology, proposed.demand),
            }
            for entry in proposed.entries
        ],
    }


def proposed(found: Document) -> Proposed:
    """The shortlist of a document."""
    entries = (Entry(each["technology"], each["version"], each["logit"]) for each in found["proposed"])
    return Proposed(found["_id"], found["version"], tuple(entries))
