"""Languages are told by script."""

from __future__ import annotations

import pytest

from services.intake.language import answer_language, detect


@pytest.mark.parametrize(
    ("text", "tag"),
    [
        ("高温超导限流器", "zh"),
        ("CF/PEEK 热塑性复合材料 AFP 原位固结", "zh"),
        ("高溫超導限流器", "zh"),
        ("Low-iridium PEM electrolysis", "en"),
        ("Low-iridium PEM electrolysis (示例理工大学), degradation 6 µV/h over 4,000 h", "en"),
        ("自動運転のためのミリ波レーダ", "ja"),
        ("고체 전해질 배터리", "ko"),
        ("Высокотемпературный сверхпроводник", "ru"),
        ("تحلية مياه البحر", "ar"),
        ("1234 %", "en"),
        ("", "en"),
    ],
)
def test_a_script_tells_the_language(text: str, tag: str) -> None:
    assert detect(text) == tag


def test_the_first_text_that_says_something_decides() -> None:
    assert detect("固态电池", None, "") == "zh"
    assert detect("Solid-state battery", "x" * 1000, "固态电池" * 300) == "en"


@pytest.mark.parametrize(
    ("value", "language"),
    [
        ({"language": "zh-Hant", "title": "Title"}, "zh"),
        ({"language": "de", "title": "标题"}, "en"),
        ({"title": "标题"}, "zh"),
        ({"problem": "A problem"}, "en"),
        ({"title": 7, "id": "x"}, None),
        ({}, None),
        ([], None),
        ('{"title": "标题"'.encode(), "zh"),
        (b'{"title": "x"', None),
        ("标题".encode("gb18030"), None),
        (None, None),
    ],
)
def test_the_language_to_answer_in_is_the_messages_own(value: object, language: str | None) -> None:
    assert answer_language(value) == language
