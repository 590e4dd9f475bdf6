from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pytest

from evals.gold import write_gold
from evals.record import Record
from evals.sweep import arrange, sweep, to_json, to_text
from index.settings import Settings, load_settings
from tests.evals.handmade import QUESTIONS, Pipeline, opened, record_of
from tests.evals.test_gate import KNOWN, Talker, changed, with_scores


@pytest.fixture
def record(tmp_path: Path) -> Record:
    return record_of(Pipeline(), tmp_path, "one")


def timed(record: Record, wrong: int, ms: float) -> Record:
    """So many wrong of 16, each answer in so many milliseconds."""
    slow = changed(record, with_scores(total_ms=ms), [item.id for item in record.items])
    return changed(slow, with_scores(right=0.0), KNOWN[:wrong])


@pytest.mark.parametrize(
    ("places", "front"),
    [
        ([(0, 10.0), (2, 5.0)], [True, True]),  # better against faster
        ([(0, 10.0), (2, 10.0)], [True, False]),
        ([(0, 10.0), (0, 5.0)], [False, True]),
        ([(0, 10.0), (0, 10.0)], [True, True]),  # equal: neither beats the other
        ([(0, 10.0), (1, 20.0), (2, 5.0)], [True, False, True]),
    ],
)
def test_what_nobody_beats_is_on_the_front(record: Record, places: list[tuple[int, float]], front: list[bool]) -> None:
    found = arrange([({"n": n}, timed(record, *place)) for n, place in enumerate(places)])
    assert [point.on_front for point in found.points] == front
    assert [point.total_ms for point in found.points] == [ms for _, ms in places]
    assert found.points[0].right.value == 1 - places[0][0] / 16


def test_a_run_that_was_not_judged_is_never_on_the_front(record: Record) -> None:
    empty = dataclasses.replace(record, items=())
    found = arrange([({"n": 1}, empty), ({"n": 2}, record)])
    assert [point.on_front for point in found.points] == [False, True]
    assert math.isnan(found.points[0].right.value)
    assert json.loads(json.dumps(to_json(found), allow_nan=False))["points"][0]["right"] is None


def test_every_combination_is_run_with_its_settings_and_kept(tmp_path: Path) -> None:
    gold = tmp_path / "gold.jsonl"
    write_gold(gold, QUESTIONS)
    kept: list[Record] = []
    opened_with: list[Settings] = []

    def open_asker(settings: Settings) -> Any:
        opened_with.append(settings)
        return opened(Talker() if settings.evidence_tokens == 300 else Pipeline())

    grid = {"evidence_tokens": [300, 480], "model": ["a", "b"]}
    found = sweep(gold, None, load_settings(), grid, kept.append, fresh=True, open_asker=open_asker)
    assert [point.set for point in found.points] == [
        {"evidence_tokens": 300, "model": "a"},
        {"evidence_tokens": 300, "model": "b"},
        {"evidence_tokens": 480, "model": "a"},
        {"evidence_tokens": 480, "model": "b"},
    ]
    assert [(s.evidence_tokens, s.model) for s in opened_with] == [(300, "a"), (300, "b"), (480, "a"), (480, "b")]
    assert [record.settings["model"] for record in kept] == ["a", "b", "a", "b"]
    assert [point.right.value for point in found.points] == [0.5, 0.5, 1.0, 1.0]
    text = to_text(found)
    assert "* evidence_tokens=480 model=a" in text
    assert "  evidence_tokens=300 model=a" in text
