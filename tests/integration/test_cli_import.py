"""A file of records goes through intake, and every line of it is accounted for."""

import csv
import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import CommandLine, running_service
from tests.platform import Platform

LINES = 3_000


@pytest.fixture
def tongtu(platform: Platform, tmp_path: Path) -> Iterator[CommandLine]:
    """Commands on a platform with a member, where intake runs."""
    command_line = CommandLine.on(platform)
    command_line.run("topics", "apply")
    command_line.run("members", "add", "steel-works", "--name-en", "Sample Steel")
    with running_service(platform, "intake", tmp_path):
        yield command_line


def write(path: Path, *records: Any) -> str:
    path.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records), encoding="utf-8")
    return str(path)


TECHNOLOGY = ("--as", "technology", "--member", "steel-works")


async def test_every_line_is_accounted_for(platform: Platform, tongtu: CommandLine, tmp_path: Path) -> None:
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
    done = tongtu.finish("import", file, *TECHNOLOGY, "--map", "description=text", "--map", "summary=brief")
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
    (record,) = await platform.read("technology.submitted")
    assert record.key == b"steel-works/a1"
    assert json.loads(record.value)["description"] == "单晶高温合金"


async def test_importing_twice_changes_nothing(platform: Platform, tongtu: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "demands.csv.gz"
    with gzip.open(path, "wt", encoding="utf-8-sig", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["number", "title", "problem", "keywords", "required_trl", "highest"])
        rows.writerow(["d-1", "固态电池", "循环寿命\n不足", "固态电池；硫化物", "6", "2000000"])
    arguments = ("import", str(path), "--as", "demand", "--member", "steel-works", "--map", "id=number")
    money = ("--map", "budget.max=highest", "--map", "budget.currency==CNY")
    assert tongtu.run(*arguments, *money) == "1 sent, 1 accepted, 0 rejected\n"
    assert tongtu.run(*arguments, *money) == "1 sent, 1 repeated, 0 rejected\n"
    (record,) = await platform.read("demand.posted")
    posted = json.loads(record.value)
    assert posted["keywords"] == ["固态电池", "硫化物"]
    assert posted["required_trl"] == 6
    assert posted["budget"]["max"] == "2000000"
    first, second = await platform.read("member.steel-works.outbox")
    assert dict(first.headers)["ce_id"] == dict(second.headers)["ce_id"]
    assert dict(first.headers)["ce_source"] == b"/members/steel-works/import"


async def test_thousands_of_lines(platform: Platform, tongtu: CommandLine, tmp_path: Path) -> None:
    file = write(tmp_path / "many.jsonl", *({"id": f"t{n}", "title": f"t {n}", "summary": "x"} for n in range(LINES)))
    assert tongtu.run("import", file, *TECHNOLOGY) == f"{LINES:,} sent, {LINES:,} accepted, 0 rejected\n"
    records = await platform.read("technology.submitted")
    assert {record.key for record in records} == {b"steel-works/t%d" % n for n in range(LINES)}
    assert len(records) == LINES


async def test_without_waiting_nothing_is_said_about_the_answers(tongtu: CommandLine, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"id": "a", "title": "t"})
    assert tongtu.run("import", file, *TECHNOLOGY, "--no-wait") == "1 sent\n"


async def test_only_a_member_can_say_something(tongtu: CommandLine, tmp_path: Path) -> None:
    file = write(tmp_path / "a.jsonl", {"id": "a", "title": "t"})
    assert "nobody is not a member" in tongtu.refusal("import", file, "--as", "demand", "--member", "nobody")
