"""A small SVG canvas: shapes and texts in user units, every text escaped, nothing remote."""

from __future__ import annotations

from xml.etree import ElementTree

FONT = "Noto Sans SC, Noto Sans CJK SC, Source Han Sans SC, Microsoft YaHei, PingFang SC, sans-serif"
GAIN, LOSS, INK, FAINT, ACCENT = "#2b6cb0", "#c05621", "#1a202c", "#a0aec0", "#dd6b20"


class Canvas:
    """Collects shapes; `width` and `height` are in user units of about a point each."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._root = ElementTree.Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "viewBox": f"0 0 {_number(width)} {_number(height)}",
                "role": "img",
                "font-family": FONT,
            },
        )
        ElementTree.SubElement(self._root, "title").text = title

    def rectangle(self, x: float, y: float, width: float, height: float, colour: str, opacity: float = 1.0) -> None:
        """A filled one; one without area is left out."""
        if width > 0 and height > 0:
            self._add("rect", x=x, y=y, width=width, height=height, fill=colour, opacity=opacity)

    def line(self, x1: float, y1: float, x2: float, y2: float, colour: str, width: float = 1, dash: str = "") -> None:
        """A straight one."""
        attributes: dict[str, str | float] = {"stroke_width": width} | ({"stroke_dasharray": dash} if dash else {})
        self._add("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=colour, **attributes)

    def text(self, x: float, y: float, written: str, size: float = 9, anchor: str = "start", colour: str = INK) -> None:
        """One line; `anchor` is start, middle or end; `y` is its base line."""
        self._add("text", x=x, y=y, font_size=size, text_anchor=anchor, fill=colour).text = written

    def _add(self, tag: str, **attributes: str | float) -> ElementTree.Element:
        written = {
            name.replace("_", "-"): each if isinstance(each, str) else _number(each)
            for name, each in attributes.items()
        }
        return ElementTree.SubElement(self._root, tag, written)

    def svg(self) -> str:
        """The drawing as one element, ready to stand in a page."""
        return ElementTree.tostring(self._root, encoding="unicode")


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def text_width(written: str, size: float) -> float:
    """About how wide a line is: a Chinese character is as wide as it is high, others a little over half of that."""
    return sum(size if character >= "\u2e80" else 0.56 * size for character in written)
