"""How many risk assessments a second, and how exact: `python -m bench.risk [--events 30000] [--json]`.

core: assessments a second in one process, from proposal to finished record, 4,096 draws, with drivers and the effect
of missing information, batches of 256 different projects, with the garbage collector and numpy's threads set as in
every service. through_kafka: of one service process that reads proposals
from Kafka, keeps results in MongoDB and writes them to Kafka. p50_relative_error: standard error of P50 over
P90 - P10, root mean square over projects, measured by repeating the assessments with other scrambles of the Sobol
sequence. The worst project is printed too: it is one for which going on at some gate is worth next to nothing, so that
the decision changes with the scramble.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from bench.risk_service import through_kafka
from services.risk.assessment import RiskModel
from services.risk.basis import Basis, basis_of
from services.risk.shared_model import SharedModel
from services.risk.simulation import Simulation
from shared.contracts.events import MatchProposed
from shared.runtime.service import spare_the_collector

MODEL = "2"
BATCH = 256
SECONDS = 3.0
SCRAMBLES = 16


def main() -> None:
    """Prints a short account and, as the last line, one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.risk", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--events", type=int, default=30_000, help="proposals that wait for the service")
    arguments = parser.parse_args()

    parameters = SharedModel.load(MODEL)
    proposals = [proposal(random.Random(number)) for number in range(BATCH)]
    core = assessments_per_second(RiskModel(parameters), proposals)
    errors = p50_relative_errors(parameters, proposals)
    error = float(np.sqrt(np.square(errors).mean()))
    served = through_kafka(proposals, arguments.events)
    if not arguments.json:
        print(f"assessments in one process   {core:8,.0f} /s   {1000 / core:.2f} ms each, batches of {BATCH}")
        print(f"through Kafka and MongoDB    {served:8,.0f} /s   one service process, {arguments.events:,} proposals")
        print(f"standard error of P50        {error:8.2%}      of P90 - P10; the worst of {BATCH}: {errors.max():.2%}")
    figures = {"core": core, "through_kafka": served, "p50_relative_error": error}
    print(json.dumps({name: round(value, 6 if value < 1 else 1) for name, value in figures.items()}))


def assessments_per_second(model: RiskModel, proposals: list[MatchProposed]) -> float:
    """Over about three seconds of full batches, after one to warm up."""
    threadpool_limits(1)
    model.assess(proposals)
    spare_the_collector()
    started, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < SECONDS:
        done += len(model.assess(proposals))
    return done / elapsed


def p50_relative_errors(parameters: SharedModel, proposals: list[MatchProposed]) -> NDArray[np.float64]:
    """Of each project, the standard deviation of P50 over scrambles, divided by P90 - P10."""
    cases = [basis.case for basis in map(basis_of, proposals) if isinstance(basis, Basis)]
    runs = np.array(
        [
            [(each.npv.p10, each.npv.p50, each.npv.p90) for each in Simulation(scrambled).run(cases)]
            for scrambled in (parameters.model_copy(update={"seed": seed}) for seed in range(SCRAMBLES))
        ]
    )
    spread = (runs[:, :, 2] - runs[:, :, 0]).mean(axis=0)
    return runs[:, :, 1].std(axis=0, ddof=1) / spread


def proposal(chance: random.Random) -> MatchProposed:
    """A proposal with a full plan, of any readiness, size and estimate class."""
    currency = "CNY"
    capital = 10 ** chance.uniform(6, 8.5)
    revenue = capital * chance.uniform(0.3, 3)
    price = capital * chance.uniform(0.01, 0.2)
    shown = {"title": "projected plant", "language": "en"}
    technology: dict[str, Any] = {
        "trl": chance.randint(1, 9),
        "plan": {
            "capital": f"{capital:.2f}",
            "annual_revenue": f"{revenue:.2f}",
            "annual_cost": f"{revenue * chance.uniform(0.3, 0.9):.2f}",
            "currency": currency,
            "months": chance.randint(6, 72),
            "estimate_class": chance.randint(1, 5),
        },
        "price": {"min": f"{price:.2f}", "max": f"{2 * price:.2f}", "currency": currency},
    }
    party = {"version": 1, "visibility": "members", "language": "en"}
    return MatchProposed.model_validate(
        {
            "match_id": f"{chance.getrandbits(96):024x}",
            "technology": {**party, "id": "supplier/plant", "owner": "supplier", "display": shown, "risk": technology},
            "demand": {**party, "id": "buyer/need", "owner": "buyer", "display": shown, "risk": {}},
            "score": 0.8,
            "method": "bench",
        }
    )


if __name__ == "__main__":
    main()
