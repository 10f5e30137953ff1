"""What a mail says: every type in both languages, in two ways the same, and nothing in a text is more than text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP
from enum import StrEnum
from html.parser import HTMLParser
from string import Formatter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import shared.contracts.events as contracts
from services.notify.channels import mail_text
from services.notify.channels.delivery import InboxEvent
from services.notify.channels.letter import MOST_SUBJECT, Language, as_html, as_text, one_line
from services.notify.channels.mail_message import mail_of
from services.notify.channels.mail_phrases import PHRASES
from services.notify.channels.mail_text import letter_of
from services.notify.channels.mail_wording import WORDS, amount, exactly, share
from shared.contracts.base import InboxMessage
from shared.contracts.demand import Comparator, CooperationMode, Priority
from shared.contracts.events import (
    DeclineReason,
    IprStatus,
    MutualInterest,
    NotAssessedReason,
    OrganisationKind,
    Proposal,
    ProposalWithdrawn,
    ReceiptOutcome,
    RecordKind,
    TransferMode,
    Verdict,
)
from shared.contracts.example import Example, load_examples
from tests.mail_examples import MEMBER, event, value_of

NOW = datetime(2026, 3, 26, 8, 0, tzinfo=UTC)
LANGUAGES: tuple[Language, ...] = ("zh", "en")
TYPES = {
    each.type: each
    for each in vars(contracts).values()
    if isinstance(each, type) and issubclass(each, InboxMessage) and "type" in vars(each)
}
EXAMPLES = [each for each in load_examples() if each.contract in TYPES and each.valid]


class _Seen(HTMLParser):
    """What a reader sees of a page, and every tag and attribute in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self._hidden = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self._hidden = tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.text += data


def told(example: Example) -> InboxEvent:
    assert example.value is not None
    return InboxEvent("e1", "/services/notify", example.headers["ce_type"], NOW, example.key, example.value)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_plain_text_and_html_say_the_same(example: Example, language: Language) -> None:
    letter = letter_of(told(example), MEMBER, language)
    seen = " ".join(_Seen(as_html(letter)).text.split())
    for line in as_text(letter).splitlines():
        # Names of facts and their values stand in cells; marks of headings and points are the browser's.
        for part in re.split(r"：|: ", re.sub(r"^(#+|\*|--) ", "", line), maxsplit=1):
            assert " ".join(part.split()) in seen


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_a_page_fetches_nothing_and_leads_nowhere(example: Example, language: Language) -> None:
    page = as_html(letter_of(told(example), MEMBER, language))
    seen = _Seen(page)
    assert seen.tags <= {
        *("html", "head", "meta", "title", "style", "body", "footer"),
        *("h1", "h2", "h3", "p", "table", "tr", "th", "td", "ul", "li", "pre"),
    }
    assert seen.attributes <= {"lang", "charset", "name", "content", "http-equiv", "scope", "class"}
    assert "url(" not in page
    assert "@import" not in page


@pytest.mark.parametrize("type_", sorted(TYPES))
def test_every_type_of_the_contract_has_words_of_its_own(type_: str) -> None:
    assert type_ in mail_text._MODELS
    assert [each for each in EXAMPLES if each.contract == type_]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_proposal_says_all_that_the_reader_needs_to_judge_and_to_answer(language: Language) -> None:
    said = as_text(letter_of(event(), MEMBER, language))
    words = {
        "zh": [
            "83%（校准后的相关概率，方法版本 hybrid-1）",
            "P10 −2,140 万，P50 −620 万，P90 9,650 万，均值 1,890 万 CNY",
        ],
        "en": [
            "83 % (calibrated probability of relevance, method version hybrid-1)",
            "P10 −21.4 million, P50 −6.20 million, P90 96.5 million, mean 18.9 million CNY",
        ],
    }
    for each in (
        *words[language],
        "厚度 30 微米的硫化物固态电解质薄膜",
        "20260101",
        "4,096",
        "b64a1f0c93d7e8524c11aa09",
        '"type": "tongtu.match.answered.v1"',
        '"source": "/members/example-motors"',
        "member.example-motors.outbox",
        "tongtu members channels example-motors",
    ):
        assert each in said


def test_no_subject_tells_more_of_the_other_side_than_a_title() -> None:
    value = value_of(MutualInterest)
    organisation = value["organisation"]
    secrets = [organisation["id"], *organisation["names"].values(), value["other_id"], value["comment"]]
    secrets += [contact[name] for contact in organisation["contacts"] for name in contact]
    for language in LANGUAGES:
        letter = letter_of(event(MutualInterest), MEMBER, language)
        assert not [each for each in secrets if each in letter.subject]
        assert all(each in as_text(letter) for each in secrets)
        proposal = value_of(Proposal)
        allowed = letter_of(event(), MEMBER, language).subject.replace(proposal["technology"]["title"], "")
        assert not [each for each in proposal["technology"]["keywords"] if each in allowed]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_not_known_is_told_as_it_is(language: Language) -> None:
    unknown = InboxEvent("e9", "/services/x", "tongtu.news.v7", NOW, None, {"a": {"b": ["<i>", 2, None]}, "c": "d"})
    said = as_text(letter_of(unknown, MEMBER, language))
    for each in ("tongtu.news.v7", "e9", "/a/b/0", "<i>", "/a/b/1", "/c"):
        assert each in said
    assert "&lt;i&gt;" in as_html(letter_of(unknown, MEMBER, language))
    broken = event(ProposalWithdrawn, side="neither")
    assert "neither" in as_text(letter_of(broken, MEMBER, language))


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda part: st.lists(part) | st.dictionaries(st.text(), part),
        max_leaves=100,
    )
)
def test_nothing_that_a_message_may_hold_stops_a_mail(value: Any) -> None:
    for type_ in ("tongtu.news.v1", Proposal.type):
        letter = letter_of(InboxEvent("e9", "/services/x", type_, NOW, None, {"value": value}), MEMBER, "zh")
        assert mail_of(letter, "a@b.example", "c@d.example", "e9/email", NOW).as_bytes()


