"""Is a score a probability? `python -m bench.reliability SCORES [--out docs/reliability.svg]`

SCORES is what `python -m bench.fit_matching ... --scores FILE` wrote: probabilities of the labelled SBIR pairs, each by
a re-ranker and a curve that had seen neither the demand nor another of its title. Beside it stand the pairs of
bench/paraphrases by pair of languages, with the model as it is checked in; there a pair fits from grade 2 on.
Prints, for each, the bands and the expected calibration error; draws what the service tells if --out is given (group
docs: matplotlib).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bench.fit.corpus import Mask, Matrix
from bench.fit.measures import calibration_error, reliability
from bench.fit.paraphrased import Scored, scored
from services.matching.embedding import Embedder
from services.matching.encoding import Analyser
from services.matching.statistics import Model

FITS = 2
"""The grade from which a paraphrase fits."""
BANDS = {
    "SBIR": (0, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.85, 1),
    "paraphrases": (0, 0.01, 0.03, 0.1, 0.3, 0.6, 1),
}
VISIBLE = 0.03
Curves = dict[str, list[dict[str, float]]]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scores", type=Path, help="what bench.fit_matching wrote with --scores")
    parser.add_argument("--out", type=Path, help="where to draw it, as SVG")
    arguments = parser.parse_args()
    with np.load(arguments.scores) as stored:
        curves: Curves = {"SBIR": _told("SBIR", stored["probabilities"], stored["labels"] > 0, BANDS["SBIR"])}
    for languages, pairs in scored(Model.load(), Analyser(Embedder())).items():
        name, fits = f"paraphrases, {languages}", pairs.grades >= FITS
        curves[name] = _told(name, 1 / (1 + np.exp(-pairs.logits)), fits, BANDS["paraphrases"])
        _medians(pairs)
    if arguments.out:
        _draw(curves, arguments.out)


def _told(name: str, probabilities: Matrix, fits: Mask, edges: tuple[float, ...]) -> list[dict[str, float]]:
    bands = reliability(probabilities.ravel(), fits.ravel(), edges)
    print(f"{name}: {fits.sum()} of {fits.size:,} pairs fit")
    for band in bands:
        print("  {pairs:8,.0f} pairs, told {told:.4f}, found {found:.4f}".format(**band))
    visible = calibration_error([band for band in bands if band["told"] >= VISIBLE])
    print(f"  expected calibration error {calibration_error(bands):.4f}, from {VISIBLE} on {visible:.3f}")
    return bands


def _medians(pairs: Scored) -> None:
    """Of scores as the service gives them."""
    kinds = {"grade 3": pairs.grades == 3, "hard negatives": pairs.is_hard_negative}
    told = {name: 1 / (1 + np.exp(-np.median(pairs.logits[kind]))) for name, kind in kinds.items() if kind.any()}
    print("  median score: " + ", ".join(f"{name} {value:.4f}" for name, value in told.items()))


def _draw(curves: Mapping[str, list[dict[str, float]]], out: Path) -> None:
    import matplotlib  # pyright: ignore[reportMissingImports] - the group docs

    matplotlib.use("svg")
    # Text stays text, and the same curves give the same file.
    matplotlib.rcParams |= {"svg.fonttype": "none", "svg.hashsalt": "reliability", "font.size": 9}
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    plot: Any = pyplot
    figure, panels = plot.subplots(1, 2, figsize=(9, 4.4), layout="constrained", sharey=True)
    for panel, title in zip(panels, ("US SBIR pairs, out of fold", "Paraphrases, as the service tells"), strict=True):
        panel.plot([1e-4, 1], [1e-4, 1], color="0.7", linewidth=1, linestyle="--")
        panel.set(xscale="log", yscale="log", xlim=(1e-4, 1), ylim=(1e-4, 1), title=title, xlabel="probability told")
    panels[0].set_ylabel("share that fits")
    for (name, bands), marker in zip(curves.items(), "osD^v", strict=True):
        panel = panels[0 if name == "SBIR" else 1]
        told, found, pairs = (np.array([band[key] for band in bands]) for key in ("told", "found", "pairs"))
        some = found > 0
        spread = 1.96 * np.sqrt(found * (1 - found) / pairs)
        below = np.minimum(spread, found * 0.9)  # a logarithm has no room for nothing
        panel.errorbar(
            told[some], found[some], yerr=(below[some], spread[some]), marker=marker, markersize=4, linewidth=1,
            capsize=2, label=name.removeprefix("paraphrases, "),
        )  # fmt: skip
    panels[1].legend(title="demands on technologies", fontsize=8)
    figure.savefig(out, format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
