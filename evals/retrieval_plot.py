"""The figures of `dateline eval retrieval` as one SVG file that stands alone, in a page of light or of dark colours.

Boundary: names of sets and systems are ours; no text of a question or an article comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from evals.retrieval import Result, Row
from evals.statistics import Share
from evals.wording import interval, percent

_MARKS = {"hit@1": "first", "recall@5": "five"}  # metric → class of its mark
_TOLD = {"hit@1": "a gold article stands first", "recall@5": "share of the gold articles among the first five"}
_LABELS, _PANEL, _GAP = 350, 170, 34
_NARROWEST = 680  # that the legend fits into
_TOP, _LINE, _BOTTOM = 78, 26, 30
_APART = 5  # of a row's two marks from its middle
_STYLE = """
svg { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1d1b18; color: #1d1b18 }
.soft { fill: #645f57; font-size: 12px } .head { font-weight: 600 } .middle { text-anchor: middle }
.grid { stroke: #e3dfd6 } .first, .five { stroke: #7a2e1d; stroke-width: 1.5 }
circle.first { fill: #fbfaf7 } circle.five { fill: #7a2e1d } .peer .first, .peer .five { stroke: #6d7f8b }
.peer circle.five { fill: #6d7f8b }
@media (prefers-color-scheme: dark) {
  svg { fill: #ebe7df } .soft { fill: #a79f93 } .grid { stroke: #36322d }
  .first, .five { stroke: #e39a83 } circle.first { fill: #161513 } circle.five { fill: #e39a83 }
  .peer .first, .peer .five { stroke: #93a8b5 } .peer circle.five { fill: #93a8b5 }
}
"""


def to_svg(results: Sequence[Result]) -> str:
    """A panel for each set, a line for each system: hit@1 and recall@5 with their 95% intervals."""
    rows = results[0].rows
    width = max(_NARROWEST, _LABELS + len(results) * (_PANEL + _GAP))
    height = _TOP + _LINE * len(rows) + _BOTTOM
    labels = "".join(f'<text x="{12 * row.label.startswith(" ")}" y="{_y(n) + 4}">{escape(row.label.strip())}</text>'
                     for n, row in enumerate(rows))  # fmt: skip
    panels = "".join(_panel(result, _LABELS + n * (_PANEL + _GAP)) for n, result in enumerate(results))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}">'
        f"<title>Retrieval of Dateline and of LlamaIndex</title><desc>{_described(results)}</desc>"
        f"<style>{_STYLE}</style>{_legend()}{labels}{panels}</svg>\n"
    )


def _panel(result: Result, left: float) -> str:
    bottom = _TOP + _LINE * len(result.rows)
    grid = "".join(
        f'<path class="grid" d="M{_x(left, v)} {_TOP}V{bottom}"/>'
        f'<text class="soft middle" x="{_x(left, v)}" y="{bottom + 18}">{percent(v)}</text>'
        for v in (0.0, 0.5, 1.0)
    )
    head = (
        f'<text class="head" x="{left}" y="{_TOP - 26}">{escape(result.name)}</text>'
        f'<text class="soft" x="{left}" y="{_TOP - 9}">{len(result.questions)} questions</text>'
    )
    return head + grid + "".join(_marks(row, left, _y(n)) for n, row in enumerate(result.rows))


def _marks(row: Row, left: float, y: float) -> str:
    whose = ' class="peer"' if row.name.startswith("llamaindex") else ""
    found = [(kind, row.figure(metric), f"{row.label.strip()}, {metric}") for metric, kind in _MARKS.items()]
    marks = (_mark(kind, share, words, left, y + (2 * n - 1) * _APART) for n, (kind, share, words) in enumerate(found))
    return f"<g{whose}>{''.join(marks)}</g>"


def _mark(kind: str, share: Share, words: str, left: float, y: float) -> str:
    whisker = ""
    if share.n > 1:
        whisker = f'<path class="{kind}" d="M{_x(left, share.low)} {y}H{_x(left, share.high)}"/>'
    return (
        f"<g><title>{escape(words)}: {percent(share.value)} ({interval(share)}), n = {share.n}</title>{whisker}"
        f'<circle class="{kind}" cx="{_x(left, share.value)}" cy="{y}" r="3.5"/></g>'
    )


def _legend() -> str:
    marks, x = "", 2
    for metric, kind in _MARKS.items():
        words = f"{metric}: {_TOLD[metric]}"
        marks += f'<circle class="{kind}" cx="{x + 5}" cy="14" r="3.5"/>'
        marks += f'<text class="soft" x="{x + 15}" y="18">{words}</text>'
        x += 40 + 6 * len(words)
    return marks


def _described(results: Sequence[Result]) -> str:
    told = (
        f"{result.name}, {row.label.strip()}: " + ", ".join(f"{m} {percent(row.figure(m).value)}" for m in _MARKS)
        for result in results
        for row in result.rows
    )
    return escape("; ".join(told))


def _x(left: float, value: float) -> str:
    return f"{left + value * _PANEL:.1f}"


def _y(row: int) -> float:
    return _TOP + _LINE * (row + 0.5)
