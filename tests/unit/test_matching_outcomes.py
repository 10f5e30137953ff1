"""Whatever the order, the batches, failures and restarts: in the end each demand has its best technologies alone."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.matching.answers import Answer, Pair
from services.matching.outcomes import Outcome, Proposed, Rule
from services.matching.ranking import pair_logit
from services.matching.shard import Change, Shard, profile_of
from services.matching.shortlist import Entry
from services.matching.work import Subject
from shared.contracts.events import Side, Visibility
from tests.unit.matching_profiles import MODEL, party, work

RULE = Rule(most=3, least=-5.0)


def change(side: Side, id: str, version: int, seed: int | None, is_embedded: bool = False, **about: object) -> Change:
    about_it = party(id, version, **about)  # type: ignore[arg-type]
    given_work = None if seed is None else work(side, seed, about_it, is_embedded)
    return Change(Subject(side, id), version, given_work)


@dataclass
class State:
    """What MongoDB would hold, and the shard in memory that follows it."""

    shard: Shard = field(default_factory=lambda: Shard(MODEL))
    records: dict[Subject, Change] = field(default_factory=dict)
    proposed: dict[str, Proposed] = field(default_factory=dict)
    answers: dict[object, Answer] = field(default_factory=dict)
    most_demands: int = 1000
    rule: Rule = RULE
    postponed: set[Subject] = field(default_factory=set)
    number: int = 0
    written: dict[object, int] = field(default_factory=dict)
    """By record and by demand with a shortlist, the change that wrote it."""
    snapshot: tuple[int, dict[str, Any]] | None = None

    def poll(self, batch: Sequence[Change | Answer], fails: bool = False) -> list[Outcome]:
        self.shard.take_back()
        changes = self.shard.newer(each for each in batch if isinstance(each, Change))
        answers = self.shard.answers.newer(each for each in batch if isinstance(each, Answer))
        self.shard.apply(changes.values())
        reconsidered = {each.pair for each in self.shard.hear(answers)}
        outcomes = self.settle(changes, fails, reconsidered)
        if not fails:
            self.records |= changes
            self.written |= dict.fromkeys(changes, self.number)
            self.answers |= {(each.pair, each.side): each for each in answers}
        while self.postponed and not fails:
            touched = {subject: self.records[subject] for subject in self.postponed}
            self.postponed.clear()
            self.settle({s: Change(s, each.version, None) for s, each in touched.items()}, fails)
        return outcomes

    def settle(self, changes: dict[Subject, Change], fails: bool, reconsidered: Collection[Pair] = ()) -> list[Outcome]:
        found = self.rule.newcomers(self.shard, changes)
        technologies = {subject.id for subject in changes if subject.side is Side.TECHNOLOGY}
        before = {
            id: each
            for id, each in self.proposed.items()
            if id in found
            or id in {demand for _, demand in reconsidered}
            or Subject(Side.DEMAND, id) in changes
            or any(entry.technology in technologies for entry in each.entries)
        }
        later = self.rule.later(changes, found, before, self.most_demands)
        outcomes = self.rule.outcomes(self.shard, changes, found, before, later, reconsidered)
        if fails:
            return outcomes
        self.postponed |= {Subject(Side.TECHNOLOGY, id) for id in later}
        for each in outcomes:
            if each.is_closed:
                self.proposed.pop(each.demand, None)
            else:
                version = self.shard.versions[Subject(Side.DEMAND, each.demand)]
                self.proposed[each.demand] = Proposed(each.demand, version, each.entries)
        floors = {each.demand: self.rule.floor(each.entries) for each in outcomes if not each.is_closed}
        self.number += 1
        self.written |= dict.fromkeys(floors, self.number)
        self.shard.confirm(self.number, floors)
        return outcomes

    def restart(self) -> None:
        """In another process: from the snapshot, if there is one, and what has been written since."""
        self.shard = Shard(MODEL)
        if self.snapshot is not None:
            self.shard.restore(*deepcopy(self.snapshot))
        after = self.shard.number
        for subject, each in self.records.items():
            if self.written[subject] > after:
                self.shard.load(each)
        for answer in self.answers.values():
            self.shard.load_answer(answer)
        newer = [each for each in self.proposed.values() if self.written[each.demand] > after]
        self.shard.confirm(self.number, {each.demand: self.rule.floor(each.entries) for each in newer})

    def keep_snapshot(self) -> None:
        self.shard.take_back()
        self.snapshot = deepcopy((self.shard.number, self.shard.arrays()))

    @property
    def shortlists(self) -> dict[str, tuple[Entry, ...]]:
        return {id: each.entries for id, each in self.proposed.items()}


def expected(latest: dict[Subject, Change], rule: Rule, answers: Iterable[Answer] = ()) -> dict[str, tuple[Entry, ...]]:
    """Every pair scored by itself; `answers`: each party's last one."""
    declined = {(each.pair, each.declined) for each in answers}
    live = {subject: profile_of(each.work, MODEL) for subject, each in latest.items() if each.work is not None}
    offered = [profile for subject, profile in live.items() if subject.side is Side.TECHNOLOGY]
    shortlists: dict[str, tuple[Entry, ...]] = {}
    for subject, asked in live.items():
        if subject.side is Side.DEMAND:
            entries = [
                Entry(each.id, each.version, logit)
                for each in offered
                if each.party.owner != asked.party.owner
                and each.party.visible_to(asked.party.owner)
                and asked.party.visible_to(each.party.owner)
                and ((each.id, asked.id), (each.version, asked.version)) not in declined
                and (logit := pair_logit(each, asked, MODEL)) >= rule.least
            ]
            shortlists[asked.id] = tuple(sorted(entries, key=lambda entry: entry.rank)[: rule.most])
    return shortlists


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_the_end_is_the_same_for_every_interleaving_failure_and_restart(seed: int) -> None:
    chance = random.Random(seed)
    history: dict[Subject, list[Change]] = {}
    for side, count in ((Side.TECHNOLOGY, 14), (Side.DEMAND, 6)):
        for number in range(count):
            id = f"owner{number % 5}/{number}"
            versions = [
                change(
                    side,
                    id,
                    version,
                    None if chance.random() < 0.25 else chance.randrange(10**6),
                    is_embedded=chance.random() < 0.8,
                    language=chance.choice(["en", "en", "zh"]),
                    visibility=chance.choice([Visibility.PUBLIC, Visibility.MEMBERS, Visibility.NAMED]),
                    named=["owner1", "owner2"],
                )
                for version in range(1, chance.randint(2, 4))
            ]
            history[Subject(side, id)] = versions
    said: dict[tuple[Pair, Side], list[Answer]] = {}
    for subject in history:
        for other in history:
            if subject.side is Side.TECHNOLOGY and other.side is Side.DEMAND and chance.random() < 0.5:
                # To any versions, perhaps such as come only later; the last answer of each party counts.
                pair, side = (subject.id, other.id), chance.choice(list(Side))
                said[pair, side] = [
                    Answer(*pair, side, version, chance.choice([(1, 1), (1, 1), (2, 1), (1, 2), (2, 2), None]))
                    for version in range(1, chance.randint(2, 4))
                ]
    rule = Rule(most=3, least=chance.choice([-12.0, -9.0, -5.0, 6.0, 9.0]))
    latest = {subject: versions[-1] for subject, versions in history.items()}
    ends = expected(latest, rule, [answers[-1] for answers in said.values()])

    for count in (1, chance.choice([1, 2, 4])):
        shards = [State(most_demands=chance.choice([1, 2, 1000]), rule=rule) for _ in range(count)]
        waiting: dict[object, list[Change | Answer]] = {key: [*all] for key, all in (*history.items(), *said.items())}
        while waiting:
            batch: list[Change | Answer] = []
            for _ in range(chance.randint(1, 12)):
                if waiting:
                    subject = chance.choice(sorted(waiting, key=str))
                    batch.append(waiting[subject].pop(0))
                    if not waiting[subject]:
                        del waiting[subject]
            for number, state in enumerate(shards):
                own = [each for each in batch if number in shards_of(each, count)]
                if chance.random() < 0.3:
                    state.poll(own, fails=True)
                if chance.random() < 0.2:
                    state.restart()
                state.poll(own)
                if chance.random() < 0.2:
                    state.poll(own)  # a repetition changes nothing
                if chance.random() < 0.2:
                    state.keep_snapshot()
        assert {demand: entries for state in shards for demand, entries in state.shortlists.items()} == ends


