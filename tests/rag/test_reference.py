"""What a sentence leaves to the one before it."""

from __future__ import annotations

import time

import pytest

from rag.reference import leaves_open


@pytest.mark.parametrize(
    "sentence",
    [
        "She speaks of a strike in May.",
        "But this group met in Oslo.",
        "If they were joint, the minister may resign.",
        "In his view the harbour is too small.",
        "Steady contact with officials spoils that story.",
        "For that reason the author warns of floods.",
        "The mayor reads this as a reward.",
        "The criticism has met no such response.",
        "The step followed attacks on 26 August.",
        "The need arose from floods.",
        "Yet both neighbours line up against the town.",
        "The author calls this reliance a mistake.",
    ],
)
def test_something_is_left_open(sentence: str) -> None:
    assert leaves_open(sentence)


@pytest.mark.parametrize(
    "sentence",
    [
        "Mara Lind said that she will resign.",
        "The harbour opened in 2007, and its repairs cost 14 million euros.",
        "The mayor said that wheat prices fell.",
        "The need for wheat arose from floods.",
        "The claims of the union were heard.",
        "Of those who came, five stayed.",
        "Wheat prices fell this week, and in that year's harvest too.",
        "Two towns, such as Aby, were flooded.",
        "Both Aby and Norden were flooded.",
        "The mayor said: “This is their decision.”",
        "",
    ],
)
def test_nothing_is_left_open(sentence: str) -> None:
    assert not leaves_open(sentence)


def test_hostile_texts_cost_no_time() -> None:
    before = time.perf_counter()
    for text in ("“" * 50_000, "the step " * 20_000, "that " * 20_000, "both a" * 20_000, "x" * 100_000):
        leaves_open(text)
    assert time.perf_counter() - before < 2
