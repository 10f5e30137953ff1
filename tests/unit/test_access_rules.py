"""Rules follow from topics.yaml, name by name, and no member can be called like somebody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.contracts.formats import MemberId
from shared.runtime.topics import Topics, load_topics
from tongtu.access.rules import (
    Rule,
    markdown_table,
    member_rules,
    service_rules,
    service_rules_for_member,
    services,
    users_begin,
)

SECURITY = (Path(__file__).parents[2] / "docs" / "security.md").read_text(encoding="utf-8")


@pytest.fixture
def topics() -> Topics:
    return load_topics()


def test_documentation_shows_the_rules_as_they_are(topics: Topics) -> None:
    shown = SECURITY.split("<!-- access -->\n", 1)[1].split("<!-- end of access -->", 1)[0]
    assert shown == markdown_table(topics)


def test_member_has_three_rules_and_none_for_what_is_not_its_own(topics: Topics) -> None:
    assert member_rules(topics, "acme", "p.member.acme.1f", "p.") == {
        Rule("p.member.acme.1f", "write", "topic", "p.member.acme.outbox"),
        Rule("p.member.acme.1f", "read", "topic", "p.member.acme.inbox"),
        Rule("p.member.acme.1f", "read", "group", "p.member.acme.", prefixed=True),
    }


def test_services_get_members_topics_by_name(topics: Topics) -> None:
    rules = service_rules_for_member(topics, "acme")
    assert not any(rule.prefixed for rule in rules)
    assert Rule("intake", "read", "topic", "member.acme.outbox") in rules
    assert Rule("intake", "write", "topic", "member.acme.outbox") not in rules
    assert Rule("notify", "write", "topic", "member.acme.inbox") in rules
    assert {rule.user for rule in rules} == {"intake", "notify", "gateway"}


def test_only_who_runs_on_the_core_has_groups_and_transactions(topics: Topics) -> None:
    rules = service_rules(topics)
    own = {rule.user for rule in rules if rule.resource in ("group", "transactional_id")}
    assert own == {"intake", "matching", "risk", "notify"}
    assert {rule.user for rule in rules if rule.resource == "cluster"} == {"gateway"}
    assert services(topics) == ("gateway", "intake", "matching", "notify", "risk")
    # By the names that the core gives (shared/runtime/service.py): the service's own group, and those of its stages.
    matching = {(rule.resource, rule.pattern) for rule in rules if rule.user == "matching" and rule.resource != "topic"}
    assert matching == {
        ("group", "tongtu.matching"),
        ("group", "tongtu.matching.*"),
        ("transactional_id", "tongtu.matching-*"),
        ("transactional_id", "tongtu.matching.*"),
    }


@pytest.mark.parametrize("prefix", ["", "t1."])
def test_no_member_can_have_the_user_of_somebody_else(topics: Topics, prefix: str) -> None:
    for taken in ("admin", "broker", *services(topics)):
        assert not (prefix + taken).startswith(users_begin(taken, prefix))
    with pytest.raises(ValidationError):
        TypeAdapter(MemberId).validate_python("acme.outbox")