def shards_of(each: Change | Answer, count: int) -> range:
    return (each.subject if isinstance(each, Change) else Subject(Side.DEMAND, each.demand)).shards(count)


def outcomes_of(state: State, *changes: Change) -> dict[str, Outcome]:
    return {each.demand: each for each in state.poll(list(changes))}


def test_news_is_the_first_search_and_the_step_between_none_and_some() -> None:
    state = State()
    first = outcomes_of(state, change(Side.DEMAND, "dd/1", 1, 7))["dd/1"]
    assert (first.is_news, first.entries, first.nearest) == (True, (), None)
    some = outcomes_of(state, change(Side.TECHNOLOGY, "tt/1", 1, 7))["dd/1"]
    assert (some.is_news, len(some.entries)) == (True, 1)
    more = outcomes_of(state, change(Side.TECHNOLOGY, "tt/2", 1, 7))["dd/1"]
    assert (more.is_news, len(more.entries)) == (False, 2)
    assert [entry.technology for entry in more.differences[0]] == ["tt/2"]
    fewer = outcomes_of(state, change(Side.TECHNOLOGY, "tt/1", 2, None))["dd/1"]
    assert (fewer.is_news, len(fewer.entries)) == (False, 1)
    none = outcomes_of(state, change(Side.TECHNOLOGY, "tt/2", 2, None))["dd/1"]
    assert (none.is_news, none.entries) == (True, ())
    again = outcomes_of(state, change(Side.DEMAND, "dd/1", 2, 7))["dd/1"]
    assert again.is_news
    closed = outcomes_of(state, change(Side.DEMAND, "dd/1", 3, None))["dd/1"]
    assert closed.is_closed
    assert state.proposed == {}


