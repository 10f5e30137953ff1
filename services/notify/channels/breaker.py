"""Leaves a dead endpoint alone: who may send to it now, and what a success or a failure changes.

What is known of an endpoint is one document, and every step one update of it that MongoDB carries out as a whole, so
any number of processes share it: slots (each in flight until it is given back, or its time is over), failures in a row,
until when it is left alone. When that pause is over one probe goes out; if it fails the next pause is twice as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias

Pipeline: TypeAlias = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Limits:
    """When an endpoint counts as dead, and how much it gets at a time."""

    in_flight: int = 4
    """Over all processes."""
    failures: int = 5
    """In a row, after which it is left alone."""
    first_pause: timedelta = timedelta(minutes=1)
    longest_pause: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Free:
    """It may be sent to; a slot is taken."""


@dataclass(frozen=True, slots=True)
class Busy:
    """As much is in flight as it gets."""


@dataclass(frozen=True, slots=True)
class Paused:
    """It is left alone."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Gone:
    """It wants no more."""


Admission: TypeAlias = Free | Busy | Paused | Gone


def asking(slot: str, now: datetime, until: datetime, limits: Limits) -> Pipeline:
    """Takes a slot until that moment if there is one to be had; `answer` reads from the outcome whether it was."""
    in_use = {
        "$filter": {
            "input": {"$ifNull": ["$slots", []]},
            "as": "slot",
            "cond": {"$gt": ["$$slot.until", now]},
        }
    }
    known = {
        "slots": in_use,
        "failures": {"$ifNull": ["$failures", 0]},
        "pauses": {"$ifNull": ["$pauses", 0]},
        "paused_until": {"$ifNull": ["$paused_until", None]},
        "gone": {"$ifNull": ["$gone", False]},
        "touched": now,
    }
    while_paused = {"$cond": [{"$gt": ["$paused_until", now]}, 0, 1]}  # one probe once the pause is over
    open_slots = {"$cond": [{"$eq": ["$paused_until", None]}, limits.in_flight, while_paused]}
    allowed = {"$cond": ["$gone", 0, open_slots]}
    taken = {"$concatArrays": ["$slots", [{"holder": slot, "until": until}]]}
    return [
        {"$set": known},
        {"$set": {"slots": {"$cond": [{"$lt": [{"$size": "$slots"}, allowed]}, taken, "$slots"]}}},
    ]


def answer(document: dict[str, Any], slot: str, now: datetime) -> Admission:
    """Whether the slot was taken, from the document as it stands after `asking`."""
    if any(each["holder"] == slot for each in document["slots"]):
        return Free()
    if document["gone"]:
        return Gone()
    until: datetime | None = document["paused_until"]
    if until is None:
        return Busy()
    # While a probe is out, until it must have ended; a probe that succeeds wakes what waits.
    return Paused(until if until > now else min(each["until"] for each in document["slots"]))


def succeeded(slot: str) -> Pipeline:
    """Gives the slot back; the endpoint is alive."""
    return [{"$set": {"slots": _without(slot), "failures": 0, "pauses": 0, "paused_until": None}}]


def failed(slot: str, now: datetime, asked_until: datetime | None, limits: Limits, jitter: float) -> Pipeline:
    """Gives the slot back; after too many failures in a row, or where the endpoint asked for it, a pause begins.

    `jitter` lengthens the pause by that share.
    """
    longer = {"$multiply": [limits.first_pause.total_seconds() * 1000, {"$pow": [2, {"$min": ["$pauses", 30]}]}]}
    milliseconds = {"$multiply": [{"$min": [longer, limits.longest_pause.total_seconds() * 1000]}, 1 + jitter]}
    # What was in flight when a pause began, and fails in it, does not make it longer.
    may_begin = {"$or": [{"$eq": ["$paused_until", None]}, {"$lte": ["$paused_until", now]}]}
    begins = {"$and": [{"$gte": ["$failures", limits.failures]}, may_begin]}
    pause = {"$cond": [begins, {"$add": [now, {"$toLong": milliseconds}]}, "$paused_until"]}
    return [
        {"$set": {"slots": _without(slot), "failures": {"$add": ["$failures", 1]}}},
        {
            "$set": {
                "paused_until": {"$max": [pause, asked_until]},
                "pauses": {"$cond": [begins, {"$add": ["$pauses", 1]}, "$pauses"]},
                "pause_began": begins,
            }
        },
    ]


def gone(slot: str) -> Pipeline:
    """Gives the slot back; nothing more is sent to the endpoint."""
    return [{"$set": {"slots": _without(slot), "gone": True}}]


def given_back(slot: str) -> Pipeline:
    """Gives the slot back; nothing was learnt."""
    return [{"$set": {"slots": _without(slot)}}]


def _without(slot: str) -> dict[str, Any]:
    return {"$filter": {"input": "$slots", "as": "slot", "cond": {"$ne": ["$$slot.holder", slot]}}}
