"""The gateway's operations as a FastAPI application, with their OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException

from services.gateway import documentation, metrics
from services.gateway.inbox import Inbox
from services.gateway.problems import Problem, accepted_language
from services.gateway.submissions import Submissions
from shared.contracts.problems import problems_in

log = structlog.get_logger(__name__)

Place = Annotated[str | None, Query(description="Where to go on; without it the oldest message.", max_length=64)]
Limit = Annotated[int, Query(description="Messages at most.", ge=1, le=500)]
Wait = Annotated[int, Query(description="Seconds to wait for a message where there is none.", ge=0, le=30)]


def create_application(submissions: Submissions, inbox: Inbox) -> FastAPI:
    """Everything that members reach. What they do not reach, health and metrics, is served on another port."""
    application = FastAPI(
        title="Tongtu 通途",
        version="1",
        description=documentation.DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )

    async def submit(request: Request) -> Response:
        return await submissions.take(request)

    # Starlette's own route: there is nothing in it for FastAPI to read, and its look for that takes 50 us an event.
    application.add_route("/v1/events", submit, methods=["POST"])

    @application.get("/v1/inbox", summary="Read the inbox 读取收件箱", openapi_extra=documentation.read())
    async def read(request: Request, cursor: Place = None, limit: Limit = 100, wait: Wait = 0) -> Response:
        return await inbox.read(request, cursor, limit, wait)

    @application.get("/v1/inbox/stream", summary="Follow the inbox 订阅收件箱", openapi_extra=documentation.stream())
    async def stream(request: Request, cursor: Place = None) -> Response:
        return await inbox.stream(request, cursor)

    document = _document(application)
    application.openapi = lambda: document
    _add_problem_handlers(application)
    return application


def _document(application: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=application.title,
        version=application.version,
        description=application.description,
        routes=application.routes,
    )
    document["paths"] = {"/v1/events": {"post": documentation.submit()}, **document["paths"]}
    document["components"] = {
        "schemas": dict(documentation.SCHEMAS),
        "securitySchemes": documentation.SECURITY_SCHEMES,
    }
    for path in document["paths"].values():
        for operation in path.values():
            # What FastAPI would answer by itself is never answered here.
            operation["responses"].pop("422", None)
    return document


def _add_problem_handlers(application: FastAPI) -> None:
    def answer(request: Request, problem: Problem) -> Response:
        metrics.answers.labels(_operation(request), problem.status).inc()
        return problem.response(accepted_language(request.headers.get("accept-language", "")))

    @application.exception_handler(Problem)
    async def told(request: Request, problem: Problem) -> Response:
        return answer(request, problem)

    @application.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        language = accepted_language(request.headers.get("accept-language", ""))
        return answer(request, Problem("invalid-request", problems_in(error.errors(), language or "en")))

    @application.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        kind = "method-not-allowed" if error.status_code == 405 else "not-found"
        return answer(request, Problem(kind, headers=error.headers or {}))

    @application.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("request_failed", operation=_operation(request), exc_info=error)
        return answer(request, Problem("internal", close=True))


def _operation(request: Request) -> str:
    route = request.scope.get("route") or request.scope.get("endpoint")
    return str(getattr(route, "name", None) or getattr(route, "__name__", "none"))
