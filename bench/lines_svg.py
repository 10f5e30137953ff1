"""A plain line chart as an SVG file, for figures in docs/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 760, 380, 56, 40, 220, 48
COLOURS = ("#1b6ca8", "#c0392b", "#2e7d32", "#8e5bb5", "#b9770e", "#455a64")
STEPS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One line; lines whose names begin alike up to a comma share a colour."""

    name: str
    across: Sequence[float]
    up: Sequence[float]
    is_dashed: bool = False


def drawing(title: str, axis: str, lines: Sequence[Line]) -> str:
    """Both axes begin at 0."""
    most_across = max(max(line.across) for line in lines)
    most_up = max(max(line.up) for line in lines) * 1.05
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    families = list(dict.fromkeys(line.name.partition(",")[0] for line in lines))

    def place(across: float, up: float) -> str:
        return f"{LEFT + across / most_across * wide:.1f},{TOP + high - up / most_up * high:.1f}"

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        'font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{escape(title)}</text>',
    ]
    for step in range(STEPS + 1):
        up, across = most_up * step / STEPS, most_across * step / STEPS
        y, x = TOP + high - step / STEPS * high, LEFT + step / STEPS * wide
        parts.append(f'<path d="M{LEFT},{y:.1f}h{wide}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{up:.2f}</text>')
        parts.append(f'<text x="{x:.1f}" y="{TOP + high + 18}" text-anchor="middle">{across:.0f}</text>')
    parts.append(f'<text x="{LEFT + wide / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(axis)}</text>')
    for number, line in enumerate(lines):
        colour = COLOURS[families.index(line.name.partition(",")[0]) % len(COLOURS)]
        dash = ' stroke-dasharray="5 4"' if line.is_dashed else ""
        points = " ".join(place(x, y) for x, y in zip(line.across, line.up, strict=True))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>')
        y = TOP + 10 + 20 * number
        parts.append(f'<path d="M{WIDTH - RIGHT + 12},{y}h26" stroke="{colour}" stroke-width="1.8"{dash}/>')
        parts.append(f'<text x="{WIDTH - RIGHT + 44}" y="{y + 4}">{escape(line.name)}</text>')
    return "\n".join([*parts, "</svg>", ""])
