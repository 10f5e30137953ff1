"""The whole platform as its members see it: foreign clients write into outboxes and read inboxes, and that is all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

import catalogue
from tests.e2e.foreign_member import ForeignMember, Letter
from tests.service_processes import ServiceProcesses

TECHNOLOGY = "tongtu.technology.submitted.v1"
DEMAND = "tongtu.demand.posted.v1"
ANSWER = "tongtu.match.answered.v1"
RECEIPT = "tongtu.receipt.v1"
REJECTION = "tongtu.rejection.v1"
PROPOSAL = "tongtu.proposal.v1"
WITHDRAWN = "tongtu.proposal-withdrawn.v1"
NO_MATCH = "tongtu.no-match.v1"

RECORDS: dict[str, dict[str, Any]] = {
    record["id"]: record
    for file in (catalogue.TECHNOLOGIES, catalogue.DEMANDS)
    for record in map(json.loads, catalogue.lines(file))
}
ORGANISATIONS: dict[str, dict[str, Any]] = {
    organisation["id"]: organisation for organisation in map(json.loads, catalogue.lines(catalogue.ORGANISATIONS))
}

Members = Callable[[str], ForeignMember]


@pytest.fixture(scope="module")
def members(services: ServiceProcesses) -> Iterator[Members]:
    """A member's system by the member's id; one each."""
    running: dict[str, ForeignMember] = {}

    def member(name: str) -> ForeignMember:
        if name not in running:
            running[name] = ForeignMember(services.platform.kafka, services.platform.prefix, name)
        return running[name]

    yield member
    for each in running.values():
        each.close()


class Pair:
    """A technology of one member and a demand of another that belong together."""

    def __init__(self, members: Members, technology: str, demand: str) -> None:
        self.technology, self.demand = RECORDS[technology], RECORDS[demand]
        self.owner, self.seeker = (members(record["id"].partition("/")[0]) for record in (self.technology, self.demand))

    def offer(self, structured: bool = False, **changes: Any) -> str:
        """The owner submits the technology."""
        return self.owner.say(TECHNOLOGY, self.technology | changes, structured=structured)

    def ask(self, structured: bool = False, **changes: Any) -> str:
        """The seeker posts the demand."""
        return self.seeker.say(DEMAND, self.demand | changes, structured=structured)

    def proposals(self, condition: Callable[[dict[str, Any]], bool] = lambda _: True) -> tuple[Letter, Letter]:
        """The proposal of this pair in the owner's inbox and in the seeker's."""
        to_seeker = self.seeker.hear(
            lambda letter: (
                letter.type == PROPOSAL
                and letter.data["own"]["id"] == self.demand["id"]
                and letter.data["technology"]["keywords"] == self.technology["keywords"]
                and condition(letter.data)
            ),
            f"the proposal of {self.technology['id']}",
        )
        to_owner = self.owner.hear(
            lambda letter: letter.type == PROPOSAL and letter.subject == to_seeker.subject and condition(letter.data),
            f"the proposal for {self.demand['id']}",
        )
        return to_owner, to_seeker

    def withdrawals(self, match_id: str) -> tuple[Letter, Letter]:
        """The news in the owner's inbox and in the seeker's that the proposal no longer holds."""
        to_owner, to_seeker = (
            member.hear(lambda letter: letter.type == WITHDRAWN and letter.subject == match_id, "a withdrawal")
            for member in (self.owner, self.seeker)
        )
        return to_owner, to_seeker

    def is_proposed(self) -> str:
        """Submits both and waits for the proposals; gives the match's id."""
        self.offer()
        self.ask()
        return self.proposals()[0].subject


def receipt(member: ForeignMember, event_id: str) -> dict[str, Any]:
    """The first receipt or rejection of that message."""
    letter = member.hear(
        lambda letter: letter.type in (RECEIPT, REJECTION) and letter.data["event_id"] == event_id,
        f"an answer to {event_id}",
    )
    assert letter.type == RECEIPT, letter.data
    return letter.data


def assert_anonymous(letter: Letter, other: str) -> None:
    """Nothing that its reader can see says who the other party is."""
    organisation = ORGANISATIONS[other]
    contacts = [contact["email"] for contact in organisation["contacts"]]
    for name in (other, organisation["uscc"], *organisation["names"].values(), *contacts):
        assert name.encode() not in letter.visible, f"{name} stands in a message to another member"


# --- a proposal with its risk reaches both


