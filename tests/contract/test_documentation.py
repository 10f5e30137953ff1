"""The records that docs/contracts.md shows to members are records that the platform takes."""

import json
import re
from pathlib import Path

import pytest

from shared.contracts.events import DRAFTS, INBOX_MESSAGES
from shared.contracts.generate import CONTRACTS

DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "contracts.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"<!-- (\S+) -->\n```json\n(.*?)```", DOCUMENTATION, re.DOTALL)
MODELS = {contract.name: contract.model for contract in CONTRACTS}


@pytest.mark.parametrize(("contract", "shown"), SHOWN, ids=[contract for contract, _ in SHOWN])
def test_shown_record_is_valid(contract: str, shown: str) -> None:
    MODELS[contract].model_validate_json(shown)


def test_every_record_is_shown_and_every_type_is_told() -> None:
    assert DOCUMENTATION.count("```json") == len(SHOWN)
    assert {f"{name}.draft" for name in ("tongtu.technology.submitted.v1", "tongtu.demand.posted.v1")} <= dict(
        SHOWN
    ).keys()
    for model in (*DRAFTS, *INBOX_MESSAGES):
        assert f"`{model.type}`" in DOCUMENTATION


def test_enumerations_are_told_completely() -> None:
    for name in ("technology.submitted", "demand.posted", "match.answered", "outcome.recorded"):
        schema = json.dumps(MODELS[f"tongtu.{name}.v1.draft"].model_json_schema())
        for values in re.findall(r'"enum": \[([^\]]*)\]', schema):
            if "CNY" not in values:
                assert [value for value in json.loads(f"[{values}]") if f"`{value}`" not in DOCUMENTATION] == []
