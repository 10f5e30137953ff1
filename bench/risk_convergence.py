"""How fast Sobol draws settle beside plain ones, as an SVG: `python -m bench.risk_convergence [FILE]`.

For the projects of bench.risk: standard error of the mean and of P50, in percent of P90 - P10, by number of draws; the
root mean square over projects, from repetitions with other seeds. Takes two minutes; writes docs/risk-convergence.svg.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bench.risk import MODEL, proposal
from services.risk.basis import Basis, basis_of
from services.risk.by_draw import by_draw
from services.risk.draws import columns, draws_from, sobol
from services.risk.project import Case
from services.risk.shared_model import SharedModel

FILE = Path(__file__).parents[1] / "docs" / "risk-convergence.svg"
DRAWS = (64, 128, 256, 512, 1024, 2048, 4096, 8192)
REPETITIONS = 24
PROJECTS = 24
WIDTH, HEIGHT, MARGIN = 720, 420, 64
LINES = {"Sobol, mean": "#0b6e4f", "Sobol, P50": "#4fb286", "plain, mean": "#9b2226", "plain, P50": "#e08e79"}


def main() -> None:
    """Measures and writes the plot."""
    model = SharedModel.load(MODEL)
    found = [basis_of(proposal(random.Random(number))) for number in range(PROJECTS)]
    cases = [basis.case for basis in found if isinstance(basis, Basis)]
    curves: dict[str, list[float]] = {name: [] for name in LINES}
    for draws in DRAWS:
        for kind in ("Sobol", "plain"):
            means, medians = errors(model.model_copy(update={"draws": draws}), cases, kind)
            curves[f"{kind}, mean"].append(means)
            curves[f"{kind}, P50"].append(medians)
    for name, values in curves.items():
        print(f"{name:12}  " + "  ".join(f"{draws}: {value:.2%}" for draws, value in zip(DRAWS, values, strict=True)))
    (Path(sys.argv[1]) if len(sys.argv) > 1 else FILE).write_text(picture(curves), encoding="utf-8")


def errors(model: SharedModel, cases: Sequence[Case], kind: str) -> tuple[float, float]:
    """Standard error of mean and P50 over P90 - P10, root mean square over the cases."""
    runs = np.array([figures(model, cases, kind, seed) for seed in range(REPETITIONS)])
    spread = (runs[:, :, 3] - runs[:, :, 2]).mean(axis=0)
    known = spread > 0
    relative = runs[:, known, :2].std(axis=0, ddof=1) / spread[known, None]
    mean, median = np.sqrt(np.square(relative).mean(axis=0))
    return float(mean), float(median)


def figures(model: SharedModel, cases: Sequence[Case], kind: str, seed: int) -> NDArray[np.float64]:
    """Mean, P50, P10 and P90 of each case."""
    if kind == "Sobol":
        uniforms = sobol(model.model_copy(update={"seed": seed}))
    else:
        uniforms = np.random.default_rng(seed).uniform(1e-12, 1 - 1e-12, (model.draws, len(columns(model))))
    draws = draws_from(model, uniforms)
    values = np.array([by_draw(model, draws, case).net_present_value for case in cases])
    return np.column_stack([values.mean(axis=1), *np.quantile(values, [0.5, 0.1, 0.9], axis=1)])


def picture(curves: dict[str, list[float]]) -> str:
    """The curves on two logarithmic axes."""
    low, high = -3.5, -0.5

    def x(draws: float) -> float:
        share = np.log2(draws / DRAWS[0]) / np.log2(DRAWS[-1] / DRAWS[0])
        return MARGIN + share * (WIDTH - 2 * MARGIN - 90)

    def y(error: float) -> float:
        return HEIGHT - MARGIN - (np.log10(error) - low) / (high - low) * (HEIGHT - 2 * MARGIN)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="24" font-size="15">Standard error in percent of P90 - P10, by number of draws</text>',
    ]
    for error in (0.001, 0.01, 0.1):
        parts.append(f'<path d="M{x(DRAWS[0]):.1f} {y(error):.1f}H{x(DRAWS[-1]):.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 8}" y="{y(error) + 4:.1f}" text-anchor="end">{error:.1%}</text>')
    below = HEIGHT - MARGIN + 22
    parts += [f'<text x="{x(draws):.1f}" y="{below}" text-anchor="middle">{draws:,}</text>' for draws in DRAWS]
    ends: list[float] = []
    for name, values in sorted(curves.items(), key=lambda each: -each[1][-1]):
        points = " ".join(f"{x(draws):.1f},{y(value):.1f}" for draws, value in zip(DRAWS, values, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{LINES[name]}" stroke-width="2.5"/>')
        ends.append(max(y(values[-1]) + 4, ends[-1] + 15 if ends else 0.0))
        parts.append(f'<text x="{x(DRAWS[-1]) + 8:.1f}" y="{ends[-1]:.1f}" fill="{LINES[name]}">{name}</text>')
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    main()
