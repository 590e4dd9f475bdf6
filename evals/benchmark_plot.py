"""Risk–coverage curves of benchmark sets as one SVG file that stands alone, in a page of light or of dark colours.

Boundary: takes numbers and names of ours; no text of a question, an article or an answer comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from evals.benchmarks import Measured
from evals.metrics import RiskCoverage
from evals.wording import percent

_SIDE, _GAP, _LEFT, _TOP, _BOTTOM = 220, 52, 48, 50, 46
_NARROWEST = 360  # that the words below the curve fit into
_QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
_STYLE = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1d1b18 }
.soft { fill: #645f57; font-size: 12px } .head { font-weight: 600 } .middle { text-anchor: middle }
.end { text-anchor: end } .grid { stroke: #e3dfd6 } .curve { fill: none; stroke: #7a2e1d; stroke-width: 2 }
.guide { stroke: #6d7f8b; stroke-dasharray: 4 4 }
@media (prefers-color-scheme: dark) {
  svg { fill: #ebe7df } .soft { fill: #a79f93 } .grid { stroke: #36322d } .curve { stroke: #e39a83 }
  .guide { stroke: #93a8b5 }
}
"""


def to_svg(all_found: Sequence[Measured]) -> str:
    """A panel for each set that has a curve: the share of wrong answers among those kept, by the share kept.

    The dashed line is what leaving answers out at random would give.
    """
    curves = [(found.benchmark.name, curve) for found in all_found if (curve := found.curve)]
    width = max(_NARROWEST, _LEFT + len(curves) * (_SIDE + _GAP))
    height = _TOP + _SIDE + _BOTTOM
    panels = "".join(_panel(name, curve, _LEFT + n * (_SIDE + _GAP)) for n, (name, curve) in enumerate(curves))
    told = "; ".join(_told(name, curve) for name, curve in curves) or "no answer that can be judged"
    axis = (
        f'<text class="soft" x="{_LEFT}" y="{height - 8}">answers kept, the surest first; upwards: share wrong</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}">'
        f"<title>Risk and coverage of the answers given</title><desc>{escape(told)}</desc>"
        f"<style>{_STYLE}</style>{panels}{axis}</svg>\n"
    )


def _panel(name: str, curve: RiskCoverage, left: float) -> str:
    grid = "".join(
        f'<path class="grid" d="M{left} {_y(v)}H{left + _SIDE}"/>'
        f'<text class="soft end" x="{left - 6}" y="{_y(v)}" dy="4">{percent(v)}</text>'
        f'<text class="soft middle" x="{_x(left, v)}" y="{_TOP + _SIDE + 18}">{percent(v)}</text>'
        for v in _QUARTERS
    )
    points = "L".join(f"{_x(left, c)} {_y(r)}" for c, r in zip(curve.coverage, curve.risk, strict=True))
    guide = f'<path class="guide" d="M{left} {_y(curve.risk[-1])}H{left + _SIDE}"/>'
    head = (
        f'<text class="head" x="{left}" y="{_TOP - 30}">{escape(name)}</text>'
        f'<text class="soft" x="{left}" y="{_TOP - 12}">area {curve.area:.3f}</text>'
    )
    return f'<g>{head}{grid}{guide}<path class="curve" d="M{points}"/></g>'


def _told(name: str, curve: RiskCoverage) -> str:
    steps = list(zip(curve.coverage, curve.risk, strict=True))
    few = [steps[max(0, round(quarter * len(steps)) - 1)] for quarter in _QUARTERS[1:]]
    return f"{name}, area {curve.area:.3f}: " + ", ".join(f"{percent(c)} kept, {percent(r)} wrong" for c, r in few)


def _x(left: float, value: float) -> str:
    return f"{left + value * _SIDE:.1f}"


def _y(value: float) -> str:
    return f"{_TOP + (1 - value) * _SIDE:.1f}"