@pytest.mark.parametrize(
    ("technology", "demand", "structured", "demand_first"),
    [
        pytest.param(
            "sample-metals-institute/single-crystal-blade",
            "sample-aero-group/turbine-blade-alloy",
            (False, False),
            False,
            id="Chinese for Chinese, binary",
        ),
        pytest.param(
            "sample-tech-university/lpbf-titanium",
            "sample-aero-group/am-titanium-brackets",
            (True, True),
            True,
            id="English for English, structured",
        ),
        pytest.param(
            "sample-tech-university/sic-sic-ebc",
            "sample-aero-group/cmc-combustor",
            (False, True),
            False,
            id="English for Chinese",
        ),
        pytest.param(
            "sample-tech-university/low-iridium-mea",
            "sample-grid/pem-electrolyser",
            (True, False),
            True,
            id="Chinese for English",
        ),
    ],
)
def test_a_proposal_with_its_risk_reaches_both_and_names_neither(
    members: Members, technology: str, demand: str, structured: tuple[bool, bool], demand_first: bool
) -> None:
    pair = Pair(members, technology, demand)
    if demand_first:
        asked, offered = pair.ask(structured[1]), pair.offer(structured[0])
    else:
        offered, asked = pair.offer(structured[0]), pair.ask(structured[1])
    for member, event_id, record in ((pair.owner, offered, pair.technology), (pair.seeker, asked, pair.demand)):
        said = receipt(member, event_id)
        assert said["outcome"] == "accepted"
        assert said["record"]["id"] == record["id"]
        assert said["warnings"] == []

    to_owner, to_seeker = pair.proposals()
    assert to_owner.data["side"] == "technology"
    assert to_owner.data["own"] == {"id": technology, "version": 1}
    assert to_owner.data["demand"]["title"] == pair.demand["title"]
    assert to_owner.data["technology"] is None
    assert to_seeker.data["side"] == "demand"
    assert to_seeker.data["technology"]["title"] == pair.technology["title"]
    assert to_seeker.data["demand"] is None
    for letter in (to_owner, to_seeker):
        assert letter.data["versions"] == {"technology": 1, "demand": 1}
        assert letter.data["checks"]
        risk = letter.data["risk"]
        assert risk["status"] == "assessed", risk
        assert 0 <= risk["p_loss"] <= 1
        assert float(risk["npv"]["p10"]) <= float(risk["npv"]["p50"]) <= float(risk["npv"]["p90"])
    assert to_owner.data["risk"] == to_seeker.data["risk"]
    assert to_owner.data["score"] == to_seeker.data["score"]
    assert_anonymous(to_owner, pair.seeker.name)
    assert_anonymous(to_seeker, pair.owner.name)
    # Nothing by which two members could find out that they read of the same thing, but the match itself.
    assert to_owner.id != to_seeker.id
    assert to_owner.event.get_extension("traceparent") != to_seeker.event.get_extension("traceparent")


# --- what a member is told about its own messages


@pytest.mark.parametrize("structured", [False, True], ids=["binary", "structured"])
def test_a_malformed_record_is_rejected_with_every_wrong_field(members: Members, structured: bool) -> None:
    wrong = next(each for each in catalogue.malformed() if each.kind == "several fields wrong at once")
    member = members(wrong.member)
    id = member.say(wrong.type, wrong.record, structured=structured)
    letter = member.hear(lambda letter: letter.type == REJECTION and letter.data["event_id"] == id, "a rejection")
    assert letter.data["type"] == f"urn:tongtu:problem:{wrong.problem}"
    named = {(error["pointer"], error["code"]) for error in letter.data["errors"]}
    assert named == {(error.pointer, error.code) for error in wrong.errors}
    assert all(error["message"] for error in letter.data["errors"])


def test_an_event_sent_again_gets_a_receipt_and_changes_nothing(members: Members) -> None:
    member = members("sample-biomed")
    record = RECORDS["sample-biomed/antibacterial-implant"]
    first = member.say(TECHNOLOGY, record, id="sent-twice")
    assert receipt(member, first)["outcome"] == "accepted"
    member.say(TECHNOLOGY, record, id="sent-twice", structured=True)
    again = member.hear(
        lambda letter: letter.type == RECEIPT and letter.data["outcome"] == "repeated", "the receipt for a repetition"
    )
    assert again.data["event_id"] == "sent-twice"
    assert again.data["record"] == {"kind": "technology", "id": record["id"], "version": 1}


def test_a_later_version_updates_the_proposals_and_an_earlier_one_gets_a_receipt(members: Members) -> None:
    pair = Pair(members, "sample-robotics/boiler-climbing-robot", "sample-grid/boiler-inspection")
    match_id = pair.is_proposed()
    title = pair.technology["title"] + " II"
    later = pair.offer(version=2, title=title, trl={"level": 4})
    assert receipt(pair.owner, later)["record"]["version"] == 2
    to_owner, to_seeker = pair.proposals(lambda data: data["versions"]["technology"] == 2)
    assert to_owner.subject == to_seeker.subject == match_id
    assert to_owner.data["own"] == {"id": pair.technology["id"], "version": 2}
    assert (to_seeker.data["technology"]["title"], to_seeker.data["technology"]["trl"]) == (title, 4)

    earlier = pair.offer()
    assert receipt(pair.owner, earlier)["outcome"] == "outdated"