@pytest.mark.parametrize("language", LANGUAGES)
@settings(max_examples=30, deadline=None)
@given(st.text(st.characters() | st.sampled_from("\r\n\t\0\u2028\u202e<>&\"'=?"), min_size=1))
@example("x\r\nBcc: everybody@victim.example")
@example("x\n\n<script>alert(1)</script>")
@example("</title></style><img src=https://tracker.example/1.png>")
@example("{{ 7 * 7 }}{% include 'mail.html' %}{member}")
@example("=?utf-8?q?=0D=0ABcc:_everybody=40victim.example?=")
@example("\u202egnp.exe")
@example("长" * 200)
def test_a_title_is_a_title_whatever_it_holds(language: Language, title: str) -> None:
    value = value_of(Proposal)
    value["technology"] |= {"title": title, "summary": title}
    value["checks"], value["passages"] = [], []
    told = InboxEvent("e1", "/services/notify", Proposal.type, NOW, None, value)
    letter = letter_of(told, MEMBER, language)
    raw = mail_of(letter, "tongtu@platform.example", "ann@motors.example", "e1/email/ann", NOW).as_bytes()
    mail = message_from_bytes(raw, policy=SMTP)
    assert [name.lower() for name in mail.keys()] == [  # noqa: SIM118 - a message is no dict: its keys may repeat
        *("from", "to", "subject", "date", "message-id", "auto-submitted"),
        *("mime-version", "content-type", "content-language"),
    ]
    assert str(mail["Subject"]) == letter.subject
    assert len(letter.subject) <= MOST_SUBJECT
    assert not mail.defects
    page = as_html(letter)
    assert _Seen(page).tags.isdisjoint({"script", "img", "a", "i"})
    assert one_line(letter.subject) == letter.subject
    assert not [line for line in as_text(letter).splitlines() if line.startswith("Bcc:")]


def test_a_message_id_is_the_same_for_the_same_delivery_alone() -> None:
    letter = letter_of(event(), MEMBER, "zh")
    ids = [mail_of(letter, "a@b.example", "c@d.example", each, NOW)["Message-ID"] for each in ("e1/x", "e1/x", "e2/x")]
    assert ids[0] == ids[1] != ids[2]
    assert re.fullmatch(r"<[0-9a-f]{40}@b\.example>", ids[0])


@pytest.mark.parametrize("name", sorted(PHRASES))
def test_a_phrase_is_filled_alike_in_both_languages(name: str) -> None:
    zh, en = ({field for _, field, _, _ in Formatter().parse(said) if field} for said in PHRASES[name])
    assert zh == en
    assert "\n" not in "".join(PHRASES[name])


def _codes() -> Iterator[str]:
    kinds: tuple[type[StrEnum], ...] = (
        *(OrganisationKind, IprStatus, TransferMode, CooperationMode, Priority, Comparator, Verdict),
        *(DeclineReason, NotAssessedReason, ReceiptOutcome, RecordKind),
    )
    return (code for kind in kinds for code in kind)


def test_every_code_word_that_a_mail_shows_has_a_name() -> None:
    assert [code for code in _codes() if code not in WORDS] == []


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        ("-21400000.00", "−2,140 万 CNY", "−21.4 million CNY"),
        ("9650", "9,650 CNY", "9,650 CNY"),
        ("0", "0 CNY", "0 CNY"),
        ("123456789012", "1,235 亿 CNY", "123 billion CNY"),
        ("12345", "1.23 万 CNY", "12,345 CNY"),
    ],
)
def test_money_is_set_as_each_language_does(text: str, zh: str, en: str) -> None:
    assert (amount(text, "CNY", "zh"), amount(text, "CNY", "en")) == (zh, en)


def test_a_price_is_shown_as_it_was_written() -> None:
    assert exactly("3000000.50", "CNY") == "3,000,000.50 CNY"


@pytest.mark.parametrize(
    ("written", "zh", "en"), [(0.83, "83%", "83 %"), (0.004, "0.4%", "0.4 %"), (1.0, "100%", "100 %")]
)
def test_shares_are_percentages(written: float, zh: str, en: str) -> None:
    assert (share(written, "zh"), share(written, "en")) == (zh, en)
