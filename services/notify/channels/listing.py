"""The delivery log for operators: what was sent where, each try with what came of it, and nothing of what it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from services.notify.channels.store import DeliveryStore

MOST = 1000
USUAL = 100


def listing(store: DeliveryStore) -> Callable[[Request], Awaitable[Response]]:
    """Answers GET /deliveries?member=ID&most=N with the latest deliveries, the latest first."""

    async def answer(request: Request) -> Response:
        asked = request.query_params.get("most", str(USUAL))
        if not (asked.isascii() and asked.isdigit() and 1 <= int(asked[:9]) <= MOST):
            return Response(f"most: a number from 1 to {MOST}", 400, media_type="text/plain")
        found = await store.listed(request.query_params.get("member"), int(asked))
        return Response(orjson.dumps([_shown(each) for each in found]), media_type="application/json")

    return answer


def _shown(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": document["_id"],
        "member": document["member"],
        "channel": document["channel"],
        "target": document["target"],
        "type": document["type"],
        "messages": document["messages"],
        "first_due": _time(document["first_due"]),
        "state": document.get("outcome") or ("postponed" if document.get("postponed") else "waiting"),
        "reason": document.get("reason"),
        "next": _time(document.get("due")),
        "finished": _time(document.get("finished")),
        "attempts": [{**each, "time": _time(each["time"])} for each in document["attempts"]],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
