"""What was measured of a benchmark set, as JSON, for a terminal, and as Markdown, with the figures of others beside it.

Texts of a set appear in none of them but for the reasons of broken rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from evals.benchmark_sets import Half
from evals.benchmarks import Figure, Measured
from evals.statistics import Share


def to_json(found: Measured) -> dict[str, Any]:
    """Everything that was measured as one object; the answers are in the record of the name `run`."""
    return {
        "benchmark": found.benchmark.name,
        "half": found.half.value,
        "asked": found.asked,
        "model": found.model,
        "run": found.record.name if found.record else None,
        "figures": [
            {"name": each.name, "label": each.label, "n": each.found.n, "unscored": each.unscored,
             **{name: _rounded(getattr(each.found, name)) for name in ("value", "low", "high")}}
            for each in found.figures
        ],
        "milliseconds": [asdict(each) for each in found.times],
        "left_out": dict(found.left_out),
        "broken": [asdict(row) for row in found.broken],
        "others": [asdict(peer) for peer in found.peers],
        "claims": [asdict(claim) for claim in found.claims],
    }  # fmt: skip


def to_text(found: Measured) -> str:
    """The set's table for a terminal, and the figures of others."""
    lines = [_title(found), "", f"{'':30}{'value':>8}{'n':>6}   95% interval  unscored"]
    lines += [_figure_line(each) for each in found.figures]
    lines += ["", f"{'seconds':30}{'median':>8}{'n':>6}   95% below"]
    lines += [f"  {t.label:28}{t.median / 1000:8.2f}{t.n:6}   {t.p95 / 1000:.2f}" for t in found.times]
    if found.peers:
        lines += ["", "others, as published"]
        lines += [f"  {p.system}, {p.on}: {p.figure}\n      {p.source}; {p.remark}" for p in found.peers]
    return "\n".join([*lines, *_notes(found)])


def to_markdown(found: Measured) -> str:
    """The same as a page of Markdown; none of its texts comes from a set."""
    parts = [f"## {_title(found)}", "", "| | value | 95% interval | n | unscored |", "|---|---|---|---|---|"]
    parts += [
        f"| {each.name}: {each.label} | {_number(each.found.value)} | {_interval(each.found)} | {each.found.n} | "
        f"{each.unscored or ''} |"
        for each in found.figures
    ]
    parts += ["", "| seconds | median | 95% below | n |", "|---|---|---|---|"]
    parts += [f"| {t.label} | {t.median / 1000:.2f} | {t.p95 / 1000:.2f} | {t.n} |" for t in found.times]
    if found.peers:
        parts += ["", "| others, as published | on | figure | source | remark |", "|---|---|---|---|---|"]
        parts += [f"| {p.system} | {p.on} | {p.figure} | {p.source} | {p.remark} |" for p in found.peers]
    return "\n".join([*parts, *_notes(found)]) + "\n"


def summary(all_found: Sequence[Measured]) -> str:
    """The headline figures of several sets, a line each."""
    lines = [f"{'':12}{'':34}{'value':>8}{'n':>6}   95% interval"]
    for found in all_found:
        lines += [f"{found.benchmark.name:12}{each.name:34}{_value(each.found)}" for each in _headline(found)]
    return "\n".join(lines)


def to_page(all_found: Sequence[Measured], plot: str = "") -> str:
    """Several sets as a page of Markdown: the headline figures, the curves in the image `plot`, the set's tables."""
    parts = ["| set | figure | value | 95% interval | n |", "|---|---|---|---|---|"]
    parts += [
        f"| {found.benchmark.name} | {each.name}: {each.label} | {_number(each.found.value)} | "
        f"{_interval(each.found)} | {each.found.n} |"
        for found in all_found
        for each in _headline(found)
    ]
    if plot:
        parts += ["", f"![Share of wrong answers by the share of answers that are kept, the surest first]({plot})"]
    return "\n".join([*parts, "", *map(to_markdown, all_found)])


def _headline(found: Measured) -> list[Figure]:
    return [each for name in found.benchmark.headline for each in found.figures if each.name == name]


def _title(found: Measured) -> str:
    halves = {Half.REPORT: "reporting half", Half.TUNE: "tuning half", Half.ALL: "both halves"}
    whole = {Half.REPORT: "a reporting set", Half.TUNE: "a tuning set"}
    half = (whole if not found.benchmark.is_split else halves)[found.half]
    return f"{found.benchmark.name}, {half}: {found.benchmark.about}; {found.asked} asked of {found.model}"


def _notes(found: Measured) -> list[str]:
    notes = [f"{n} not asked: {reason}." for reason, n in found.left_out.items()]
    errors = sum(item.error is not None for item in found.record.items) if found.record else 0
    if errors:
        notes.append(f"{errors} ended with an error and are not judged.")
    return ["", *notes] if notes else []


def _figure_line(each: Figure) -> str:
    return f"  {each.name:28}{_value(each.found):32}{each.unscored or '':>6}  {each.label}"


def _value(found: Share) -> str:
    return f"{_number(found.value):>8}{found.n:6}   {_interval(found)}"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def _interval(found: Share) -> str:
    return "" if math.isnan(found.low) else f"{found.low:.3f}–{found.high:.3f}"


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 4)
