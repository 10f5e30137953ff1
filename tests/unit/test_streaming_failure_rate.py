"""More than one in twenty in a minute is a bug; fewer, or few at all, are bad records."""

from __future__ import annotations

from shared.streaming.failure_rate import FailureRate


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_few_failures_say_nothing() -> None:
    rate = FailureRate(0.05, 10)
    rate.add(valid=9)
    rate.add(failed=9)
    assert not rate.is_alarming


def test_more_than_the_share_is_alarming() -> None:
    rate = FailureRate(0.05, 10)
    rate.add(valid=200, failed=10)
    assert not rate.is_alarming
    rate.add(failed=1)
    assert rate.is_alarming


def test_what_is_older_than_a_minute_is_forgotten() -> None:
    clock = Clock()
    rate = FailureRate(0.05, 10, clock)
    rate.add(valid=10, failed=10)
    assert rate.is_alarming
    clock.now = 61.0
    rate.add(valid=1)
    assert not rate.is_alarming


def test_failures_of_timers_alone_count_too() -> None:
    rate = FailureRate(0.05, 10)
    rate.add(failed=10)
    assert rate.is_alarming
