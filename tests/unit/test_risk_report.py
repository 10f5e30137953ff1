"""A report says what the assessment says, in both languages, on one page, with nothing from anywhere else."""

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from xml.etree import ElementTree

import pytest

from catalogue import FOLDER
from services.risk.assessment import RiskModel
from services.risk.shared_model import SharedModel
from shared.contracts.match import MatchProposed
from shared.contracts.risk import Assessment
from tongtu.__main__ import run
from tongtu.errors import UsageError
from tongtu.project_file import read_projects
from tongtu.risk_report.files import as_html, typeset, write_report
from tongtu.risk_report.page import Page, page_of
from tongtu.risk_report.phrases import PHRASES
from tongtu.risk_report.repeated import repeated_draws
from tongtu.risk_report.wording import Language, amount, is_known, named, source, unit

DAY = date(2026, 3, 31)
LANGUAGES: tuple[Language, ...] = ("zh", "en")
HAN = re.compile("[\u4e00-\u9fff]")


@pytest.fixture(scope="module")
def model() -> SharedModel:
    return SharedModel.load("2")


@pytest.fixture(scope="module")
def proposals() -> list[MatchProposed]:
    files = [FOLDER / "projects" / name for name in ("sample-zh.json", "sample-en.json", "portfolio.json")]
    return [project.proposal for project in read_projects(*files)]


@pytest.fixture(scope="module")
def assessed(model: SharedModel, proposals: list[MatchProposed]) -> list[Assessment]:
    return [each for each in RiskModel(model).assess(proposals) if isinstance(each, Assessment)]


def page(proposal: MatchProposed, risk: Assessment, language: Language, draws: Sequence[float] | None = None) -> Page:
    return page_of(proposal, risk, draws, language, DAY)


def pages_of(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_report_of_the_samples_is_one_page(
    language: Language, proposals: list[MatchProposed], assessed: list[Assessment]
) -> None:
    for proposal, risk in zip(proposals, assessed, strict=True):
        assert pages_of(typeset(page(proposal, risk, language), "pdf")) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_so_is_one_where_almost_everything_is_assumed(
    language: Language, model: SharedModel, proposals: list[MatchProposed]
) -> None:
    technology = proposals[0].technology
    assert technology.risk.plan is not None
    plan = technology.risk.plan.model_copy(update={"months": None, "estimate_class": None})
    little = technology.risk.model_copy(update={"trl": None, "plan": plan, "price": None})
    proposal = proposals[0].model_copy(update={"technology": technology.model_copy(update={"risk": little})})
    [risk] = RiskModel(model).assess([proposal])
    assert isinstance(risk, Assessment)
    assert pages_of(typeset(page(proposal, risk, language), "pdf")) == 1
    assert [each.name for each in risk.assumptions if not is_known(each.name)] == []
    assert [each for each in page(proposal, risk, "zh").assumptions if re.search("[a-z]{4}_|with", each.value)] == []


def test_chinese_glyphs_are_in_the_pdf(proposals: list[MatchProposed], assessed: list[Assessment]) -> None:
    pdf = typeset(page(proposals[0], assessed[0], "zh"), "pdf")
    assert b"NotoSansSC" in pdf
    # A glyph that the font lacks would be set from a fallback, of which the typesetter embeds another font.
    assert set(re.findall(rb"/BaseFont\s*/(?:[A-Z]{6}\+)?([A-Za-z]+)", pdf)) == {b"NotoSansSC"}


def test_a_png_is_a_picture_of_it(proposals: list[MatchProposed], assessed: list[Assessment]) -> None:
    png = typeset(page(proposals[0], assessed[0], "zh"), "png")
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20], "big") == 1240


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_page_explains_where_its_figures_are_from(
    language: Language, proposals: list[MatchProposed], assessed: list[Assessment]
) -> None:
    html = as_html(page(proposals[0], assessed[0], language))
    risk = assessed[0]
    for said in (risk.model_version, f"{risk.draws:,}", str(risk.seed), f"{risk.evidence.prior_weight:.0f}", "AACE"):
        assert said in html
    assert amount(risk.npv.p50, "CNY", language) in html
    assert proposals[0].technology.display.title in html
    assert html.count("<svg") == (4 if risk.missing_information else 3)
    assert getattr(PHRASES["heading"], language) in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_takes_nothing_from_elsewhere(
    language: Language, proposals: list[MatchProposed], assessed: list[Assessment]
) -> None:
    html = as_html(page(proposals[0], assessed[0], language))
    assert not re.search(r"<(script|link|img|iframe|object)\b|url\(|@import", html)
    assert set(re.findall(r"https?://[^\s\"'<]+", html)) <= {"http://www.w3.org/2000/svg"}


