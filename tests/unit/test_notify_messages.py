"""What a member is told: all that it may know, and by no way who the other side is."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shared.contracts
from services.notify import fingerprint
from services.notify.messages import no_match_of, proposals_of
from shared.contracts.events import DemandSearched, NoMatch, Proposal, RiskAssessed, Side

EXAMPLES = Path(shared.contracts.__file__).parent / "examples"
LANGUAGES = ["zh", "en"]


def example(type_: str, name: str) -> dict[str, Any]:
    return json.loads((EXAMPLES / type_ / f"{name}.json").read_text("utf-8"))["value"]


def assessed_value(language: str = "zh") -> dict[str, Any]:
    """A canonical event as a plain value, with every sort of clue to the owners that it could carry."""
    value = example("tongtu.risk.assessed.v1", f"valid-{language}")
    proposal = value["proposal"]
    for side, other in (("technology", "demand"), ("demand", "technology")):
        party, owner = proposal[side], proposal[side]["owner"]
        party["named_members"] = [proposal[other]["owner"], "third-party"]
        party["surprise"] = {"owner": owner}
        party["display"] |= {"contact": f"mail@{owner}", "owner": owner, "origin": {"id": party["id"]}}
        party["risk"] |= {"applicant": owner}
    proposal["checks"] += [
        {"criterion": "not_the_same", "asked": proposal["demand"]["owner"], "offered": "?", "verdict": "met"},
        {"criterion": "visibility", "asked": "", "offered": f"for {proposal['technology']['owner']}", "verdict": "met"},
    ]
    proposal["checks"][-1].pop("asked")
    proposal["checks"] += [
        {"criterion": f"named_{side}", "verdict": "unmet", "wording": {"zh": f"给{owner}", "en": f"for {owner}"}}
        for side, owner in ((side, proposal[side]["owner"]) for side in ("technology", "demand"))
    ]
    proposal["passages"] = [
        {
            "technology": "一句",
            "demand": "another",
            "from": proposal["technology"]["id"],
            "to": proposal["demand"]["id"],
        }
    ]
    value["assessment"] |= {"computed_for": proposal["technology"]["owner"]}
    value["trace"] = proposal["technology"]["id"]
    return value


def assessed(language: str = "zh", **changes: Any) -> RiskAssessed:
    return RiskAssessed.model_validate(assessed_value(language) | changes)


def strings(value: Any) -> Iterator[str]:
    """Every string in a JSON value, names of fields too."""
    if isinstance(value, dict):
        for name, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield str(name)  # pyright: ignore[reportUnknownArgumentType]
            yield from strings(each)
    elif isinstance(value, list):
        for each in value:  # pyright: ignore[reportUnknownVariableType]
            yield from strings(each)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("side", list(Side))
def test_nothing_says_who_the_other_side_is(language: str, side: Side) -> None:
    event = assessed(language)
    message = proposals_of(event)[side]
    other = event.proposal.party(side.other)
    everything = list(strings(json.loads(message.model_dump_json())))
    assert everything
    for clue in (other.owner, other.id, "third-party", other.id.partition("/")[2]):
        assert not [text for text in everything if clue in text]


@pytest.mark.parametrize("side", list(Side))
def test_a_side_sees_its_own_record_by_id_and_the_other_as_shown(side: Side) -> None:
    event = assessed()
    message = proposals_of(event)[side]
    own, other = event.proposal.party(side), event.proposal.party(side.other)

    assert (message.own.id, message.own.version) == (own.id, own.version)
    assert (message.versions.technology, message.versions.demand) == (
        event.proposal.technology.version,
        event.proposal.demand.version,
    )
    shown = message.technology if side is Side.DEMAND else message.demand
    assert shown is not None
    assert shown.title == other.display.title
    assert message.risk.model_dump() == without(event.assessment.model_dump(), "computed_for")
    assert message.score == event.proposal.score
    # A verdict is told even where its wording would have given a name away.
    criteria = [check.criterion for check in message.checks]
    assert criteria == [check.criterion for check in event.proposal.checks]
    assert Proposal.model_validate_json(message.model_dump_json()) == message


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: each for key, each in value.items() if key != name}


@pytest.mark.parametrize("hidden", ["technology", "demand"])
@pytest.mark.parametrize("visibility", ["named", "only-to-the-moon"])
def test_nobody_is_told_where_a_record_is_not_the_other_sides_to_see(hidden: str, visibility: str) -> None:
    value = assessed_value()
    value["proposal"][hidden] |= {"visibility": visibility, "named_members": ["third-party"]}
    assert proposals_of(RiskAssessed.model_validate(value)) == {}


def test_a_record_named_for_the_other_side_is_told() -> None:
    value = assessed_value()
    value["proposal"]["technology"]["visibility"] = "named"
    assert proposals_of(RiskAssessed.model_validate(value)).keys() == set(Side)


def test_a_match_of_a_member_with_itself_is_not_told() -> None:
    value = assessed_value()
    value["proposal"]["technology"]["owner"] = value["proposal"]["demand"]["owner"]
    assert proposals_of(RiskAssessed.model_validate(value)) == {}


def test_a_proposal_that_could_not_be_assessed_is_told_with_the_reason() -> None:
    event = assessed("en")
    assert event.assessment.status == "not_assessed"
    assert proposals_of(event)[Side.DEMAND].risk.status == "not_assessed"


def searched(**changes: Any) -> DemandSearched:
    value = example("tongtu.demand.searched.v1", "valid-zh")
    value["nearest_miss"] |= {"owner": "example-materials"}
    value["nearest_miss"]["display"] |= {"owner": "example-materials"}
    value["nearest_miss"]["checks"] = [
        {"criterion": "trl", "asked": "7", "offered": "5", "verdict": "unmet"},
        {"criterion": "party", "offered": "example-materials", "verdict": "unknown"},
    ]
    return DemandSearched.model_validate(value | changes)


def test_the_nearest_miss_is_told_without_its_owner() -> None:
    message = no_match_of(searched())
    everything = list(strings(json.loads(message.model_dump_json())))
    assert not [text for text in everything if "example-materials" in text or "sulfide-electrolyte" in text]
    assert message.nearest_miss is not None
    assert [(check.asked, check.offered) for check in message.nearest_miss.checks] == [("7", "5"), (None, None)]
    assert message.nearest_miss.display.title
    assert NoMatch.model_validate_json(message.model_dump_json()) == message


def test_a_search_without_any_technology_is_told_too() -> None:
    assert no_match_of(searched(nearest_miss=None, technologies_searched=0)).nearest_miss is None


def changed(*path: str | int, to: Any, language: str = "zh") -> str:
    """The fingerprint of the demand side's proposal when one field of the event is another."""
    value = assessed_value(language)
    place = value
    for step in path[:-1]:
        place = place[step]  # type: ignore[index]
    place[path[-1]] = to  # type: ignore[index]
    return fingerprint.of_proposal(proposals_of(RiskAssessed.model_validate(value))[Side.DEMAND])


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("proposal", "technology", "version"), 9),
        (("proposal", "demand", "version"), 9),
        (("proposal", "method"), "hybrid-2"),
        (("proposal", "components"), {"lexical": 0.1}),
        (("proposal", "score"), 0.8301),
        (("proposal", "shared_terms"), ["离子电导率", "电解质膜", "固态电池"]),
        (("assessment", "model_version"), "2"),
        (("assessment", "assumptions"), []),
        (("assessment", "npv", "p50"), "-6210000.00"),
        (("assessment", "p_loss"), 0.6401),
    ],
)
def test_what_the_reader_would_not_notice_is_nothing_new(path: tuple[str, ...], to: Any) -> None:
    assert changed(*path, to=to) == changed("match_same", to=None)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        (("proposal", "technology", "display", "title"), "别的"),
        (("proposal", "technology", "display", "trl"), 7),
        (("proposal", "score"), 0.7),
        (("proposal", "checks", 0, "verdict"), "unmet"),
        (("assessment", "npv", "p50"), "-9200000.00"),
        (("assessment", "p_loss"), 0.2),
        (("assessment",), {"status": "not_assessed", "reason": "incomplete"}),
    ],
)
def test_what_the_reader_would_notice_is_new(path: tuple[str | int, ...], to: Any) -> None:
    assert changed(*path, to=to) != changed("match_same", to=None)


def test_what_only_the_other_side_sees_is_nothing_new() -> None:
    assert changed("proposal", "demand", "display", "title", to="另一个标题") == changed("match_same", to=None)
