"""A file of records goes through intake, and every line of it is accounted for."""

import csv
import gzip
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, running_service
from tests.infrastructure import TestInfrastructure
from tests.platform import Platform

LINES = 3_000


@pytest.fixture(scope="module")
def shared_platform(infra: TestInfrastructure, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One platform for the module, where intake runs; each test has a member of its own."""
    platform = Platform(infra.kafka, infra.mongodb)
    CommandLine.on(platform).run("topics", "apply")
    with running_service(platform, "intake", tmp_path_factory.mktemp("logs")):
        yield platform
    platform.close()


@dataclass(frozen=True, slots=True)
class Member:
    """A member of the test's own, and the command line."""

    id: str
    platform: Platform
    tongtu: CommandLine

    async def records(self, topic: str) -> dict[str, Any]:
        """What stands in a canonical topic of this member: id -> value; one record for each."""
        mine = [r for r in await self.platform.read(topic) if (r.key or b"").startswith(f"{self.id}/".encode())]
        assert len({record.key for record in mine}) == len(mine)
        return {(r.key or b"").decode().partition("/")[2]: json.loads(r.value or b"null") for r in mine}


@pytest.fixture
def member(shared_platform: Platform) -> Member:
    id = f"m{uuid.uuid4().hex[:8]}"
    tongtu = CommandLine.on(shared_platform)
    tongtu.run("members", "add", id, "--name-en", "Sample Member")
    return Member(id, shared_platform, tongtu)


def write(path: Path, *records: Any) -> str:
    path.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records), encoding="utf-8")
    return str(path)


async def test_every_line_is_accounted_for(member: Member, tmp_path: Path) -> None:
    good = {"id": "a1", "title": "高压涡轮叶片", "text": "单晶高温合金", "trl": {"level": 6}, "colour": "red"}
    file = write(
        tmp_path / "a.jsonl",
        good,
        {"id": "a2", "title": "Coating", "text": "x", "trl": {"level": 12}},
        "no json",
        good,
        {"title": "no id", "text": "x"},
        {"id": "a 3", "title": "bad id", "text": "x"},
    )
    maps = ("--map", "description=text", "--map", "summary=brief")
    done = member.tongtu.finish("import", file, "--as", "technology", "--member", member.id, *maps)
    assert done.code == 1
    assert done.printed.splitlines() == [
        "not sent   line  3: is not JSON: invalid literal, expected 'null'",
        "not sent   line  5: has no id: give it with --map id=FIELD",
        "rejected   line  2: /trl/level must be at most 9",
        "rejected   line  6: /id must be an id of letters, digits, . _ and -, at most 80, not beginning with a sign",
        "4 sent, 1 accepted, 1 repeated, 2 rejected, 2 not sent",
    ]
    assert "colour" in done.told
    assert "no line has brief" in done.told
    (record,) = (await member.records("technology.submitted")).values()
    assert record["description"] == "单晶高温合金"


async def test_importing_twice_changes_nothing(member: Member, tmp_path: Path) -> None:
    path = tmp_path / "demands.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["number", "title", "problem", "keywords", "required_trl", "highest"])
        rows.writerow(["d-1", "固态电池", "循环寿命\n不足", "固态电池；硫化物", "6", "2000000"])
    arguments = ("import", str(path), "--as", "demand", "--member", member.id, "--map", "id=number")
    money = ("--map", "budget.max=highest", "--map", "budget.currency==CNY")
    assert member.tongtu.run(*arguments, *money) == "1 sent, 1 accepted, 0 rejected\n"
    assert member.tongtu.run(*arguments, *money) == "1 sent, 1 repeated, 0 rejected\n"
    posted = (await member.records("demand.posted"))["d-1"]
    assert posted["keywords"] == ["固态电池", "硫化物"]
    assert posted["required_trl"] == 6
    assert posted["budget"]["max"] == "2000000"
    first, second = await member.platform.read(f"member.{member.id}.outbox")
    assert dict(first.headers)["ce_id"] == dict(second.headers)["ce_id"]
    assert dict(first.headers)["ce_source"] == f"/members/{member.id}/import".encode()


async def test_thousands_of_lines(member: Member, tmp_path: Path) -> None:
    file = write(tmp_path / "many.jsonl", *({"id": f"t{n}", "title": f"t {n}", "summary": "x"} for n in range(LINES)))
    printed = member.tongtu.run("import", file, "--as", "technology", "--member", member.id)
    assert printed == f"{LINES:,} sent, {LINES:,} accepted, 0 rejected\n"
    assert set(await member.records("technology.submitted")) == {f"t{n}" for n in range(LINES)}


async def test_without_waiting_nothing_is_said_about_the_answers(member: Member, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"id": "a", "title": "t"})
    arguments = ("import", file, "--as", "technology", "--member", member.id, "--no-wait")
    assert member.tongtu.run(*arguments) == "1 sent\n"


async def test_only_a_member_can_say_something(shared_platform: Platform, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"id": "a", "title": "t"})
    refused = CommandLine.on(shared_platform).refusal("import", file, "--as", "demand", "--member", "nobody")
    assert "nobody is not a member" in refused