def test_what_a_member_wrote_is_text_and_never_markup(
    proposals: list[MatchProposed], assessed: list[Assessment]
) -> None:
    evil = '<script>alert(1)</script> & "#panic(1)" $x$ #let'
    technology = proposals[0].technology
    display = technology.display.model_copy(update={"title": evil})
    proposal = proposals[0].model_copy(update={"technology": technology.model_copy(update={"display": display})})
    made = page(proposal, assessed[0].model_copy(update={"currency": "<b>"}), "en")
    html = as_html(made)
    assert "<script" not in html
    assert "<b>" not in html.replace("<b>" + made.figures[0].value, "")[:0] + "".join(
        re.findall(r"<svg.*?</svg>", html, re.DOTALL)
    )
    assert "&lt;script&gt;" in html
    assert pages_of(typeset(made, "pdf")) >= 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_drawings_are_well_formed(
    language: Language, model: SharedModel, proposals: list[MatchProposed], assessed: list[Assessment]
) -> None:
    for proposal, risk in zip(proposals, assessed, strict=True):
        for draws in (None, repeated_draws(model, proposal, risk)):
            for chart in page(proposal, risk, language, draws).charts:
                drawn = ElementTree.fromstring(chart.svg)
                width = float(drawn.attrib["viewBox"].split()[2])
                for shape in drawn.iter("{http://www.w3.org/2000/svg}rect"):
                    assert float(shape.attrib["x"]) >= -0.5
                    assert float(shape.attrib["x"]) + float(shape.attrib["width"]) <= width + 0.5


def test_the_histogram_is_of_the_draws_behind_the_figures(
    model: SharedModel, proposals: list[MatchProposed], assessed: list[Assessment]
) -> None:
    draws = repeated_draws(model, proposals[0], assessed[0])
    assert draws is not None
    assert sum(draws) / len(draws) == pytest.approx(float(assessed[0].npv.mean), rel=1e-6)


def test_no_shape_is_drawn_of_draws_that_do_not_belong_to_the_figures(
    model: SharedModel, proposals: list[MatchProposed], assessed: list[Assessment]
) -> None:
    assert repeated_draws(model, proposals[1], assessed[0]) is None
    other = model.model_copy(update={"version": "2.1"})
    assert repeated_draws(other, proposals[0], assessed[0]) is None


def test_everything_the_model_names_has_a_name_in_both_languages(assessed: list[Assessment]) -> None:
    codes = {each.name for risk in assessed for each in (*risk.assumptions, *risk.drivers)}
    codes |= {stage.name for risk in assessed for stage in risk.stages}
    codes |= {each.field.rpartition("/")[2] for risk in assessed for each in risk.missing_information}
    assert [code for code in sorted(codes) if not is_known(code)] == []
    assert HAN.search(named("success.pilot", "zh"))
    for risk in assessed:
        for each in risk.assumptions:
            assert each.unit is None or unit(each.unit, "zh") == "" or HAN.search(unit(each.unit, "zh")), each.unit
            assert HAN.search(source(each.source, "zh"))


def test_every_phrase_takes_the_same_names_in_both_languages() -> None:
    for name, said in PHRASES.items():
        assert set(re.findall(r"{(\w+)}", said.zh)) >= set(re.findall(r"{(\w+)}", said.en)), name


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        ("12345678", "1,235 万 CNY", "12.3 M CNY"),
        ("-250000000", "−2.50 亿 CNY", "−250 M CNY"),
        ("3.2e12", "3.20 万亿 CNY", "3200 G CNY"),
        ("900", "900 CNY", "900 CNY"),
    ],
)
def test_money_as_each_language_counts_it(text: str, zh: str, en: str) -> None:
    assert amount(text, "CNY", "zh") == zh
    assert amount(text, "CNY", "en") == en


@pytest.mark.parametrize("ending", [".html", ".pdf", ".png"])
def test_the_command_writes_each_kind(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"report{ending}"
    sample = str(FOLDER / "projects" / "sample-zh.json")
    assert run(["risk", "assess", "--file", sample, "--report", str(path), "--json"]) == 0
    assert str(path) in capsys.readouterr().err
    begun = {".html": b"<!doctype html>", ".pdf": b"%PDF-", ".png": b"\x89PNG"}[ending]
    assert path.read_bytes().startswith(begun)
    if ending == ".html":
        assert "风险评估报告" in path.read_text(encoding="utf-8")


def test_other_endings_and_folders_that_are_not_there(
    tmp_path: Path, proposals: list[MatchProposed], assessed: list[Assessment], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="html"):
        write_report(page(proposals[0], assessed[0], "en"), tmp_path / "report.docx")
    sample = str(FOLDER / "projects" / "sample-en.json")
    assert run(["risk", "assess", "--file", sample, "--report", str(tmp_path / "no" / "r.html")]) == 1
    assert "cannot be written" in capsys.readouterr().err
