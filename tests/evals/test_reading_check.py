from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from evals.reading_check import draw, to_markdown
from evals.record import Record
from index.errors import GoldError
from tests.evals.handmade import Pipeline, record_of


@pytest.fixture
def record(tmp_path: Path) -> Record:
    found: Record = record_of(Pipeline(), tmp_path, "handmade")
    return found


def changed(record: Record, **fields: Any) -> Record:
    """The record with other words in every sentence of its answers."""
    items = [
        dataclasses.replace(
            item,
            answer={**item.answer, "sentences": [{**each, **fields} for each in item.answer["sentences"]]}
            if item.answer
            else None,
        )
        for item in record.items
    ]
    return dataclasses.replace(record, items=tuple(items))


def test_what_is_drawn_is_supported_and_brings_its_quotations(record: Record) -> None:
    drawn = draw(record, 1_000)
    answered = [item for item in record.items if item.answer and item.answer["sentences"]]
    assert len(drawn) == sum(len(item.answer["sentences"]) for item in answered if item.answer)
    assert {each.question for each in drawn} == {item.question for item in answered}
    assert all(citation["quote"] and citation["title"] for each in drawn for citation in each.citations)
    assert draw(changed(record, support="partial"), 1_000) == ()
    with pytest.raises(GoldError, match="handmade shows no sentence as supported"):
        to_markdown(record, ())


def test_the_same_few_are_drawn_again(record: Record) -> None:
    drawn = draw(record, 5)
    assert len(drawn) == 5
    assert drawn == draw(record, 6)[:5]
    assert drawn == draw(dataclasses.replace(record, items=record.items[::-1]), 5)


def test_they_are_listed_with_room_for_a_verdict(record: Record) -> None:
    drawn = draw(record, 2)
    listed = to_markdown(record, drawn)
    assert listed.startswith("2 sentences that the run handmade shows as supported.")
    assert [line for line in listed.splitlines() if line.startswith("### ")] == ["### 1", "### 2"]
    assert listed.count("Verdict:") == 2
    assert drawn[0].citations[0]["quote"] in listed


def test_what_was_written_cannot_mark_up(record: Record) -> None:
    hostile = changed(record, text="# <img src=x> **bold**")
    assert "\\# &lt;img src=x&gt; \\*\\*bold\\*\\*" in to_markdown(hostile, draw(hostile, 1))
