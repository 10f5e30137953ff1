"""Units as members write them, in either script, so that two figures can be compared."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import pint

_REGISTRY = pint.UnitRegistry()
# Nothing else is given to the library: an exponent of a member's choice could keep it busy for hours.
_NAME = r"[A-Za-z_]{1,24}(?:\*\*-?[1-9])?"
_SAFE = re.compile(rf"{_NAME}(?:[*/]{_NAME}){{0,4}}(?:/\({_NAME}(?:\*{_NAME}){{0,3}}\))?")
_SYMBOLS = MappingProxyType(
    {
        "℃": "degC", "°C": "degC", "µ": "u", "μ": "u", "Ω": "ohm", "·": "*", "⋅": "*", "^": "**",
        "⁻": "**-", "²": "**2", "³": "**3", "−": "-",
    }
)  # fmt: skip
_WORDS = MappingProxyType(
    {
        "小时": "hour", "分钟": "minute", "秒": "second", "天": "day", "日": "day", "周": "week", "个月": "month",
        "月": "month", "年": "year", "纳米": "nm", "微米": "um", "毫米": "mm", "厘米": "cm", "米": "m", "公里": "km",
        "千米": "km", "平方米": "m**2", "立方米": "m**3", "毫克": "mg", "克": "g", "千克": "kg", "公斤": "kg",
        "吨": "metric_ton", "毫升": "mL", "升": "L", "帕": "Pa", "千帕": "kPa", "兆帕": "MPa", "伏": "V", "千伏": "kV",
        "安": "A", "瓦": "W", "千瓦": "kW", "兆瓦": "MW", "千瓦时": "kWh", "赫兹": "Hz", "千赫": "kHz", "兆赫": "MHz",
    }
)  # fmt: skip
CHINESE = tuple(sorted(_WORDS.keys() - {"月", "日"}, key=lambda word: (-len(word), word)))
"""Unit words that stand behind a figure in Chinese text, longest first; 3 月 and 5 日 are dates there."""
_SHARES = MappingProxyType({"%": 1e-2, "％": 1e-2, "percent": 1e-2, "‰": 1e-3, "ppm": 1e-6, "ppb": 1e-9})


@dataclass(frozen=True, slots=True)
class Unit:
    """Figures of one `kind` can be compared once each is multiplied by its `scale`."""

    kind: str
    scale: float


@lru_cache(maxsize=4_096)
def unit(written: str) -> Unit:
    """The unit that this means; what nobody knows can be compared with the same word alone.

    So can temperatures: degrees of two scales differ by an offset, and differences of them do not.
    """
    text = written.strip()
    if text in _SHARES:
        return Unit("share", _SHARES[text])
    text = _WORDS.get(text, text)
    # Exponents first: a micro sign is a letter, and `⁻²` reads from left to right.
    for symbol, meaning in _SYMBOLS.items():
        text = text.replace(symbol, meaning)
    text = re.sub(r"\*\*-\*\*(?=[23])", "**-", text)
    if not _SAFE.fullmatch(text):
        return Unit(written.strip().lower(), 1.0)
    try:
        found = _REGISTRY.parse_units(text)
        dimension = str(found.dimensionality)
        if found.dimensionless or dimension == "[temperature]":
            return Unit(str(found), 1.0)
        return Unit(dimension, float(_REGISTRY.Quantity(1, found).to_base_units().magnitude))
    # The library has a dozen error types of its own; a unit that it cannot take is one that nobody knows.
    except Exception:
        return Unit(written.strip().lower(), 1.0)
