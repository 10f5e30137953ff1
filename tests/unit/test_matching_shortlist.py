"""A shortlist kept up to date is the shortlist that a search would give, or says that it cannot tell."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.matching.shortlist import Entry, Shortlist, differences

THRESHOLD = 0.0
Scores = dict[str, tuple[int, float]]


def best(scores: Scores, size: int) -> tuple[Entry, ...]:
    entries = [Entry(id, version, logit) for id, (version, logit) in scores.items() if logit >= THRESHOLD]
    return tuple(sorted(entries, key=lambda entry: entry.rank)[:size])


technologies = st.sampled_from([f"t{number}" for number in range(12)])
logits = st.integers(-3, 6).map(float)  # many ties
changes = st.lists(st.dictionaries(technologies, st.none() | logits, min_size=1, max_size=5), max_size=12)


@given(changes, st.integers(1, 4))
def test_it_always_is_the_best_of_what_there_is(batches: list[dict[str, float | None]], size: int) -> None:
    scores: Scores = {}
    shortlist = Shortlist((), size)
    for batch in batches:
        for id, logit in batch.items():
            version = scores.get(id, (0, 0.0))[0] + 1
            scores.pop(id, None)
            if logit is not None:
                scores[id] = (version, logit)
        least = max(THRESHOLD, shortlist.floor)
        found = [Entry(id, *scores[id]) for id in batch if id in scores and scores[id][1] >= least]
        updated = shortlist.updated(batch.keys(), found)
        shortlist = updated if updated is not None else Shortlist(best(scores, size), size)
        assert shortlist.entries == best(scores, size)


def test_a_list_with_room_never_needs_a_search_and_a_full_one_only_when_it_loses() -> None:
    one, two, three = Entry("a", 1, 3.0), Entry("b", 1, 2.0), Entry("c", 1, 1.0)
    assert Shortlist((one,), 2).updated({"a"}, []) == Shortlist((), 2)
    assert Shortlist((one, two), 2).updated({"c"}, []) == Shortlist((one, two), 2)
    assert Shortlist((one, two), 2).updated({"b"}, []) is None
    assert Shortlist((one, two), 2).updated({"b"}, [three]) is None
    better = Entry("b", 2, 2.5)
    assert Shortlist((one, two), 2).updated({"b"}, [better]) == Shortlist((one, better), 2)


def test_what_still_holds_is_proposed_again_only_where_its_content_changed() -> None:
    old = [Entry("a", 1, 3.0), Entry("b", 1, 2.0), Entry("c", 1, 1.0)]
    new = [Entry("b", 2, 4.0), Entry("a", 1, 3.0), Entry("d", 1, 2.0)]
    assert differences(old, new, everything_changed=False) == ([new[0], new[2]], [old[2]])
    assert differences(old, new, everything_changed=True) == (new, [old[2]])
    assert differences([], [], everything_changed=True) == ([], [])
