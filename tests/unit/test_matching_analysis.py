"""Text becomes stemmed words and bigrams, counted by field."""

from __future__ import annotations

from services.matching.analysis import han_runs, terms, tokens


def counted(title: str, body: str = "") -> dict[str, tuple[int, int]]:
    return {term.term: (term.title, term.body) for term in terms(title, body)}


def test_words_meet_in_their_stems_and_stop_words_go() -> None:
    assert list(tokens("The coatings are coated")) == [("coat", "coatings"), ("coat", "coated")]


def test_chinese_is_counted_by_bigrams_and_a_lone_character_by_itself() -> None:
    assert [term for term, _ in tokens("高温合金，钛")] == ["高温", "温合", "合金", "钛"]


def test_scripts_are_told_apart_without_spaces() -> None:
    assert [term for term, _ in tokens("SiC陶瓷基CMC复合")] == ["sic", "陶瓷", "瓷基", "cmc", "复合"]


def test_full_width_letters_are_the_same_words() -> None:
    assert counted("ＬｉＤＡＲ") == counted("LiDAR")


def test_numbers_alone_single_letters_and_endless_words_are_no_terms() -> None:
    assert counted("600 2024 a x " + "y" * 41) == {}
    assert counted("7075 T6 Ti6Al4V").keys() == {"t6", "ti6al4v"}


def test_counts_are_kept_by_field_in_the_order_of_first_occurrence() -> None:
    found = terms("Seal rings", "A ring seals; the seal leaks")
    assert [(term.term, term.surface, term.title, term.body) for term in found] == [
        ("seal", "Seal", 1, 2),
        ("ring", "rings", 1, 1),
        ("leak", "leaks", 0, 1),
    ]


def test_nothing_gives_nothing() -> None:
    assert terms("", " \n…") == []
    assert han_runs("no Chinese") == []
