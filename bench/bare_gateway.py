"""What bench.gateway compares with: FastAPI and aiokafka as their manuals show them, and nothing else.

`python -m bench.bare_gateway KAFKA PREFIX PORT`
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Request


def application(kafka: str, prefix: str) -> FastAPI:
    """Takes binary CloudEvents from anybody, and believes their source."""
    producers: list[AIOKafkaProducer] = []

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
        await producer.start()
        producers.append(producer)
        yield
        await producer.stop()

    app = FastAPI(lifespan=lifespan)

    @app.get("/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.post("/v1/events", status_code=202)
    async def events(request: Request) -> dict[str, str]:
        body = await request.body()
        headers = [
            (f"ce_{name[3:]}", value.encode()) for name, value in request.headers.items() if name.startswith("ce-")
        ]
        headers.append(("content-type", request.headers["content-type"].encode()))
        member = request.headers["ce-source"].rpartition("/")[2]
        key = request.headers["ce-subject"].encode()
        await producers[0].send_and_wait(f"{prefix}member.{member}.outbox", body, key=key, headers=headers)
        return {"id": request.headers["ce-id"], "status": "accepted"}

    return app


if __name__ == "__main__":
    uvicorn.run(application(sys.argv[1], sys.argv[2]), port=int(sys.argv[3]), log_level="warning", access_log=False)
