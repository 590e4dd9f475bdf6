"""Every expected value is worked by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest

from evals.gold import GoldQuestion, GoldSentence, Kind
from evals.metrics import (
    Passage,
    contains,
    gold_precision,
    gold_recall,
    hit_at,
    is_right,
    median,
    normalise,
    reciprocal_rank,
    share,
)


def question(**fields: Any) -> GoldQuestion:
    values = {
        "id": "q",
        "kind": Kind.FACT,
        "question": "Q?",
        "history": (),
        "asked": "",
        "answerable": True,
        "answers": (),
        "must": (),
        "gold": (),
        "tags": (),
    }
    return GoldQuestion(**values | fields)


def test_normalising_drops_case_articles_and_punctuation() -> None:
    assert normalise("The  U.S.-led “An Act”, x_b!") == "u s led act x b"
    assert normalise("Theatre and another") == "theatre and another"


@pytest.mark.parametrize(
    ("answer", "gold", "held"),
    [
        ("It was on 16 April.", "16 April", True),
        ("It was on the 16th of April.", "16 April", False),
        ("It cost 150 rupees.", "15", False),
        ("It cost 15 rupees.", "15", True),
        ("General Khan spoke.", "the General", True),
        ("It met for the 15th time.", "15th", True),
        ("", "x", False),
    ],
)
def test_an_answer_contains_whole_words(answer: str, gold: str, held: bool) -> None:
    assert contains(answer, gold) is held


@pytest.mark.parametrize(
    ("fields", "answer", "declined", "right"),
    [
        ({"answers": ("2007", "two thousand seven")}, "In 2007.", False, True),
        ({"answers": ("2007",)}, "In 2008.", False, False),
        ({"answers": ("2007",)}, "In 2007.", True, False),
        ({"must": (("ports", "port"), ("China",))}, "A port of China.", False, True),
        ({"must": (("ports", "port"), ("China",))}, "A port.", False, False),
        ({"answers": ("2007",), "must": (("China",),)}, "In 2007.", False, False),
        ({"answers": ("2007",), "must": (("China",),)}, "In 2007, China.", False, True),
        ({"kind": Kind.UNANSWERABLE, "answerable": False}, "In 2007.", False, False),
        ({"kind": Kind.UNANSWERABLE, "answerable": False}, "The articles do not say.", True, True),
        (
            {"kind": Kind.FALSE_PREMISE, "answerable": False, "must": (("not closed",),)},
            "It was not closed.",
            False,
            True,
        ),
        ({"kind": Kind.FALSE_PREMISE, "answerable": False, "must": (("not closed",),)}, "It was closed.", False, False),
        ({"kind": Kind.FALSE_PREMISE, "answerable": False, "must": (("not closed",),)}, "", True, True),
        ({"kind": Kind.FALSE_PREMISE, "answerable": False}, "Whatever.", False, False),
    ],
)
def test_what_is_right(fields: dict[str, Any], answer: str, declined: bool, right: bool) -> None:
    assert is_right(question(**fields), answer, declined) is right


@pytest.mark.parametrize(
    ("ranked", "gold", "value"),
    [
        (["a", "b", "c"], {"a"}, 1.0),
        (["a", "b", "c"], {"c"}, 1 / 3),
        (["a", "b", "c"], {"b", "c"}, 0.5),
        (["a"], {"z"}, 0.0),
        ([], {"a"}, 0.0),
        ([*"abcdefghij", "k"], {"k"}, 0.0),
        ([*"abcdefghij"], {"j"}, 0.1),
    ],
)
def test_the_reciprocal_rank_of_the_first_gold_article(ranked: list[str], gold: set[str], value: float) -> None:
    assert reciprocal_rank(ranked, gold) == pytest.approx(value)


def test_a_hit_is_some_gold_among_the_first() -> None:
    assert hit_at(["a", "b"], {"b"}, 1) == 0.0
    assert hit_at(["a", "b"], {"b"}, 2) == 1.0
    assert hit_at([], {"b"}, 3) == 0.0


GOLD = [GoldSentence("a", 10, 20, "x" * 10), GoldSentence("a", 30, 40, "x" * 10), GoldSentence("b", 10, 20, "x" * 10)]


@pytest.mark.parametrize(
    ("passages", "recall", "precision"),
    [
        ([Passage("a", 10, 20)], 1 / 3, 1.0),
        ([Passage("a", 19, 31)], 2 / 3, 1.0),
        ([Passage("a", 20, 30)], 0.0, 0.0),  # half open: it touches both and overlaps neither
        ([Passage("a", 0, 5), Passage("b", 0, 50)], 1 / 3, 0.5),
        ([Passage("a", 0, 50), Passage("b", 0, 50)], 1.0, 1.0),
        ([Passage("c", 10, 20)], 0.0, 0.0),
    ],
)
def test_passages_count_by_overlap_in_the_same_article(
    passages: list[Passage], recall: float, precision: float
) -> None:
    assert gold_recall(passages, GOLD) == pytest.approx(recall)
    assert gold_precision(passages, GOLD) == pytest.approx(precision)


def test_nothing_retrieved_recalls_nothing() -> None:
    assert gold_recall([], GOLD) == 0.0


def test_wilsons_interval_of_counts() -> None:
    # 8 of 10, z = 1.96: centre (0.8 + 0.19207) / 1.38415 = 0.71674, half 0.22659 (Wilson 1927).
    result = share([1.0] * 8 + [0.0] * 2)
    assert (result.value, result.n) == (0.8, 10)
    assert result.low == pytest.approx(0.4902, abs=1e-4)
    assert result.high == pytest.approx(0.9433, abs=1e-4)


def test_all_right_is_not_certain() -> None:
    result = share([1.0] * 10)
    assert result.value == 1.0
    assert result.high == pytest.approx(1.0)
    assert result.low == pytest.approx(1 / (1 + 1.959964**2 / 10), abs=1e-4)


def test_the_normal_interval_of_fractions() -> None:
    # Mean 0.5, variance 0.125 / 2 = 0.0625, half 1.96 · √(0.0625 / 3) = 0.2829.
    result = share([0.25, 0.5, 0.75])
    assert result.value == pytest.approx(0.5)
    assert (result.low, result.high) == (pytest.approx(0.2171, abs=1e-4), pytest.approx(0.7829, abs=1e-4))


def test_a_share_of_nothing_is_not_a_number() -> None:
    assert math.isnan(share([]).value)
    assert share([]).n == 0


@pytest.mark.parametrize(("values", "middle"), [([3.0], 3.0), ([5.0, 1.0, 2.0], 2.0), ([4.0, 1.0, 2.0, 3.0], 2.5)])
def test_the_median(values: list[float], middle: float) -> None:
    assert median(values) == middle


def test_the_median_of_nothing_is_not_a_number() -> None:
    assert math.isnan(median([]))
