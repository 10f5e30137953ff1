"""topics.yaml says what the contract says, and nothing in it contradicts itself."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.runtime.topics import Topic, Topics, load_topics, markdown_table

DAY = 86_400_000  # milliseconds
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "contracts.md"
SERVICES = ("intake", "matching", "risk", "notify")


@pytest.fixture(scope="module")
def topics() -> Topics:
    return load_topics()


def test_partitions_are_those_of_the_contract(topics: Topics) -> None:
    four = [
        "organisation.registered",
        "technology.submitted",
        "demand.posted",
        "match.proposed",
        "demand.searched",
        "risk.assessed",
        "match.answered",
    ]
    one = ["gateway.tokens", "notify.channels", "outcome.recorded", "risk.model", "matching.work"]
    one += [f"{service}.{kind}" for service in SERVICES for kind in ("dead-letters", "replays")]
    assert {topic.name: topic.partitions for topic in topics} == {**dict.fromkeys(four, 4), **dict.fromkeys(one, 1)}


def test_each_member_has_an_outbox_and_an_inbox_of_one_partition(topics: Topics) -> None:
    outbox, inbox = topics.for_member("acme")
    assert (outbox.name, inbox.name) == ("member.acme.outbox", "member.acme.inbox")
    assert (outbox.written_by, inbox.read_by) == (("member", "gateway"), ("member", "gateway", "notify"))
    assert topics.partitions("member.acme.outbox") == topics.partitions("member.acme.inbox") == 1
    for topic in (outbox, inbox):
        assert topic.config["retention.ms"] == 30 * DAY
        assert topic.config["cleanup.policy"] == "delete"
        assert 1024 * 1024 < int(topic.config["max.message.bytes"]) < 1024 * 1024 * 1.1


@pytest.mark.parametrize("name", ["technology.submitted", "demand.posted", "match.proposed", "risk.assessed"])
def test_state_is_compacted_and_its_tombstones_outlive_any_absence(topics: Topics, name: str) -> None:
    config = topics[name].config
    assert config["cleanup.policy"] == "compact"
    assert int(config["delete.retention.ms"]) >= 100 * 365 * DAY
    # Brokers add it to the present time in milliseconds, in 64 bits.
    assert int(config["delete.retention.ms"]) + 4_000_000_000_000 < 2**63


def test_how_long_each_is_kept_in_words(topics: Topics) -> None:
    assert {topic.name: topic.kept for topic in topics.declared if "." in topic.name} == {
        "member.{member}.outbox": "30 days",
        "member.{member}.inbox": "30 days",
        "organisation.registered": "compacted, for ever",
        "gateway.tokens": "compacted, for ever",
        "notify.channels": "compacted, for ever",
        "technology.submitted": "compacted, for ever",
        "demand.posted": "compacted, for ever",
        "match.proposed": "compacted, for ever",
        "demand.searched": "compacted, for ever",
        "risk.assessed": "compacted, for ever",
        "match.answered": "compacted, for ever",
        "outcome.recorded": "for ever",
        "risk.model": "compacted, for ever",
        "matching.work": "compacted, for ever",
        "{service}.dead-letters": "compacted, 90 days",
        "{service}.replays": "30 days",
    }


def test_every_topic_is_safe_in_production(topics: Topics) -> None:
    for topic in topics.declared:
        assert topic.replication == 3
        assert topic.config["min.insync.replicas"] == 2


def test_dead_letter_has_room_for_a_whole_record_in_base64(topics: Topics) -> None:
    assert topics["risk.dead-letters"].config["max.message.bytes"] == 4 * 1024 * 1024
    assert topics["risk.replays"].config["max.message.bytes"] == 4 * 1024 * 1024


def test_topics_of_a_service_are_its_own(topics: Topics) -> None:
    assert topics["risk.dead-letters"].written_by == ("risk",)
    assert topics["risk.replays"].read_by == ("risk",)


@pytest.mark.parametrize("name", ["member.a.outbox", "member.Acme.outbox", "member.acme.drafts", "technology"])
def test_unknown_topic_is_named_in_the_error(topics: Topics, name: str) -> None:
    with pytest.raises(KeyError, match=f"no topic is called {name}"):
        topics.partitions(name)


def test_settings_are_texts_as_kafka_takes_them(topics: Topics) -> None:
    assert topics["outcome.recorded"].settings["retention.ms"] == "-1"


def test_wrong_file_is_refused_with_every_field_named(tmp_path: Path) -> None:
    file = tmp_path / "topics.yaml"
    file.write_text("topics: [{name: a, partitions: 0, colour: red}]", encoding="utf-8")
    with pytest.raises(ValidationError) as refused:
        load_topics(file)
    assert {".".join(map(str, error["loc"][1:])) for error in refused.value.errors()} >= {"partitions", "colour", "key"}


def test_expansion_gives_each_combination_once() -> None:
    topic = (
        load_topics()
        .declared[0]
        .model_copy(update={"name": "{a}.{b}", "for_each": {"a": ("1", "2"), "b": ("x", "y")}, "written_by": ("{a}",)})
    )
    expanded: list[Topic] = list(topic.expanded())
    assert [each.name for each in expanded] == ["1.x", "1.y", "2.x", "2.y"]
    assert expanded[2].written_by == ("2",)


def test_documentation_shows_the_topics_as_they_are(topics: Topics) -> None:
    assert markdown_table(topics) in DOCUMENTATION.read_text(encoding="utf-8"), (
        "put the output of python -m shared.runtime.topics --markdown into docs/contracts.md"
    )


def test_command_prints_the_table(topics: Topics) -> None:
    command = [sys.executable, "-m", "shared.runtime.topics", "--markdown"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert printed == markdown_table(topics)
