"""Who does not belong gets in nowhere: tokens, sources, cursors, and every way to keep a gateway busy with nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import time

import psutil
import pytest

from services.gateway import cursor
from services.gateway.server import HEAD_BYTES
from tests.gateway import GatewayProcess, binary, gateway, give_tokens, raw, structured, tell, token_of
from tests.platform import Platform, eventually

JSON = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
MB = 1024 * 1024


def request(token: str, *headers: str, path: str = "/v1/events", method: str = "POST") -> bytes:
    """The head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: x", f"authorization: Bearer {token}", *headers, "", ""]
    return "\r\n".join(lines).encode()


def status(answer: bytes) -> int:
    """The status of the first answer; 0 where there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer x", "Basic eDp4", f"Token {token_of('acme')}"])
async def test_nobody_gets_in_without_a_token(platform: Platform, authorization: str | None) -> None:
    async with gateway(platform) as running, running.client(None) as client:
        headers = {} if authorization is None else {"authorization": authorization}
        answers = [
            await client.post("/v1/events", json={}, headers=binary("1") | headers),
            await client.get("/v1/inbox", headers=headers),
            await client.get("/v1/inbox/stream", headers=headers),
        ]
        assert [answer.status_code for answer in answers] == [401] * 3
        assert len({answer.text for answer in answers}) == 1
        assert answers[0].headers["www-authenticate"].startswith("Bearer")
        assert await platform.read("member.acme.outbox") == []


async def test_a_member_speaks_for_itself_only(platform: Platform) -> None:
    async with gateway(platform) as running, running.client("acme") as client:
        foreign = [
            "/members/bolt",
            "/members/bolt/erp",
            "/members/acmeplus",
            "/members/",
            "//members/acme",
            "/services/intake",
        ]
        for source in foreign:
            sent = [
                await client.post("/v1/events", json={}, headers=binary("1", source=source)),
                await client.post(
                    "/v1/events", content=json.dumps(structured("1", {}, source=source)), headers={"content-type": JSON}
                ),
                await client.post(
                    "/v1/events",
                    content=json.dumps([structured("0", {}), structured("1", {}, source=source)]),
                    headers={"content-type": BATCH},
                ),
            ]
            assert [answer.status_code for answer in sent] == [403] * 3, source
        for member in ("acme", "bolt"):
            assert await platform.read(f"member.{member}.outbox") == []


async def test_another_members_inbox_cannot_be_reached(platform: Platform) -> None:
    async with gateway(platform) as running, running.client("acme") as client, running.client("bolt") as other:
        await tell(platform, "bolt", 1, 2, 3)
        theirs = (await other.get("/v1/inbox", params={"limit": "1"})).json()["next"]
        stolen = await client.get("/v1/inbox", params={"cursor": theirs})
        assert (stolen.status_code, stolen.json()["errors"][0]["pointer"]) == (400, "/query/cursor")
        assert (await client.get("/v1/inbox/stream", headers={"last-event-id": theirs})).status_code == 400
        forged = await client.get("/v1/inbox", params={"cursor": cursor.written("acme", 1)})
        assert (forged.status_code, b"receipt" in forged.content) == (410, False)
        paths = [
            "/v1/inbox/../inbox",
            "/v1/inbox/bolt",
            "/v1/inbox%2f..%2fbolt",
            "/v1//inbox",
            "/v1/inbox/",
            "/v1/inbox;member=bolt",
            "/v1/inbox?member=bolt",
            "/v1/inbox?cursor=../member.bolt.inbox",
        ]
        for path in paths:
            answer = await raw(running.port, request(token_of("acme"), "connection: close", path=path, method="GET"))
            assert b"receipt" not in answer, path
            assert status(answer) in (200, 400, 404), path
        both = request(
            token_of("acme"),
            f"authorization: Bearer {token_of('bolt')}",
            "connection: close",
            path="/v1/inbox",
            method="GET",
        )
        assert status(await raw(running.port, both)) == 401


async def test_a_rotated_token_is_refused_at_once_and_its_streams_end(platform: Platform) -> None:
    async with gateway(platform) as running, running.client("acme") as client:
        async with client.stream("GET", "/v1/inbox/stream") as stream:
            waiting = asyncio.create_task(client.get("/v1/inbox", params={"wait": "30"}))
            await eventually(lambda: _streams(running, 2), what="both waits")
            await give_tokens(platform, "acme", [token_of("acme", 2)], 2)
            rotated = time.monotonic()
            lines = [line async for line in stream.aiter_lines() if line.startswith("data")]
            assert (await waiting).status_code == 401
            assert time.monotonic() - rotated < 5  # a second where nothing else runs
        assert lines == []
        assert (await client.post("/v1/events", json={}, headers=binary("1"))).status_code == 401
        async with running.client("acme", token_of("acme", 2)) as new:
            assert (await new.get("/v1/inbox")).status_code == 200
        await give_tokens(platform, "acme", [], 3)
        async with running.client("acme", token_of("acme", 2)) as new:
            await eventually(lambda: _refused(new.get("/v1/inbox")), what="the refusal")


async def _streams(running: GatewayProcess, count: int) -> bool:
    return await running.metric("tongtu_gateway_streams") == count


async def _refused(asking: object) -> bool:
    return (await asking).status_code == 401  # type: ignore[misc]


async def test_no_token_is_ever_logged(platform: Platform) -> None:
    async with gateway(platform, TONGTU_LOG="debug") as running:
        async with running.client("acme") as client:
            await client.post("/v1/events", json={}, headers=binary("1"))
            await client.get("/v1/inbox")
            await client.get("/v1/inbox", headers={"authorization": "Bearer a-wrong-token"})
            await client.post("/v1/events", content=b"\xff", headers=binary("1") | {"content-type": JSON})
            await raw(running.port, b"GET /" + token_of("acme").encode() + b"\x00 HTTP/1.1\r\n\r\n")
        running.stop()
        assert b"service_started" in running.printed
        for secret in (token_of("acme"), "a-wrong-token"):
            assert secret.encode() not in running.printed


HOSTILE = {
    "too large": (binary("1") | {"content-length": str(2 * MB)}, b"", 413),
    "zip bomb": (binary("1") | {"content-encoding": "gzip"}, gzip.compress(b"0" * 10 * MB), 415),
    "brotli": (binary("1") | {"content-encoding": "br"}, b"x", 415),
    "not UTF-8 in an attribute": (binary("1", subject="%ff%fe"), b"{}", 400),
    "another charset": (binary("1") | {"content-type": f"{JSON}; charset=utf-16"}, b"{}", 415),
    "another format": (binary("1") | {"content-type": "application/cloudevents+avro"}, b"{}", 415),
    "not UTF-8": ({"content-type": JSON}, b'{"id":"\xff"}', 400),
    "malformed": ({"content-type": JSON}, b'{"id":', 400),
    "a key twice": ({"content-type": JSON}, b'{"specversion":"1.0","id":"1","id":"2","type":"t"}', 400),
    "deep": ({"content-type": JSON}, b'{"specversion":"1.0","id":"1","type":"t","data":' + b"[" * 100_000, 400),
    "deep in a batch": ({"content-type": BATCH}, b"[" * 100_000, 400),
    "many in a batch": ({"content-type": BATCH}, b"[" + b"1," * 1000 + b"1]", 413),
    "NaN": ({"content-type": JSON}, b'{"specversion":"1.0","id":"1","type":"t","data":NaN}', 400),
    "no event": ({"content-type": JSON}, b"null", 400),
    "a long attribute": (binary("1", subject="x" * 3000), b"{}", 400),
    "negative length": (binary("1") | {"content-length": "-1"}, b"", 400),
    "record too large": (binary("1"), b"x" * (MB + 1), 413),
}


async def test_what_is_hostile_gets_its_answer_and_leaves_nothing(platform: Platform) -> None:
    async with gateway(platform) as running:
        for name, (headers, body, wanted) in HOSTILE.items():
            lines = [f"{key}: {value}" for key, value in headers.items()]
            if "content-length" not in headers:
                lines.append(f"content-length: {len(body)}")
            answer = await raw(running.port, request(token_of("acme"), *lines, "connection: close") + body)
            assert status(answer) == wanted, (name, answer[:600])
            assert b"application/problem+json" in answer, name
        assert await platform.read("member.acme.outbox") == []
        assert await running.metric("tongtu_gateway_received_bytes") == 0


async def test_heads_are_bounded(platform: Platform) -> None:
    async with gateway(platform) as running:
        good = request(token_of("acme"), path="/v1/inbox", method="GET")
        many = request(token_of("acme"), *(f"x-{number}: y" for number in range(200)))
        large = request(token_of("acme"), f"x: {'y' * HEAD_BYTES}")
        endless = [b"GET / HTTP/1.1\r\nx: ", *([b"y" * 4096] * 20)]
        for parts in ([many], [large], [many + good], endless):
            assert status(await raw(running.port, *parts)) in (431, 0)
        for garbage in (b"\x16\x03\x01\x02", b"GET\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\xff" * 100):
            assert status(await raw(running.port, garbage)) == 400
        both = (
            request(token_of("acme"), "content-length: 5", "transfer-encoding: chunked")
            + b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n"
        )
        assert status(await raw(running.port, both)) == 400


async def test_slow_requests_are_cut_off(platform: Platform) -> None:
    limits = {"TONGTU_GATEWAY_HEAD_SECONDS": "1", "TONGTU_GATEWAY_BODY_SECONDS": "1"}
    async with gateway(platform, **limits) as running:
        silent = raw(running.port)
        half_head = raw(running.port, request(token_of("acme"))[:-2])
        half_body = raw(running.port, request(token_of("acme"), "content-length: 10", "ce-id: 1") + b"{")
        no_body = raw(running.port, request(token_of("acme"), "content-length: 10", "ce-id: 1"))
        unread = raw(running.port, request("nobody", "content-length: 1000000") + b"x")
        answers = await asyncio.gather(silent, half_head, half_body, no_body, unread)
        assert [status(answer) for answer in answers] == [408, 408, 408, 408, 401]
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(request(token_of("acme"), path="/v1/inbox", method="GET"))
        assert status(await reader.readuntil(b"}")) == 200
        # Blank lines begin no request, and do not keep a connection open for ever either.
        writer.write(b"\r\n")
        assert status(await asyncio.wait_for(reader.read(), 30)) == 408
        writer.close()


async def test_an_endless_body_is_cut_and_takes_no_memory(platform: Platform) -> None:
    async with gateway(platform) as running:
        process = psutil.Process(running.pid)
        before = process.memory_info().rss

        async def endless(token: str) -> bytes:
            chunk = b"%x\r\n%b\r\n" % (65536, b"x" * 65536)
            return await raw(running.port, request(token, "transfer-encoding: chunked", "ce-id: 1"), *([chunk] * 500))

        answers = await asyncio.gather(
            *(endless(token_of("acme")) for _ in range(20)), *(endless("x") for _ in range(20))
        )
        assert {status(answer) for answer in answers} <= {413, 429, 401, 503, 0}
        assert process.memory_info().rss - before < 100 * MB
        async with running.client("acme") as client:
            assert (await client.get("/v1/inbox")).status_code == 200


async def test_connections_are_bounded(platform: Platform) -> None:
    async with gateway(platform, TONGTU_GATEWAY_CONNECTIONS="20") as running:
        opened = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(20)]
        try:
            assert status(await raw(running.port, request(token_of("acme")))) in (503, 0)
        finally:
            for _, writer in opened:
                writer.close()

        async def room() -> bool:
            async with running.client("acme") as client:
                return (await client.get("/v1/inbox")).status_code == 200

        await eventually(room, what="room for another connection")


async def test_rates_and_streams_are_bounded_for_each_member(platform: Platform) -> None:
    limits = {"TONGTU_GATEWAY_RATE": "5", "TONGTU_GATEWAY_STREAMS": "2"}
    async with (
        gateway(platform, **limits) as running,
        running.client("acme") as client,
        running.client("bolt") as other,
    ):
        answers = await asyncio.gather(*(client.get("/v1/inbox") for _ in range(30)))
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert {answer.headers["retry-after"] for answer in refused} == {"1"}
        assert (await other.get("/v1/inbox")).status_code == 200
        batch = json.dumps([structured(str(number), {}) for number in range(6)])
        too_many = await other.post("/v1/events", content=batch, headers={"content-type": BATCH})
        assert too_many.status_code == 429
        assert await platform.read("member.bolt.outbox") == []
        await eventually(lambda: _ok(client.get("/v1/inbox")), what="the next second")
        async with client.stream("GET", "/v1/inbox/stream"), client.stream("GET", "/v1/inbox/stream"):
            third = await client.get("/v1/inbox/stream")
            assert (third.status_code, third.json()["type"]) == (429, "urn:tongtu:problem:too-many-streams")


async def _ok(asking: object) -> bool:
    return (await asking).status_code == 200  # type: ignore[misc]


async def test_a_reader_that_does_not_read_is_dropped_and_may_go_on(platform: Platform) -> None:
    async with gateway(platform, TONGTU_GATEWAY_SEND_SECONDS="1") as running:
        process = psutil.Process(running.pid)
        value = json.dumps("x" * 500_000).encode()
        for _ in range(4):
            await platform.produce(
                "member.acme.inbox", [("k", value, [("ce_id", b"1"), ("content-type", b"application/json")])] * 10
            )
        before = process.memory_info().rss
        head = request(token_of("acme"), path="/v1/inbox/stream", method="GET")
        opened = [await asyncio.open_connection("127.0.0.1", running.port, limit=1024) for _ in range(5)]
        try:
            for _, writer in opened:
                writer.write(head)

            async def dropped() -> bool:
                return await running.metric("tongtu_gateway_slow_readers_total") == 5

            await eventually(dropped, what="the end of every slow reader")
            assert await running.metric("tongtu_gateway_streams") == 0
            assert process.memory_info().rss - before < 100 * MB
        finally:
            for _, writer in opened:
                writer.transport.abort()
        async with running.client("acme") as client:
            page = (await client.get("/v1/inbox", params={"limit": "3"})).json()
            assert (len(page["events"]) >= 1, page["more"]) == (True, True)