# --- what no longer holds


def test_a_withdrawn_technology_takes_its_proposals_back(members: Members) -> None:
    pair = Pair(members, "sample-robotics/invar-welding", "sample-ocean/lng-membrane-welding")
    match_id = pair.is_proposed()
    event_id = pair.owner.say(TECHNOLOGY, None, subject=pair.technology["id"])
    said = receipt(pair.owner, event_id)
    assert said["outcome"] == "withdrawn"
    assert said["record"] == {"kind": "technology", "id": pair.technology["id"], "version": 2}
    to_owner, to_seeker = pair.withdrawals(match_id)
    told = {"match_id": match_id, "reason": "no_longer_holds"}
    assert to_owner.data == {**told, "side": "technology", "own_id": pair.technology["id"]}
    assert to_seeker.data == {**told, "side": "demand", "own_id": pair.demand["id"]}
    assert_anonymous(to_owner, pair.seeker.name)
    assert_anonymous(to_seeker, pair.owner.name)


def test_a_closed_demand_takes_its_proposals_back(members: Members) -> None:
    pair = Pair(members, "sample-medical-university/maglev-vad", "sample-biomed/levitated-heart-pump")
    match_id = pair.is_proposed()
    event_id = pair.seeker.say(DEMAND, None, subject=pair.demand["id"])
    assert receipt(pair.seeker, event_id)["outcome"] == "withdrawn"
    pair.withdrawals(match_id)


def test_a_declined_match_is_taken_back_from_both_and_returns_with_a_new_version(members: Members) -> None:
    pair = Pair(members, "sample-medical-university/magnesium-bone-screw", "sample-biomed/resorbable-fixation")
    match_id = pair.is_proposed()
    decline = {"match_id": match_id, "decision": "declined", "reason": "too_early"}
    stranger = members("sample-grid")
    refused = stranger.say(ANSWER, decline)
    letter = stranger.hear(
        lambda letter: letter.type == REJECTION and letter.data["event_id"] == refused, "that it is no party"
    )
    assert letter.data["type"] == "urn:tongtu:problem:not-a-party"
    assert receipt(pair.seeker, pair.seeker.say(ANSWER, decline))["outcome"] == "accepted"
    pair.withdrawals(match_id)

    pair.offer(version=2, trl={"level": 8})
    to_owner, to_seeker = pair.proposals(lambda data: data["versions"]["technology"] == 2)
    assert to_owner.subject == to_seeker.subject == match_id
    for letter in (to_owner, to_seeker):
        assert letter.data["order"] is not None
        assert all(check["wording"]["zh"] and check["wording"]["en"] for check in letter.data["checks"])
        assert letter.data["passages"]


def test_a_demand_that_nothing_answers_is_told_so(members: Members) -> None:
    demand = RECORDS["sample-tech-university/rare-book-deacidification"]
    member = members("sample-tech-university")
    member.say(DEMAND, demand)
    letter = member.hear(
        lambda letter: letter.type == NO_MATCH and letter.data["own"]["id"] == demand["id"], "that nothing answers"
    )
    assert letter.data["own"] == {"id": demand["id"], "version": 1}
    miss = letter.data["nearest_miss"]
    assert miss is None or miss["score"] < letter.data["threshold"]
    for other in ORGANISATIONS.keys() - {member.name}:
        assert_anonymous(letter, other)


# --- last: all of it together


def test_a_reader_of_committed_messages_sees_each_once(services: ServiceProcesses, members: Members) -> None:
    pair = Pair(members, "sample-photonics/photoacoustic-dga", "sample-grid/transformer-gas-monitoring")
    pair.is_proposed()
    platform = services.platform
    with ExitStack() as readers:
        late = [ForeignMember(platform.kafka, platform.prefix, name) for name in ORGANISATIONS]
        heard = {reader.name: readers.enter_context(closing(reader)).hear_everything() for reader in late}
    for name, letters in heard.items():
        read_at_once = [letter.id for letter in members(name).letters]
        ids = [letter.id for letter in letters]
        assert ids[: len(read_at_once)] == read_at_once
        assert len(set(ids)) == len(ids)
        said = Counter((letter.subject, letter.type, json.dumps(letter.data)) for letter in letters)
        assert not [what for what, count in said.items() if count > 1]
        versions: dict[str, tuple[int, int]] = {}
        for letter in letters:
            if letter.type == PROPOSAL:
                told = letter.data["versions"]["technology"], letter.data["versions"]["demand"]
                assert told >= versions.get(letter.subject, (0, 0)), "an earlier version after a later one"
                versions[letter.subject] = told
