"""Webhooks from members' inboxes to a receiver: how many a second, how late, and what others' dead receivers cost.

`python -m bench.deliveries [--members 100] [--messages 4000] [--rate 20] [--seconds 30] [--json]`

One notify process with its settings as they are, but for http and this machine being allowed as targets; one receiver
that answers at once. Proposals lie in the members' inboxes before notify starts: `backlog` is webhooks a second from
the first to the last that arrives. `bare` is what plain aiohttp posts of the same body get through, as many at a time,
with nothing kept, signed or checked: `ratio` is what the log of deliveries, the breaker and a connection for each cost,
`cpu_ms` the processor time of notify for each, its start included.
`p50_ms` and `p99_ms` are from the acknowledgement in the inbox to the request at the receiver, at `rate` a second in
all. `beside_hanging` is the backlog once more, of the same members, while a tenth as many others have as much to get
and never answer; `stalled_seconds` the longest time in it in which nothing arrived. `repeated` counts over all of it;
a webhook that does not come at all ends the run with an error.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import secrets
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import orjson
import uvloop

from bench.crowd_setting import Watched
from bench.setting import new_prefix, report, servers
from services.notify.settings import NotifySettings
from shared.contracts.channels import ChannelsConfigured, Webhook
from shared.contracts.example import load_examples
from shared.contracts.inbox import Proposal
from shared.runtime.sealing import seal
from shared.runtime.topics import apply_topics, load_topics
from tongtu import members as registry
from tongtu.access.webhook_keys import NOTIFY_VARIABLE, WebhookKeys
from tongtu.embedded.infrastructure import to_standard_error
from tongtu.embedded.ports import HOST, free_port
from tongtu.target import Target
from tongtu.writing import Writer, event_headers

LONG_SECONDS = 300.0
"""After this something is wrong."""
HANGING_SHARE = 10
AT_A_TIME = NotifySettings.model_fields["sends"].default
Seen = Mapping[str, Mapping[str, Sequence[float]]]
"""Path -> message -> when it came, in seconds of the clock."""


class Receiver:
    """The members' server, from outside."""

    def __init__(self) -> None:
        self.address = f"http://{HOST}:{free_port()}"
        self._process = subprocess.Popen([sys.executable, "-m", "bench.webhook_receiver", self.address.split(":")[-1]])

    async def seen(self, http: aiohttp.ClientSession) -> Seen:
        """What has come so far."""
        async with http.get(f"{self.address}/seen") as answer:
            return await answer.json()

    async def until(self, http: aiohttp.ClientSession, ids: set[str]) -> dict[str, list[float]]:
        """When each of these messages came, once all have."""
        deadline = time.monotonic() + LONG_SECONDS
        while not ids <= (came := (await self.seen(http)).get("ok", {})).keys():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(ids - came.keys())} of {len(ids)} webhooks did not come")
            await asyncio.sleep(0.5)
        return {id: list(came[id]) for id in ids}

    def stop(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()


class Inboxes:
    """Members with a webhook each, and what is put into their inboxes."""

    def __init__(self, target: Target, writer: Writer) -> None:
        example = next(each for each in load_examples(Proposal.type) if each.valid)
        self.body = orjson.dumps(example.value)
        self._target, self._writer = target, writer

    async def configure(self, members: Sequence[str], url: str, key: Path) -> None:
        """As `tongtu members channels set` does."""
        await registry.create_topics(self._target, members)
        for member in members:
            secret = f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"
            purpose = ChannelsConfigured(member=member, version=1).purpose
            webhook = Webhook(url=f"{url}/{member}", secrets=(seal(secret, key, purpose),))
            entry = ChannelsConfigured(member=member, version=1, webhook=webhook)
            await registry.write_registry(self._writer, ChannelsConfigured, member, entry.model_dump_json().encode(), 1)

    async def put(self, members: Sequence[str], count: int) -> dict[str, float]:
        """So many messages, in turn; by id when each stood in its inbox."""
        waiting: dict[str, asyncio.Future[Any]] = {}
        for member, _ in zip(itertools.cycle(members), range(count), strict=False):
            headers = event_headers(Proposal.type, "/services/notify", subject="m1")
            id = dict(headers)["ce_id"].decode()
            waiting[id] = await self._writer.send(f"member.{member}.inbox", "m1", self.body, headers)
        await asyncio.gather(*waiting.values())
        return dict.fromkeys(waiting, time.time())

    async def put_evenly(self, members: Sequence[str], rate: float, seconds: float) -> dict[str, float]:
        """So many a second; by id when each stood in its inbox."""
        stood: dict[str, float] = {}
        began = time.monotonic()
        for number, member in zip(range(round(rate * seconds)), itertools.cycle(members), strict=False):
            await asyncio.sleep(began + number / rate - time.monotonic())
            stood |= await self.put([member], 1)
        return stood


async def measure(target: Target, arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All of it."""
    keys = WebhookKeys(folder)
    keys.make()
    receiver = Receiver()
    members = [f"told-{number:03}" for number in range(arguments.members)]
    hanging = [f"hangs-{number:03}" for number in range(arguments.members // HANGING_SHARE)]
    environment = {
        NOTIFY_VARIABLE: str(keys.private),
        "TONGTU_NOTIFY_PLAIN_TARGETS": "true",
        "TONGTU_NOTIFY_ALLOWED_NETWORKS": f"{HOST}/32",
    }
    notify = Watched("notify", target, folder, **environment)
    told: dict[str, list[float]] = {}
    try:
        await apply_topics(target.kafka, load_topics(), target.prefix)
        async with Writer(target) as writer, aiohttp.ClientSession() as http:
            inboxes = Inboxes(target, writer)
            await inboxes.configure(members, f"{receiver.address}/ok", keys.public)
            await inboxes.configure(hanging, f"{receiver.address}/hang", keys.public)
            notify.start()
            await notify.until(notify.is_ready, LONG_SECONDS, "notify")
            await notify.until(lambda: notify.processed >= len(members) + len(hanging), LONG_SECONDS, "the channels")
            notify.stop()

            backlog = await inboxes.put(members, arguments.messages)
            notify.start()
            came = await receiver.until(http, {*backlog})
            told |= came
            figures: dict[str, Any] = {"backlog": _a_second(came)}
            to_standard_error(f"backlog: {figures['backlog']:.0f} webhooks/s")
            figures["cpu_ms"] = round(1000 * sum(notify.process.cpu_times()[:2]) / len(backlog), 2)
            figures["bare"] = await bare(receiver.address, inboxes.body, arguments.messages)
            figures["ratio"] = figures["backlog"] / figures["bare"]

            stood = await inboxes.put_evenly(members, arguments.rate, arguments.seconds)
            came = await receiver.until(http, {*stood})
            told |= came
            waits = [1000 * (min(came[id]) - stood[id]) for id in stood]
            figures["p50_ms"], figures["p99_ms"] = (float(each) for each in np.percentile(waits, [50, 99]))
            to_standard_error(f"at {arguments.rate}/s: p50 {figures['p50_ms']:.0f} ms, p99 {figures['p99_ms']:.0f} ms")

            notify.stop()
            each = arguments.messages // arguments.members
            await inboxes.put(hanging, each * len(hanging))
            backlog = await inboxes.put(members, arguments.messages)
            notify.start()
            came = await receiver.until(http, {*backlog})
            told |= came
            figures["beside_hanging"] = _a_second(came)
            figures["stalled_seconds"] = float(np.diff(sorted(map(min, came.values()))).max())
            figures["repeated"] = sum(len(times) - 1 for times in told.values())
            figures["rss_mb"] = notify.rss_mb
    finally:
        notify.stop()
        receiver.stop()
    return figures


def _a_second(came: Mapping[str, Sequence[float]]) -> float:
    first = sorted(map(min, came.values()))
    return (len(first) - 1) / (first[-1] - first[0])


async def bare(address: str, body: bytes, count: int) -> float:
    """Posts a second by a client that keeps connections and knows nothing of what it has sent."""
    numbers = iter(range(count))
    async with aiohttp.ClientSession() as http:

        async def post() -> None:
            for number in numbers:
                headers = {"webhook-id": f"bare-{number}"}
                async with http.post(f"{address}/ok/bare", data=body, headers=headers) as answer:
                    await answer.read()

        began = time.monotonic()
        await asyncio.gather(*(post() for _ in range(AT_A_TIME)))
        return count / (time.monotonic() - began)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--messages", type=int, default=4000, help="of each backlog")
    parser.add_argument("--rate", type=float, default=20.0, help="messages a second where the delay is measured")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", action="store_true", help="only the last line")
    arguments = parser.parse_args()
    with servers() as started, tempfile.TemporaryDirectory() as folder:
        target = Target(started.addresses.kafka, started.addresses.mongodb, new_prefix())
        figures = uvloop.run(measure(target, arguments, Path(folder)))
    report({name: round(value, 2) for name, value in figures.items()} | {"load": os.getloadavg()[0]})


if __name__ == "__main__":
    main()
