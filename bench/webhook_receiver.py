"""The members' own HTTP server for bench.deliveries, as a process of its own: notes what comes, and when.

`python -m bench.webhook_receiver PORT`: /ok answers 204, /hang never; GET /seen tells by path when each id came.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict

from aiohttp import web

ANY = "/{path:ok|hang}/{member}"


def application() -> web.Application:
    """Remembers everything; so it is for one run."""
    seen: defaultdict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    async def take(request: web.Request) -> web.Response:
        path = request.match_info["path"]
        await request.read()
        seen[path][request.headers["webhook-id"]].append(time.time())
        if path == "hang":
            await asyncio.Event().wait()
        return web.Response(status=204)

    async def tell(request: web.Request) -> web.Response:
        return web.json_response(seen)

    app = web.Application()
    app.router.add_post(ANY, take)
    app.router.add_get("/seen", tell)
    return app


if __name__ == "__main__":
    web.run_app(application(), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
