"""Versions only ever go up, whatever order they come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.versions import HIGHEST, Known, Ruling, rule

LIVE = Known(4, "content")
WITHDRAWN = Known(4, None)


@pytest.mark.parametrize(
    ("known", "version", "content", "ruling", "result"),
    [
        (None, None, "content", Ruling.TAKE, 1),
        (None, 7, "content", Ruling.TAKE, 7),
        (None, None, None, Ruling.UNKNOWN, 0),
        (None, 3, None, Ruling.UNKNOWN, 0),
        (LIVE, None, "content", Ruling.REPEATED, 4),
        (LIVE, None, "other", Ruling.TAKE, 5),
        (LIVE, 3, "content", Ruling.OUTDATED, 4),
        (LIVE, 3, "other", Ruling.OUTDATED, 4),
        (LIVE, 4, "content", Ruling.REPEATED, 4),
        (LIVE, 4, "other", Ruling.CONFLICT, 4),
        (LIVE, 9, "content", Ruling.TAKE, 9),
        (LIVE, None, None, Ruling.TAKE, 5),
        (LIVE, 3, None, Ruling.OUTDATED, 4),
        (LIVE, 4, None, Ruling.CONFLICT, 4),
        (LIVE, 6, None, Ruling.TAKE, 6),
        (WITHDRAWN, None, None, Ruling.REPEATED, 4),
        (WITHDRAWN, 4, None, Ruling.REPEATED, 4),
        (WITHDRAWN, 3, None, Ruling.OUTDATED, 4),
        (WITHDRAWN, 3, "content", Ruling.OUTDATED, 4),
        (WITHDRAWN, 4, "content", Ruling.CONFLICT, 4),
        (WITHDRAWN, 5, "content", Ruling.TAKE, 5),
        (WITHDRAWN, None, "content", Ruling.TAKE, 5),
        (Known(HIGHEST, "content"), None, "other", Ruling.EXHAUSTED, HIGHEST),
        (Known(HIGHEST, "content"), HIGHEST, "content", Ruling.REPEATED, HIGHEST),
    ],
)
def test_the_rule(known: Known | None, version: int | None, content: str | None, ruling: Ruling, result: int) -> None:
    assert rule(known, version, content) == (ruling, result)


Said = tuple[int | None, str | None]
SAID = st.tuples(st.none() | st.integers(1, 6), st.none() | st.sampled_from("ab"))


@given(st.lists(SAID))
def test_what_is_taken_has_a_higher_version_than_all_before(said: list[Said]) -> None:
    known: Known | None = None
    taken: list[int] = []
    for version, content in said:
        ruling, result = rule(known, version, content)
        if ruling is Ruling.TAKE:
            taken.append(result)
            known = Known(result, content)
    assert taken == sorted(set(taken))


@given(st.permutations(list(range(1, 8))))
def test_with_versions_the_end_does_not_depend_on_the_order(order: list[int]) -> None:
    known: Known | None = None
    for version in order:
        content = None if version == 4 else f"content {version}"
        ruling, result = rule(known, version, content)
        if ruling is Ruling.TAKE:
            known = Known(result, content)
    assert known == Known(7, "content 7")
