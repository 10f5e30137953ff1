"""A comment reaches the other side of a declined match unless it says who wrote it."""

import pytest

from services.notify.members import disclosed
from services.notify.naming import gives_away, mentions
from shared.contracts.events import OrganisationRegistered
from tests.unit.test_notify_due import example

AUTHOR = disclosed(OrganisationRegistered.model_validate(example(OrganisationRegistered.type, "valid-zh")))
RECORD = "example-materials/sulfide-electrolyte"


@pytest.mark.parametrize(
    "comment",
    [
        "示例材料研究院暂不考虑。",
        "我们（示例 材料 研究院）暂不考虑。",
        "Not for EXAMPLE  Institute of Materials.",
        "see example-materials",
        "see Example Materials",
        "见 ｅｘａｍｐｌｅ－ｍａｔｅｒｉａｌｓ",
        f"instead of {RECORD}",
        "请联系技术转移办公室",
        "write to transfer@materials.example",
        "电话 020 0000 0000",
        "电话 ０２０－００００－００００",
        "代码 12100000EXAMP1E01A",
        "more at https://materials.example",
        "more at www.materials.example",
    ],
)
def test_a_comment_that_says_who_wrote_it_is_kept_back(comment: str) -> None:
    assert gives_away(comment, AUTHOR, RECORD)


@pytest.mark.parametrize(
    "comment", ["Above our budget per turbine.", "希望完成中试后再谈，2027 年预算 600000 元以内。", "30 μm, 3 mS/cm"]
)
def test_any_other_comment_is_told(comment: str) -> None:
    assert not gives_away(comment, AUTHOR, RECORD)


def test_nothing_is_told_of_an_author_whose_names_are_not_known() -> None:
    assert gives_away("Above our budget per turbine.", None, RECORD)


def test_a_member_is_mentioned_as_a_whole_word_only() -> None:
    assert mentions("acme", ["for ACME, only"])
    assert not mentions("acme", ["acme-two", None, "pacmen"])
