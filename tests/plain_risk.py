"""The risk model a second time, the long way: one world at a time, its own random numbers, no arrays.

Written from services/risk/README.md, so that the vectorised model is compared with what it says that it does.
"""

import math
import random
from itertools import accumulate, product
from statistics import NormalDist
from typing import NamedTuple

from services.risk.project import Case
from services.risk.shared_model import Gate, SharedModel, SuccessPrior

NORMAL = NormalDist()


class World(NamedTuple):
    """What happens to one project, whatever is decided."""

    chances: list[float]
    luck: list[float]
    months: list[float]
    capital: float
    margin: float
    price: float
    value: float


class PlainSimulation:
    """Worlds of one project, and the best policy found by trying all of them."""

    def __init__(self, model: SharedModel, case: Case, worlds: int) -> None:
        self.model, self.case = model, case
        self.gates = [gate for gate in model.gates if case.trl is None or gate.passed_at_trl > case.trl]
        self.gates = self.gates or [model.gates[-1]]
        self.priors = [self._prior(gate) for gate in self.gates]
        weights = [gate.cost_weight.value for gate in self.gates]
        self.costs = [case.money.capital * weight / sum(weights) for weight in weights]
        medians = [gate.months.value for gate in self.gates]
        if case.planned_months is not None:
            slipped = case.planned_months * (1 + model.slip(case.trl).value)
            medians = [median * slipped / sum(medians) for median in medians]
        self.medians = medians
        self.rate = math.log(1 + model.discount_rate.value) / 12
        self.random = random.Random(4)
        # A yearly amount that flows evenly, in steps of a hundredth of a year.
        steps = int(model.production_years.value * 100)
        self.years = sum((1 + model.discount_rate.value) ** (-(step + 0.5) / 100) / 100 for step in range(steps))
        self._factor_rows: list[list[float]] = []
        self.quantiles = [sorted(self._betas(prior)) for prior in self.priors]
        self.worlds = [self._world() for _ in range(worlds)]
        self.lowered = self._lowered()
        waits = [math.exp(-self.rate * world.months[-1]) for world in self.worlds]
        self.wait_for_last = sum(waits) / len(waits)

    def _prior(self, gate: Gate) -> SuccessPrior:
        start = self.case.trl or 1
        fitting = [prior for prior in gate.success if start in prior.from_trl]
        return (fitting or [prior for prior in gate.success if not prior.from_trl])[0]

    def _betas(self, prior: SuccessPrior) -> list[float]:
        a = prior.mean * prior.effective_sample_size
        return [self.random.betavariate(a, prior.effective_sample_size - a) for _ in range(20_000)]

    def _normals(self) -> dict[tuple[str, str], float]:
        """One for each quantity, correlated as the model says: each made of those before it and of its own."""
        names = [(kind, "") for kind in ("capital", "annual_cost", "annual_revenue")]
        names += [(kind, gate.name) for kind in ("months", "chance") for gate in self.gates]
        given: dict[frozenset[str], float] = {
            frozenset[str]((each.of, each.with_)): each.value for each in self.model.correlations
        }
        if not self._factor_rows:
            wanted = [[1.0 if a == b else given.get(frozenset((a[0], b[0])), 0.0) for b in names] for a in names]
            rows = self._factor_rows
            for i, wanted_row in enumerate(wanted):
                row: list[float] = []
                for j in range(i):
                    row.append((wanted_row[j] - sum(x * y for x, y in zip(row, rows[j], strict=False))) / rows[j][j])
                row.append(math.sqrt(1 - sum(x * x for x in row)))
                rows.append(row)
        own = [self.random.gauss(0, 1) for _ in names]
        return {
            name: sum(weight * part for weight, part in zip(row, own, strict=False))
            for name, row in zip(names, self._factor_rows, strict=True)
        }

    @staticmethod
    def _factor(normal: float, low: float, high: float) -> float:
        z = normal / 1.2815515655446004
        return (1 + high) ** z if z > 0 else (1 + low) ** -z

    def _world(self) -> World:
        money, accuracy = self.case.money, self.model.ranges[self.case.money.estimate_class]
        revenues = self.model.revenue_range
        normals = self._normals()
        spread = self.model.months_log_sd.value
        chances = [
            betas[min(int(NORMAL.cdf(normals["chance", gate.name]) * len(betas)), len(betas) - 1)]
            for gate, betas in zip(self.gates, self.quantiles, strict=True)
        ]
        revenue = money.annual_revenue * self._factor(normals["annual_revenue", ""], revenues.low, revenues.high)
        cost = money.annual_cost * self._factor(normals["annual_cost", ""], accuracy.low, accuracy.high)
        return World(
            chances,
            [self.random.random() for _ in self.gates],
            [m * math.exp(spread * normals["months", g.name]) for m, g in zip(self.medians, self.gates, strict=True)],
            self._factor(normals["capital", ""], accuracy.low, accuracy.high),
            revenue - cost,
            self.random.uniform(money.price.low, money.price.high),
            self.random.uniform(money.value.low, money.value.high),
        )

    def _lowered(self) -> list[float]:
        """By gate, what makes the prior's mean hold among the projects that arrive there."""
        factors: list[float] = []
        reach = [1.0] * len(self.worlds)
        for position, prior in enumerate(self.priors):
            passing = [r * world.chances[position] for r, world in zip(reach, self.worlds, strict=True)]
            dependent = bool(self.model.correlations)
            factors.append(prior.mean * sum(reach) / sum(passing) if dependent else 1.0)
            reach = [each * factors[-1] for each in passing]
        return factors

    def _value(self, world: World, stop_before: int, asks_at_last_gate: bool) -> float:
        """Stops at the beginning of stage `stop_before`; at the last one also where going on is not worth it."""
        income = self.years * max(world.margin, 0) + world.value
        total, last = -world.price, len(self.gates) - 1
        starts = [0.0, *accumulate(world.months)]
        for stage in range(last + 1):
            if stage == stop_before:
                return total
            if stage == last > 0 and asks_at_last_gate:
                worth = self.priors[stage].mean * self.wait_for_last * income - self.costs[stage] * world.capital
                if worth <= 0:
                    return total
            total -= self.costs[stage] * world.capital * math.exp(-self.rate * starts[stage])
            if world.luck[stage] >= world.chances[stage] * self.lowered[stage]:
                return total
        return total + income * math.exp(-self.rate * starts[-1])

    def best_policy(self) -> list[float]:
        """Net present values by world under the policy that expects most."""
        stops = range(1, len(self.gates) + 1)
        policies = [[self._value(world, *each) for world in self.worlds] for each in product(stops, (True, False))]
        return max(policies, key=sum)

    def committed(self) -> list[float]:
        """Those of a project that never stops, and that runs its production even at a loss."""
        values: list[float] = []
        for world in self.worlds:
            total, when = -world.price, 0.0
            for stage, duration in enumerate(world.months):
                total -= self.costs[stage] * world.capital * math.exp(-self.rate * when)
                when += duration
                if world.luck[stage] >= world.chances[stage] * self.lowered[stage]:
                    break
            else:
                total += (self.years * world.margin + world.value) * math.exp(-self.rate * when)
            values.append(total)
        return values

    def months(self) -> list[float]:
        """To production, whether or not it is reached."""
        return [sum(world.months) for world in self.worlds]