def test_a_search_that_finds_nothing_good_enough_names_the_nearest() -> None:
    strict = Rule(most=3, least=50.0)
    shard = Shard(MODEL)
    changes = {
        each.subject: each for each in (change(Side.TECHNOLOGY, "tt/1", 1, 1), change(Side.DEMAND, "dd/1", 1, 2))
    }
    shard.apply(changes.values())
    (outcome,) = strict.outcomes(shard, changes, strict.newcomers(shard, changes), {})
    assert outcome.entries == ()
    assert outcome.nearest is not None
    assert outcome.nearest.technology == "tt/1"
    assert outcome.subjects == {Subject(Side.DEMAND, "dd/1"), Subject(Side.TECHNOLOGY, "tt/1")}


def test_lower_and_equal_versions_are_ignored_also_after_a_withdrawal() -> None:
    shard = Shard(MODEL)
    shard.apply([change(Side.TECHNOLOGY, "tt/1", 3, None)])
    shard.confirm(1, {})
    late = [change(Side.TECHNOLOGY, "tt/1", version, 1) for version in (2, 3)]
    assert shard.newer(late) == {}
    anew = change(Side.TECHNOLOGY, "tt/1", 4, 1)
    assert shard.newer([*late, anew]) == {anew.subject: anew}


def test_a_technology_and_a_demand_may_share_an_id() -> None:
    shard = Shard(MODEL)
    shard.apply([change(Side.TECHNOLOGY, "aa/1", 1, 1), change(Side.DEMAND, "aa/1", 1, 1)])
    shard.confirm(1, {})
    shard.apply([change(Side.DEMAND, "aa/1", 2, None)])
    assert "aa/1" in shard.technologies
    assert "aa/1" not in shard.demands
    shard.take_back()
    assert "aa/1" in shard.demands
    assert shard.versions[Subject(Side.DEMAND, "aa/1")] == 1


