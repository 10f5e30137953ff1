"""The OpenAPI document holds what it says: schemathesis calls each operation in all ways that it allows, and others."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error

from services.gateway.problems import KINDS
from tests.gateway import gateway, structured, technology, tell, token_of
from tests.platform import Platform

EXAMPLES = 40
"""Of each operation; all of them take about half a minute on a quiet machine."""


async def document_of(address: str) -> dict[str, Any]:
    import httpx

    async with httpx.AsyncClient() as client:
        return (await client.get(f"{address}/openapi.json")).json()


async def test_no_call_whatever_makes_the_gateway_fail(platform: Platform) -> None:
    async with gateway(platform, TONGTU_GATEWAY_RATE="100000") as running:
        await tell(platform, "acme", 1)  # so that no read waits for a message
        document = await document_of(running.address)
        schema = schemathesis.openapi.from_dict(document)
        schema.config.update(base_url=running.address)
        called: dict[str, set[int]] = {}

        def call(operation: Any) -> None:
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
            )
            @given(case=st.one_of([operation.as_strategy(mode) for mode in GenerationMode]))
            def run(case: Any) -> None:
                case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token_of('acme')}"}
                answer = case.call(timeout=20)
                called.setdefault(operation.label, set()).add(answer.status_code)
                case.validate_response(answer, checks=[not_a_server_error])

            run()

        for found in schema.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]
            if "stream" not in operation.path:  # it never ends; the tests of streams call it
                await asyncio.to_thread(call, operation)
        assert 202 in called["POST /v1/events"]
        assert 200 in called["GET /v1/inbox"]
        assert await running.is_ready()


async def test_the_document_is_openapi_3_1_in_both_languages_and_true(platform: Platform) -> None:
    async with gateway(platform) as running, running.client("acme") as client:
        document = await document_of(running.address)
        assert document["openapi"].startswith("3.1")
        assert set(document["paths"]) == {"/v1/events", "/v1/inbox", "/v1/inbox/stream"}
        schemas = document["components"]["schemas"]

        def valid(name: str, value: Any) -> None:
            whole = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
            Draft202012Validator(whole).validate(value)

        for name in schemas:
            Draft202012Validator.check_schema(schemas[name])
        content = document["paths"]["/v1/events"]["post"]["requestBody"]["content"]
        for example in content["application/cloudevents+json"]["examples"].values():
            valid("Event", example["value"])
            answer = await client.post(
                "/v1/events",
                content=json.dumps(example["value"]),
                headers={"content-type": "application/cloudevents+json"},
            )
            assert answer.status_code == 202
            valid("Accepted", answer.json())
        wrong = await client.post("/v1/events", json=structured("", technology("x")))
        valid("Problem", wrong.json())
        valid("Page", (await client.get("/v1/inbox")).json())
        for path in document["paths"].values():
            for operation in path.values():
                for status, answer in operation["responses"].items():
                    if int(status) >= 400:
                        examples = answer["content"]["application/problem+json"]["examples"]
                        assert {name.rpartition("-")[2] for name in examples} == {"zh", "en"}
                        for example in examples.values():
                            valid("Problem", example["value"])


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_problem_has_a_status_of_its_class(kind: str) -> None:
    assert 400 <= KINDS[kind].status < 600
