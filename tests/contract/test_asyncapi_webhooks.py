"""Webhooks are sent as the AsyncAPI document says."""

import json
from datetime import datetime
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from services.notify.channels.delivery import InboxEvent
from services.notify.channels.webhook import CONTENT_TYPE, signed, structured
from shared.asyncapi.files import FILE
from shared.contracts.events import INBOX_MESSAGES
from shared.contracts.example import Example, load_examples

DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
WEBHOOK = DOCUMENT["components"]["messages"]["inbox.webhook"]
SECRET = "whsec_" + "A" * 32
EXAMPLES = [example for model in INBOX_MESSAGES for example in load_examples(model.type) if example.valid]


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_every_inbox_message_is_posted_as_the_document_says(example: Example) -> None:
    headers = example.headers
    assert example.value is not None
    event = InboxEvent(
        id=headers["ce_id"],
        source=headers["ce_source"],
        type=headers["ce_type"],
        time=datetime.fromisoformat(headers["ce_time"]),
        subject=headers["ce_subject"],
        data=example.value,
    )
    body = structured(event)
    sent = {**signed(event.id, body, (SECRET, SECRET), event.time), "content-type": CONTENT_TYPE}
    for schema, what in ((WEBHOOK["payload"], json.loads(body)), (WEBHOOK["headers"], sent)):
        Draft7Validator({"allOf": [schema], "components": DOCUMENT["components"]}).validate(what)
