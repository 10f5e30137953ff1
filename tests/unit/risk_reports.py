"""Reported outcomes as the tests of learning and scoring make them."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import date
from typing import Any

from services.risk.evidence import Forecast, Report, Subject
from shared.contracts.events import Result

DAY = date(2026, 6, 1)
numbers = itertools.count()


def report(result: str = "passed", stage: str = "pilot", **given: Any) -> Report:
    """Of a technology of its own and a member of its own, at TRL 6, unless `given` says otherwise."""
    number = next(numbers)
    about = given.pop("about", f"m-{number}")
    subject = Subject(
        given.pop("technology", f"owner/{about}"),
        given.pop("trl", 6),
        given.pop("field", None),
        given.pop("forecasts", {}),
    )
    made = Report(
        id=f"member-{number}/o-{number}",
        owner=f"member-{number}",
        about=about,
        stage=stage,
        result=Result(result),
        day=DAY,
        months=None,
        number=1,
        subject=subject,
    )
    return replace(made, **given)


def forecast(p: float = 0.5, median: float = 12.0, **given: Any) -> Forecast:
    """Of a version that knew nothing of the outcome; months from a half to twice the median."""
    made = Forecast("1", 0, p, (median / 2, median, median * 2), 1.0)
    return replace(made, **given)
