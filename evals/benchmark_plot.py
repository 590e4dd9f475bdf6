"""Risk–coverage curves of benchmark sets as one SVG file that stands alone, in a page of light or of dark colours.

Boundary: takes numbers and names of ours; no text of a question, an article or an answer comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from evals.benchmarks import Measured
from evals.metrics import RiskCoverage
from evals.plots import HEIGHT, WIDTH, risk_coverage_facts, risk_coverage_plot

_TOP, _GAP = 50, 24
_STYLE = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1d1b18 }
.plot, .soft { fill: #645f57; font-size: 12px } .head { font-weight: 600 } .middle { text-anchor: middle }
.end { text-anchor: end } .grid { stroke: #e3dfd6 } .curve { fill: none; stroke: #7a2e1d; stroke-width: 2 }
circle { fill: #7a2e1d } .guide { stroke: #6d7f8b; stroke-dasharray: 4 4 }
@media (prefers-color-scheme: dark) {
  svg { fill: #ebe7df } .soft, .plot { fill: #a79f93 } .grid { stroke: #36322d } .curve { stroke: #e39a83 }
  circle { fill: #e39a83 } .guide { stroke: #93a8b5 }
}
"""


def to_svg(all_found: Sequence[Measured]) -> str:
    """A panel for each set that has a curve: the share of wrong answers among those kept, by the share kept.

    The dashed line is what leaving answers out at random would give.
    """
    curves = [(found.benchmark.name, curve) for found in all_found if (curve := found.curve)]
    width, height = max(1, len(curves)) * (WIDTH + _GAP), _TOP + HEIGHT
    panels = "".join(_panel(name, curve, n * (WIDTH + _GAP)) for n, (name, curve) in enumerate(curves))
    told = "; ".join(_told(name, curve) for name, curve in curves) or "no answer that can be judged"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}">'
        f"<title>Risk and coverage of the answers given</title><desc>{escape(told)}</desc>"
        f"<style>{_STYLE}</style>{panels}</svg>\n"
    )


def _panel(name: str, curve: RiskCoverage, left: int) -> str:
    return (
        f'<g transform="translate({left})"><text class="head" x="12" y="20">{escape(name)}</text>'
        f'<text class="soft" x="12" y="38">share wrong; area {curve.area:.3f}</text>'
        f'<svg y="{_TOP}" width="{WIDTH}" height="{HEIGHT}">{risk_coverage_plot(curve)}</svg></g>'
    )


def _told(name: str, curve: RiskCoverage) -> str:
    return f"{name}, area {curve.area:.3f}: {', '.join(risk_coverage_facts(curve))}"
