"""Bars as SVG, a few lines of it: readable on light and dark pages, without a plotting library."""

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

_WIDTH, _NAMES, _BAR, _GAP = 860, 320, 18, 10
_FULL = _WIDTH - _NAMES - 110
_COLOURS = ("#4f6bed", "#9aa5b1")


class Bar(NamedTuple):
    """One group: its name, a value (or None, not measured) for each series, and whether it is ours."""

    name: str
    values: Sequence[float | None]
    ours: bool = False


def bars(title: str, series: Sequence[str], rows: Sequence[Bar], form: str = "{:,.0f}") -> str:
    """Return a chart of horizontal bars, one colour a series, each with its value beside it."""
    largest = max((value for row in rows for value in row.values if value), default=1.0)
    parts: list[str] = []
    y = 64
    for row in rows:
        middle = y + len(row.values) * _BAR / 2 + 5
        weight = ' font-weight="bold"' if row.ours else ""
        parts.append(f'<text x="{_NAMES - 12}" y="{middle:.0f}" text-anchor="end"{weight}>{escape(row.name)}</text>')
        for number, value in enumerate(row.values):
            length = max(1.0, (value or 0) / largest * _FULL)
            said = "not measured" if value is None else form.format(value)
            parts.append(
                f'<rect x="{_NAMES}" y="{y}" width="{length:.1f}" height="{_BAR - 3}" rx="2" '
                f'fill="{_COLOURS[number % len(_COLOURS)]}"/>'
                f'<text x="{_NAMES + length + 6:.1f}" y="{y + _BAR - 6}" font-size="12">{said}</text>'
            )
            y += _BAR
        y += _GAP
    keys = "".join(
        f'<rect x="{_NAMES + 150 * number}" y="38" width="12" height="12" rx="2" fill="{_COLOURS[number]}"/>'
        f'<text x="{_NAMES + 150 * number + 18}" y="48" font-size="12">{escape(name)}</text>'
        for number, name in enumerate(series)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{y + 8}" viewBox="0 0 {_WIDTH} {y + 8}" '
        'font-family="Segoe UI, Helvetica, Arial, sans-serif" font-size="13" fill="#1f2933">\n'
        f'<rect width="100%" height="100%" rx="6" fill="#ffffff"/>\n'
        f'<text x="20" y="26" font-size="16" font-weight="bold">{escape(title)}</text>\n{keys}\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
