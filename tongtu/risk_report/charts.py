"""The drawings of a report: what it may come to, how long it takes, what drives the spread, what would narrow it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from shared.contracts.risk import Assessment
from tongtu.risk_report.drawing import ACCENT, FAINT, GAIN, INK, LOSS, Canvas, text_width
from tongtu.risk_report.wording import Language, amount, named, share

_WIDTH = 360.0
_BINS = 36
_LABEL = 8.5
_MOST_BARS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """A named share between 0 and 1."""

    name: str
    share: float


def distribution_chart(risk: Assessment, draws: Sequence[float] | None, title: str, language: Language) -> str:
    """Net present value: how the draws fall, with P10, P50, P90 and zero.

    Without draws only the quantiles are drawn, as a box: no shape is made up between them.
    """
    height = 150.0
    canvas = Canvas(_WIDTH, height, title)
    points = {
        "P5": -float(risk.var95),
        "P10": float(risk.npv.p10),
        "P50": float(risk.npv.p50),
        "P90": float(risk.npv.p90),
    }
    low, high = min(*points.values(), 0.0), max(*points.values(), 0.0)
    if draws:
        ranked = sorted(draws)
        low = min(low, ranked[len(ranked) // 200])
        high = max(high, ranked[-1 - len(ranked) // 50])
    span = (high - low) or 1.0
    low, high = low - 0.04 * span, high + 0.04 * span
    left, right, base, top = 8.0, _WIDTH - 8.0, height - 26.0, 34.0

    def across(value: float) -> float:
        return left + (value - low) / (high - low) * (right - left)

    if draws:
        _histogram(canvas, draws, low, high, (left, right, base, top))
    else:
        canvas.line(across(points["P5"]), 90, across(points["P10"]), 90, INK, 1.5)
        canvas.rectangle(across(points["P10"]), 70, across(points["P90"]) - across(points["P10"]), 40, GAIN, 0.5)
        canvas.line(across(points["P50"]), 70, across(points["P50"]), 110, INK, 2.5)
    canvas.line(left, base, right, base, INK, 1)
    marks = [(name, points[name]) for name in ("P10", "P50", "P90")]
    for row, (name, value) in enumerate(marks):
        x, y = across(value), 9.0 + 10.0 * row
        canvas.line(x, y + 2, x, base, INK, 0.8, "" if name == "P50" else "3 2")
        label = f"{name}  {amount(_written(value), '', language)}"
        before = x + text_width(label, _LABEL) + 4 > right
        canvas.text(x - 3 if before else x + 3, y, label, _LABEL, "end" if before else "start")
    for value in (low, 0.0, high):
        canvas.line(across(value), base, across(value), base + 4, INK)
    canvas.text(left, base + 15, amount(_written(low), "", language), _LABEL)
    canvas.text(right, base + 15, amount(_written(high), risk.currency, language), _LABEL, "end")
    if left + 60 < across(0.0) < right - 80:
        canvas.text(across(0.0), base + 15, "0", _LABEL, "middle")
    return canvas.svg()


def _histogram(
    canvas: Canvas, draws: Sequence[float], low: float, high: float, frame: tuple[float, float, float, float]
) -> None:
    """Bars of equal width, one of them ending at zero; draws beyond the scale are counted in its last bars."""
    left, right, base, top = frame
    width = (high - low) / _BINS
    # Whole bars on either side of zero, so that none is both loss and gain.
    first = low if low >= 0 else -width * -(low // width)
    counts = [0] * (_BINS + 1)
    for value in draws:
        counts[min(max(int((value - first) // width), 0), _BINS)] += 1
    tallest = max(counts)
    for position, count in enumerate(counts):
        begin, end = first + position * width, first + (position + 1) * width
        x1 = left + (max(begin, low) - low) / (high - low) * (right - left)
        x2 = left + (min(end, high) - low) / (high - low) * (right - left)
        tall = count / tallest * (base - top)
        canvas.rectangle(x1 + 0.3, base - tall, x2 - x1 - 0.6, tall, LOSS if end <= width / 2 else GAIN, 0.75)


def timeline_chart(risk: Assessment, title: str, months: str, reached: str, language: Language) -> str:
    """Stages after each other: a bar as long as the median, a whisker from P10 to P90, chance to pass, to get so far.

    `months` and `reached` are the headings of the columns at the right.
    """
    row, left, right = 19.0, 88.0, _WIDTH - 150.0
    height = row * (len(risk.stages) + 1) + 24.0
    canvas = Canvas(_WIDTH, height, title)
    medians = sum(stage.months.p50 for stage in risk.stages)
    beyond = max((stage.months.p90 - stage.months.p50 for stage in risk.stages), default=0.0)
    longest = max(risk.months_to_production.p90, medians + beyond) or 1.0

    def across(value: float) -> float:
        return left + value / longest * (right - left)

    canvas.text(right + 8, 10, months, _LABEL, colour=FAINT)
    canvas.text(_WIDTH - 4, 10, reached, _LABEL, "end", FAINT)
    begun, still, y = 0.0, 1.0, 16.0
    for stage in risk.stages:
        ended = begun + stage.months.p50
        canvas.text(0, y + 11, named(stage.name, language), 9.5)
        canvas.rectangle(across(begun), y + 3, across(ended) - across(begun), 10, GAIN, 0.75)
        canvas.line(across(begun + stage.months.p10), y + 8, across(begun + stage.months.p90), y + 8, INK, 1)
        canvas.text(right + 8, y + 11, _range(stage.months.p10, stage.months.p50, stage.months.p90), 9)
        still *= stage.p_success
        canvas.text(_WIDTH - 4, y + 11, f"{share(stage.p_success, language)} → {share(still, language)}", 9, "end")
        begun, y = ended, y + row
    whole = risk.months_to_production
    canvas.text(0, y + 11, "Σ", 9.5)
    canvas.line(across(whole.p10), y + 8, across(whole.p90), y + 8, ACCENT, 3)
    canvas.line(across(whole.p50), y + 3, across(whole.p50), y + 13, ACCENT, 2)
    canvas.text(right + 8, y + 11, _range(whole.p10, whole.p50, whole.p90), 9)
    canvas.line(left, height - 8, right, height - 8, FAINT)
    canvas.text(left, height, "0", 7.5, colour=FAINT)
    canvas.text(right, height, f"{longest:.0f}", 7.5, "end", FAINT)
    return canvas.svg()


def bars_chart(bars: Sequence[Bar], title: str, language: Language) -> str:
    """Named shares, largest first, at most eight."""
    row, left, right = 16.0, 120.0, _WIDTH - 40.0
    shown = bars[:_MOST_BARS]
    canvas = Canvas(_WIDTH, row * max(len(shown), 1) + 4, title)
    for position, bar in enumerate(shown):
        y = position * row
        canvas.text(0, y + 11, bar.name, 9)
        canvas.rectangle(left, y + 3, right - left, 10, FAINT, 0.18)
        canvas.rectangle(left, y + 3, min(bar.share, 1.0) * (right - left), 10, GAIN, 0.75)
        canvas.text(_WIDTH - 4, y + 11, share(bar.share, language), 9, "end")
    return canvas.svg()


def _written(value: float) -> str:
    return str(Decimal(value))


def _range(p10: float, p50: float, p90: float) -> str:
    return f"{p50:.0f} ({p10:.0f}–{p90:.0f})"
