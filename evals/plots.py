"""Small plots as inline SVG: axes, ticks, points with their intervals.

Boundary: takes numbers and words of ours and gives markup; knows nothing of records, and no text of a user comes here.
Positions are attributes and colours are classes of report.css, because the page's policy forbids style attributes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evals.metrics import Calibration, RiskCoverage
from evals.statistics import Share, share
from evals.wording import duration, interval, percent

WIDTH, HEIGHT = 380, 250  # of a plot, in its own units
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 22, 14, 46
_BAR = 160
_BAND = 760
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class _Plane:
    """Where a value stands in a plot: x from `left` to `right`, y from 0 to 1."""

    left: float
    right: float

    def x(self, value: float) -> str:
        return f"{_LEFT + (value - self.left) / (self.right - self.left) * (WIDTH - _LEFT - _RIGHT):.1f}"

    def y(self, value: float) -> str:
        return f"{_TOP + (1 - value) * (HEIGHT - _TOP - _BOTTOM):.1f}"

    def axes(self, x_ticks: Sequence[tuple[float, str]], x_label: str) -> str:
        lines = "".join(
            f'<path class="grid" d="M{_LEFT} {self.y(v)}H{WIDTH - _RIGHT}"/>'
            f'<text class="end" x="{_LEFT - 7}" y="{self.y(v)}" dy="4">{percent(v)}</text>'
            for v in _QUARTERS
        )
        ticks = "".join(
            f'<text class="middle" x="{self.x(v)}" y="{HEIGHT - _BOTTOM + 19}">{label}</text>' for v, label in x_ticks
        )
        middle = (_LEFT + WIDTH - _RIGHT) / 2
        return f'{lines}{ticks}<text class="middle" x="{middle}" y="{HEIGHT - 6}">{x_label}</text>'

    def line(self, points: Sequence[tuple[float, float]], kind: str) -> str:
        path = "L".join(f"{self.x(x)} {self.y(y)}" for x, y in points)
        return f'<path class="{kind}" d="M{path}"/>'

    def dots(self, points: Sequence[tuple[float, float]]) -> str:
        return "".join(f'<circle cx="{self.x(x)}" cy="{self.y(y)}" r="2.5"/>' for x, y in points)

    def point(self, x: float, found: Share, words: str) -> str:
        """A dot with its interval; the words show when the pointer rests on it."""
        return (
            f'<g class="point"><title>{words}: {percent(found.value)} ({interval(found)}), n = {found.n}</title>'
            f'<path class="whisker" d="M{self.x(x)} {self.y(found.low)}V{self.y(found.high)}"/>'
            f'<circle cx="{self.x(x)}" cy="{self.y(found.value)}" r="4"/></g>'
        )


def share_bar(found: Share) -> str:
    """A share as a bar from 0 to 1 with its interval; for a table that says the same in figures."""
    low, high = (f"{_BAR * min(1.0, max(0.0, each)):.1f}" for each in (found.low, found.high))
    whisker = f'<path class="whisker" d="M{low} 7H{high}M{low} 3.5V10.5M{high} 3.5V10.5"/>'
    return _bar(f"{_rect('track', _BAR)}{_rect('value', _BAR * found.value)}{whisker}")


def count_bar(left: int, of: int, lost: int) -> str:
    """How many are left of how many, and behind them those that were lost at this step."""
    scale = _BAR / max(1, of)
    return _bar(f"{_rect('track', _BAR)}{_rect('lost', scale * (left + lost))}{_rect('value', scale * left)}")


def swatch(index: int) -> str:
    """The colour of a step of `time_band`."""
    return f'<svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">{_rect(f"step{index}", 10)}</svg>'


def risk_coverage_plot(curve: RiskCoverage) -> str:
    """The share wrong among the answers that are kept, by how many are kept."""
    plane = _Plane(0, 1)
    steps = list(zip(curve.coverage, curve.risk, strict=True))
    body = plane.axes([(v, percent(v)) for v in _QUARTERS], "answers kept, the most confident first")
    body += plane.line([(0, curve.risk[-1]), (1, curve.risk[-1])], "guide")
    body += plane.line(steps, "curve") + plane.dots(steps)
    return _plot("Share wrong by share of answers kept", risk_coverage_facts(curve), body)


def risk_coverage_facts(curve: RiskCoverage) -> list[str]:
    """The curve in words, at each quarter of the answers."""
    steps = list(zip(curve.coverage, curve.risk, strict=True))
    few = [steps[max(0, round(quarter * len(steps)) - 1)] for quarter in _QUARTERS[1:]]
    return [f"{percent(coverage)} kept, {percent(risk)} wrong" for coverage, risk in few]


def calibration_plot(found: Calibration) -> str:
    """Share right by confidence, in bands, against the diagonal on which both are the same."""
    plane = _Plane(0, 1)
    body = plane.axes([(v, percent(v)) for v in _QUARTERS], "confidence")
    body += plane.line([(0, 0), (1, 1)], "guide")
    for each in found.bins:
        right = round(each.right * each.n)
        words = f"confidence {percent(each.low)} to {percent(each.high)}"
        body += plane.point(each.confidence, share([1.0] * right + [0.0] * (each.n - right)), words)
    facts = [f"confidence {percent(b.confidence)}, {percent(b.right)} right, n = {b.n}" for b in found.bins]
    return _plot("Share right by confidence", facts, body)


def depth_plot(points: Sequence[tuple[int, Share]]) -> str:
    """A share by depth of the ranking, from 1 on."""
    plane = _Plane(0.5, points[-1][0] + 0.5)
    body = plane.axes([(k, str(k)) for k, _ in points], "articles looked at, the best first")
    body += plane.line([(k, found.value) for k, found in points], "curve")
    body += "".join(plane.point(k, found, f"first {k}") for k, found in points)
    facts = [f"first {k}, {percent(found.value)}" for k, found in points]
    return _plot("Share of the gold articles by depth of the ranking", facts, body)


def time_band(steps: Sequence[tuple[str, float]], slow: float) -> str:
    """Steps one after the other, in milliseconds, and a thin line on to `slow` on the same scale."""
    scale = _BAND / max(slow, sum(took for _, took in steps), 1.0)
    body, start = "", 0.0
    for index, (label, took) in enumerate(steps):
        title = f"<title>{label}: {duration(took)}</title>"
        body += f'<rect class="step{index}" x="{start:.1f}" width="{took * scale:.1f}" height="26">{title}</rect>'
        start += took * scale
    body += f'<path class="whisker" d="M{start:.1f} 13H{slow * scale:.1f}M{slow * scale:.1f} 5V21"/>'
    facts = [f"{label} {duration(took)}" for label, took in steps]
    return _drawing(
        f'class="band" viewBox="-1 0 {_BAND + 2} 26" preserveAspectRatio="none"',
        "Time by step, medians",
        [*facts, f"95th percentile of the whole {duration(slow)}"],
        body,
    )


def _rect(kind: str, width: float) -> str:
    return f'<rect class="{kind}" width="{width:.1f}" height="8" y="3"/>'


def _bar(body: str) -> str:
    return f'<svg class="bar" viewBox="-1 0 {_BAR + 2} 14" preserveAspectRatio="none" aria-hidden="true">{body}</svg>'


def _plot(title: str, facts: Sequence[str], body: str) -> str:
    return _drawing(f'class="plot" viewBox="0 0 {WIDTH} {HEIGHT}"', title, facts, body)


def _drawing(attributes: str, title: str, facts: Sequence[str], body: str) -> str:
    described = "; ".join(facts)
    return f'<svg role="img" {attributes}><title>{title}</title><desc>{described}</desc>{body}</svg>'
