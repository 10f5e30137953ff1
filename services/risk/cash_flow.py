"""Net present value of projects on one path, draw by draw, with the freedom to stop at each gate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.risk.distribution import mean
from services.risk.draws import Array, Draws
from services.risk.money_rows import MoneyColumns
from services.risk.paths import Path
from services.risk.shared_model import SharedModel
from services.risk.timeline import Timeline, annuity, spent_until

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class NetPresentValue:
    """`by_draw` (m, n), with stopping; `option_value` (m,): what the freedom to stop adds to the expectation.

    `committed` (m,): the expectation for a project that goes on to the end unless a stage fails.
    """

    by_draw: Array
    option_value: Array
    committed: Array


@dataclass(frozen=True, slots=True)
class _Amounts:
    """Of m projects in each draw, (m, n): what the plan costs, and what production is worth when it begins."""

    capital: Array
    earned: Array
    """Of all years, with the value received once, where a production that loses money is closed."""
    saved: Array
    """What closing it saves."""


@dataclass(frozen=True, slots=True)
class _Decisions:
    """`stop_before` (m,): the first stage after the first that is not begun in any draw, or k if there is none.

    `last_begun` (m, n): whether the last stage is begun, if it comes to that. The two expectations (m,) are without
    the price.
    """

    stop_before: Indices
    last_begun: NDArray[np.bool_] | None
    worth: Array
    committed: Array


def net_present_value(
    model: SharedModel, draws: Draws, path: Path, times: Timeline, money: MoneyColumns, project: Indices | None = None
) -> NetPresentValue:
    """Discounted to today, price and first stage always paid (not to begin at all is no risk and no news).

    Each stage is paid when it begins; a failed one ends the project. Before the last stage the estimate of cost and
    the market are known (AACE: a class 3 estimate is what authorises), so the project goes on only in the draws where
    that is worth it at the average chance and duration of the last stage; at the gates before it only expectations
    are known, so it goes on in all draws or in none. A production that earns less than it costs to run is closed.
    `project` (m,) says to which row of `times` each row of `money` belongs; None: row by row.
    """
    amounts = _amounts(model, draws, money)
    times = times if project is None else _rows(times, project)
    decide = _decide_dependent if model.correlations else _decide_independent
    decisions = decide(path, times, amounts)
    begun = times.income * amounts.earned
    begun -= times.last * amounts.capital
    if decisions.last_begun is not None:
        begun *= decisions.last_begun
    begun -= times.before_last * amounts.capital
    for row in np.flatnonzero(decisions.stop_before < len(path.stages)):
        begun[row] = -spent_until(path, times.pace[row], int(decisions.stop_before[row])) * amounts.capital[row]
    begun -= money.price_low
    mean_price = money.price_low[:, 0]
    if money.price_width.any():
        begun -= money.price_width * draws.price_position
        mean_price = mean_price + money.price_width[:, 0] * draws.price_position.mean()
    return NetPresentValue(
        by_draw=begun,
        option_value=decisions.worth - decisions.committed,
        committed=decisions.committed - mean_price,
    )


def _amounts(model: SharedModel, draws: Draws, money: MoneyColumns) -> _Amounts:
    years = annuity(model)
    margins = (years * money.annual_revenue) * draws.revenue_factor[money.revenue_row]
    margins -= (years * money.annual_cost) * draws.operating_cost_factor[money.cost_row]
    earned = np.maximum(margins, 0.0)
    saved = np.subtract(earned, margins, out=margins)
    if money.value_low.any() or money.value_width.any():
        earned += money.value_low + money.value_width * draws.value_position
    return _Amounts(money.capital * draws.capital_factor[money.capital_row], earned, saved)


def _worth_at_last_gate(path: Path, times: Timeline, amounts: _Amounts) -> Array:
    """Of going on, seen from there with amounts known: at the average chance and duration of the last stage."""
    last = path.stages[-1]
    worth = (last.prior.mean * times.waiting[-1])[:, None] * amounts.earned
    worth -= last.cost_share * amounts.capital
    return worth


def _decide_independent(path: Path, times: Timeline, amounts: _Amounts) -> _Decisions:
    """Where nothing depends on anything, an expectation of a product is the product of expectations, without noise.

    The policy is then the best one for the order of news, because success and durations say nothing about later ones.
    """
    stages, last = path.stages, len(path.stages) - 1
    at_last_gate = _worth_at_last_gate(path, times, amounts)
    to_win = (stages[last].prior.mean * times.waiting[last])[:, None]
    worth = mean(np.maximum(at_last_gate, 0.0) if last else at_last_gate)
    committed = mean(at_last_gate - to_win * amounts.saved)
    stop_before = np.full(len(worth), last + 1)
    mean_capital = mean(amounts.capital)
    for position in range(last - 1, -1, -1):
        spent = stages[position].cost_share * mean_capital
        passing = stages[position].prior.mean * times.waiting[position]
        worth, committed = passing * worth - spent, passing * committed - spent
        if position:
            stop_before = np.where(worth > 0, stop_before, position)
            worth = np.maximum(worth, 0.0)
    return _Decisions(stop_before, at_last_gate > 0 if last else None, worth, committed)


def _decide_dependent(path: Path, times: Timeline, amounts: _Amounts) -> _Decisions:
    """Where chances, durations and costs go together: expectations over the draws, each with its chance of arriving.

    What a project has seen so far says something about what is ahead, which this rule leaves unused except at the
    last gate, and there for the amounts alone: a rule that people can follow. It is replaced by going on in any case
    where that is worth more, so that the freedom to stop is never worth less than nothing.
    """
    last = len(path.stages) - 1
    flow = times.expected_income * amounts.earned
    flow -= times.expected_spent[last] * amounts.capital
    worth = always = mean(flow)
    committed = always - _mean_of_product(times.expected_income, amounts.saved)
    last_begun = None
    if last:
        last_begun = _worth_at_last_gate(path, times, amounts) > 0
        flow *= last_begun
        worth = mean(flow)
        last_begun |= (worth < always)[:, None]
        worth = np.maximum(worth, always)
    stop_before = np.full(len(worth), last + 1)
    for position in range(last - 1, -1, -1):
        spent = _mean_of_product(times.expected_spent[position], amounts.capital)
        worth, committed = worth - spent, committed - spent
        if position:
            stop_before = np.where(worth > 0, stop_before, position)
            worth = np.maximum(worth, 0.0)
    return _Decisions(stop_before, last_begun, worth, committed)


def _mean_of_product(shares: Array, amounts: Array) -> Array:
    """Over the draws, (m,). `shares` (m, n), or (m, 1) where they are the same in all draws."""
    if shares.shape[1] == 1:
        return shares[:, 0] * mean(amounts)
    return np.vecdot(shares, amounts) / amounts.shape[1]


def _rows(times: Timeline, project: Indices) -> Timeline:
    return Timeline(
        pace=times.pace[project],
        before_last=times.before_last[project],
        last=times.last[project],
        income=times.income[project],
        expected_spent=tuple(each[project] for each in times.expected_spent),
        expected_income=times.expected_income[project] if times.expected_spent else times.expected_income,
        waiting=times.waiting[:, project],
    )
