"""Runs over a grid of settings, and which of them nobody beats: quality against time.

A point is on the Pareto front if no other is at least as right and as fast, and better at one of the two.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals.record import Record
from evals.run import run
from evals.statistics import Share, share
from index.settings import Settings


@dataclass(frozen=True)
class Point:
    """One run of a sweep: what was set, the share right, the median milliseconds to a whole answer, and its rank."""

    set: dict[str, Any]
    run: str
    right: Share
    total_ms: float
    on_front: bool


@dataclass(frozen=True)
class Sweep:
    """All runs of a grid, in its order."""

    points: tuple[Point, ...]


def sweep(
    gold: Path,
    corpus: Path | None,
    settings: Settings,
    grid: Mapping[str, Sequence[Any]],
    keep: Callable[[Record], None] = lambda record: None,
    **options: Any,
) -> Sweep:
    """One run for every combination of the grid's values.

    Args:
        grid: values by the name of a setting.
        keep: gets each record as soon as its run is done.
        options: of `run`, the same for every run.
    """
    runs: list[tuple[dict[str, Any], Record]] = []
    for values in itertools.product(*grid.values()):
        chosen = dict(zip(grid, values, strict=True))
        record = run(gold, corpus, dataclasses.replace(settings, **chosen), **options)
        keep(record)
        runs.append((chosen, record))
    return arrange(runs)


def arrange(runs: Sequence[tuple[dict[str, Any], Record]]) -> Sweep:
    """The runs as points, those on the Pareto front marked; a run without a judged answer is never on it."""
    places = [(share(record.values("right")), record.medians().get("total_ms", math.nan)) for _, record in runs]
    return Sweep(
        tuple(
            Point(chosen, record.name, right, ms, _on_front((right.value, ms), [(r.value, t) for r, t in places]))
            for (chosen, record), (right, ms) in zip(runs, places, strict=True)
        )
    )


def to_text(result: Sweep) -> str:
    """The table for a terminal, the front marked with a star."""
    labels = [" ".join(f"{name}={value}" for name, value in point.set.items()) for point in result.points]
    width = max(map(len, labels))
    lines = [f"  {'':{width}}{'right':>8}   95% interval{'n':>6}{'median s':>10}   run"]
    for label, point in zip(labels, result.points, strict=True):
        right, star = point.right, "*" if point.on_front else " "
        figures = f"{right.value:8.3f}   {right.low:.3f}–{right.high:.3f} {right.n:6}{point.total_ms / 1000:10.1f}"
        lines.append(f"{star} {label:{width}}{figures}   {point.run}")
    return "\n".join([*lines, "", "* no other is at least as right and as fast"])


def to_json(result: Sweep) -> dict[str, Any]:
    """The sweep as one object; the record of each run is kept under its name."""
    return {
        "points": [
            {
                "set": point.set,
                "run": point.run,
                "right": None if math.isnan(point.right.value) else dataclasses.asdict(point.right),
                "total_ms": None if math.isnan(point.total_ms) else round(point.total_ms, 1),
                "on_front": point.on_front,
            }
            for point in result.points
        ]
    }


def _on_front(place: tuple[float, float], places: Sequence[tuple[float, float]]) -> bool:
    right, ms = place
    beaten = any(r >= right and t <= ms and (r, t) != place for r, t in places)
    return not (math.isnan(right) or math.isnan(ms) or beaten)
