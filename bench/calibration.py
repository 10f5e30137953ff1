"""Does the shared model find the truth? `python -m bench.calibration [--json] [--plot FILE.svg]`

Simulated worlds whose truth is known and in which members report what became of their projects: `prior_right` (the
chances are those of the model file), `prior_wrong` (log-odds 1.2 lower at every gate, 0.4 in two of six fields; months
1.6 times as long and less spread), `drifting` (from the one to the other over the ten years). And `one_liar`:
prior_right, with one member who reports 40 failures a quarter that never happened.
10 runs of each, seeded; ten years, a version each quarter, 30 new projects a quarter of 40 members, no field known for
one in eight. Projects go on from gate to gate until they fail; each stage is forecast when the project enters, years
before the later ones end, and again by the version that holds when the stage begins (`..._again`).

Brier scores are of outcomes of the last two years: of the learning model, of the model file that never learns, and of
one who knows the truth (the least that is possible). error: root mean square of (probability that a version gives -
true probability) over gates and fields. halved_after, recovered_after: outcomes until the mean error is half of the
file's, or 0.08 (what a share counted over 40 projects is off by), and stays there; null if it never does, or need not.
coverage: share of months inside P10-P90, last two years.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

from bench.lines_svg import Line, drawing
from bench.simulated_worlds import LIES, QUARTERS, WORLDS, Run, simulate
from services.risk.scoring import success_score
from services.risk.shared_model import SharedModel

RUNS = 10
RIGHT_WITHIN = 0.08


def main() -> None:
    """Prints a table and, as the last line, one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.calibration", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the JSON object alone")
    parser.add_argument("--plot", type=Path, help="write the errors over the outcomes as an SVG file")
    arguments = parser.parse_args()
    base = SharedModel.load("2")
    runs = {world.name: [simulate(base, world, seed) for seed in range(RUNS)] for world in WORLDS}
    figures = {name: figures_of(own) for name, own in runs.items()}
    if not arguments.json:
        print_table(figures)
    if arguments.plot:
        arguments.plot.write_text(plot_of(runs), encoding="utf-8")
    print(json.dumps(figures))


def figures_of(runs: Sequence[Run]) -> dict[str, float | int | None]:
    """One world's figures over all its runs."""
    learning = success_score([pair for run in runs for pair in run.learning])
    mean_error = [fmean(run.error[quarter] for run in runs) for quarter in range(QUARTERS)]
    of_file = [fmean(run.error_of_file[quarter] for run in runs) for quarter in range(QUARTERS)]
    outcomes = [round(fmean(run.outcomes[quarter] for run in runs)) for quarter in range(QUARTERS)]

    def brier(pairs: Iterable[tuple[float, bool]]) -> float:
        return round(success_score(list(pairs)).brier or 0.0, 4)

    return {
        "outcomes": outcomes[-1],
        "brier": brier(pair for run in runs for pair in run.learning),
        "brier_again": brier(pair for run in runs for pair in run.again),
        "brier_of_file": brier(pair for run in runs for pair in run.of_file),
        "brier_of_truth": brier(pair for run in runs for pair in run.of_truth),
        "mean_forecast": round(learning.mean_forecast or 0.0, 4),
        "passed": round(learning.passed or 0.0, 4),
        "error": round(mean_error[-1], 4),
        "error_of_file": round(of_file[-1], 4),
        "halved_after": settled_after(outcomes, mean_error, [error / 2 for error in of_file]),
        "recovered_after": settled_after(outcomes, mean_error, [RIGHT_WITHIN] * QUARTERS),
        "coverage": round(fmean(within for run in runs for within in run.within), 4),
        "coverage_again": round(fmean(within for run in runs for within in run.within_again), 4),
        "coverage_of_file": round(fmean(within for run in runs for within in run.within_of_file), 4),
    }


def settled_after(outcomes: Sequence[int], error: Sequence[float], limit: Sequence[float]) -> int | None:
    """Outcomes from which on the error is within the limit; None where it is so from the start, or never."""
    beyond = [quarter for quarter in range(QUARTERS) if error[quarter] > limit[quarter]]
    return outcomes[beyond[-1] + 1] if beyond and beyond[-1] + 1 < QUARTERS else None


def print_table(figures: dict[str, dict[str, float | int | None]]) -> None:
    """A row for each figure, a column for each world."""
    print(f"{'':18}" + "".join(f"{name:>14}" for name in figures))
    for figure in next(iter(figures.values())):
        row = ["-" if (value := own[figure]) is None else f"{value:g}" for own in figures.values()]
        print(f"{figure:18}" + "".join(f"{text:>14}" for text in row))


def plot_of(runs: dict[str, list[Run]]) -> str:
    """The error over the outcomes: learning, and the file alone."""
    lines: list[Line] = []
    for name, own in runs.items():
        across = [fmean(run.outcomes[quarter] for run in own) for quarter in range(QUARTERS)]
        if name != "one_liar":
            unlearnt = [fmean(run.error_of_file[quarter] for run in own) for quarter in range(QUARTERS)]
            lines.append(Line(f"{name}, never learning", across, unlearnt, is_dashed=True))
        else:
            across = [each - LIES * (quarter + 1) for quarter, each in enumerate(across)]
        lines.append(Line(name, across, [fmean(run.error[quarter] for run in own) for quarter in range(QUARTERS)]))
    return drawing("Error of the probabilities to pass a gate", "true outcomes reported", lines)


if __name__ == "__main__":
    main()