def declined(technology: str, demand: str, versions: tuple[int, int], version: int = 1) -> Answer:
    return Answer(technology, demand, Side.DEMAND, version, versions)


def test_a_declined_pair_gives_way_to_the_next_best_until_a_record_changes() -> None:
    state = State(rule=Rule(most=1, least=-5.0))
    state.poll([change(Side.TECHNOLOGY, "tt/best", 1, 7), change(Side.TECHNOLOGY, "tt/next", 1, 8)])
    state.poll([change(Side.DEMAND, "dd/1", 1, 7)])
    assert [entry.technology for entry in state.shortlists["dd/1"]] == ["tt/best"]
    (outcome,) = state.poll([declined("tt/best", "dd/1", (1, 1))])
    proposed, withdrawn = outcome.differences
    assert [entry.technology for entry in (*proposed, *withdrawn)] == ["tt/next", "tt/best"]
    assert outcome.cause == ("tt/best", "dd/1")
    assert state.poll([declined("tt/best", "dd/1", (1, 1))]) == []
    state.restart()
    state.poll([change(Side.TECHNOLOGY, "tt/next", 2, None)])
    assert state.shortlists["dd/1"] == ()
    (outcome,) = state.poll([change(Side.TECHNOLOGY, "tt/best", 2, 7)])
    assert [(entry.technology, entry.version) for entry in outcome.entries] == [("tt/best", 2)]


def test_a_party_may_change_its_mind_and_an_older_answer_says_nothing() -> None:
    state = State()
    state.poll([change(Side.TECHNOLOGY, "tt/1", 1, 7), change(Side.DEMAND, "dd/1", 1, 7)])
    state.poll([declined("tt/1", "dd/1", (1, 1), version=2)])
    assert state.shortlists["dd/1"] == ()
    assert state.poll([Answer("tt/1", "dd/1", Side.DEMAND, 1, None)]) == []
    (outcome,) = state.poll([Answer("tt/1", "dd/1", Side.DEMAND, 3, None)])
    assert [entry.technology for entry in outcome.entries] == ["tt/1"]
    assert outcome.is_news
    # The other side's word counts by itself.
    state.poll([Answer("tt/1", "dd/1", Side.TECHNOLOGY, 1, (1, 1))])
    assert state.shortlists["dd/1"] == ()


def test_a_declined_technology_is_no_nearest_miss() -> None:
    state = State(rule=Rule(most=3, least=50.0))
    state.poll([change(Side.TECHNOLOGY, "tt/1", 1, 7), change(Side.DEMAND, "dd/1", 1, 7)])
    (outcome,) = state.poll([declined("tt/1", "dd/1", (1, 1))])
    assert outcome.nearest is None


def test_a_technology_that_touches_many_demands_goes_on_in_another_poll() -> None:
    state = State(most_demands=1000)
    demands = [change(Side.DEMAND, f"dd/{number}", 1, 7) for number in range(5)]
    state.poll(demands)
    offer = change(Side.TECHNOLOGY, "tt/1", 1, 7)
    changes = {offer.subject: offer}
    state.shard.apply([offer])
    found = RULE.newcomers(state.shard, changes)
    before = {id: state.proposed[id] for id in found}
    later = RULE.later(changes, found, before, most=2)
    assert later == {"tt/1": {"dd/2", "dd/3", "dd/4"}}
    outcomes = RULE.outcomes(state.shard, changes, found, before, later)
    assert [each.demand for each in outcomes] == ["dd/0", "dd/1"]
    # What has heard of it by then does not count again.
    done = {each.demand: Proposed(each.demand, 1, each.entries) for each in outcomes}
    assert RULE.later(changes, found, before | done, most=2) == {"tt/1": {"dd/4"}}
