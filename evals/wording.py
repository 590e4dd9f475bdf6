"""Numbers and dates as a reader of a report sees them: plain text."""

from __future__ import annotations

import math
from datetime import datetime

from evals.statistics import Share

_DATES = (("%Y-%m-%dT%H:%M:%S%z", "%-d %B %Y, %H:%M %Z"), ("%Y-%m-%d", "%-d %B %Y"), ("%Y-%m", "%B %Y"))
_ROUNDING = 1e-9  # an interval that ends at 1 on paper may end just below it


def percent(value: float) -> str:
    """A share as a whole percentage; only none is 0% and only all is 100%."""
    if math.isnan(value):
        return "–"
    rounded = round(100 * value)
    return f"{min(99, max(1, rounded)) if _ROUNDING < value < 1 - _ROUNDING else rounded}%"


def interval(share: Share) -> str:
    """The 95% interval as `62–88%`."""
    return f"{percent(share.low).rstrip('%')}–{percent(share.high)}"


def counted(share: Share) -> str:
    """A share of things that are counted whole, as `31 of 40`."""
    return f"{round(share.value * share.n)} of {share.n}"


def number(value: float) -> str:
    """A figure that is no share: thousands separated, decimals only if it is small."""
    if math.isnan(value):
        return "–"
    return f"{value:,.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2g}"


def signed(value: float) -> str:
    """A whole difference with its sign: `+20`, `−9`, `0`."""
    if math.isnan(value):
        return "–"
    rounded = round(value)
    return f"{rounded:+,}".replace("-", "−") if rounded else "0"


def duration(milliseconds: float) -> str:
    """`48 ms` or `15.6 s`."""
    if math.isnan(milliseconds):
        return "–"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def amount(n: int, noun: str) -> str:
    """`1 question`, `2 questions`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def day(iso: str) -> str:
    """An ISO date or moment in words, as exact as it was given; anything else as it stands."""
    for shape, words in _DATES:
        try:
            return datetime.strptime(iso, shape).strftime(words)
        except ValueError:
            continue
    return iso
