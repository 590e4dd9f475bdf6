from __future__ import annotations

import math

import pytest

from rag.mentions import Day, Name, Number, read


@pytest.mark.parametrize(
    ("text", "shown", "value"),
    [
        ("it cost 14 million euros", "14 million euros", Number(13.5e6, 14.5e6, "euro")),
        ("it cost $1.65 billion", "$1.65 billion", Number(1.645e9, 1.655e9, "dollar")),
        ("twelve boats", "twelve", Number(12, 12, "")),
        ("about 40 boats", "about 40", Number(34, 46, "")),
        ("more than 30 boats", "more than 30", Number(30, math.inf, "")),
        ("up to 30 boats", "up to 30", Number(-math.inf, 30, "")),
        ("between 30 and 40 boats", "between 30 and 40", Number(30, 40, "")),
        ("30 to 40 boats", "30 to 40", Number(30, 40, "")),
        ("2.5 percent", "2.5 percent", Number(2.45, 2.55, "%")),
        ("1,200 boats", "1,200", Number(1140, 1260, "")),
        ("on 9 November 2020", "9 November 2020", Day(2020, 11, 9)),
        ("on March 5, 2021", "March 5, 2021", Day(2021, 3, 5)),
        ("on 2021-03-05", "2021-03-05", Day(2021, 3, 5)),
        ("in Sept. 2021", "Sept. 2021", Day(2021, 9)),
        ("in 2021", "2021", Day(2021)),
        ("in May", "May", Day(0, 5)),
        ("on Monday", "Monday", Day(weekday=1)),
        ("with Ada Holm", "Ada Holm", Name(("ada", "holm"))),
    ],
)
def test_a_value_is_read_as_it_is_written(text: str, shown: str, value: Number | Day | Name) -> None:
    (mention,) = read(text).mentions
    assert text[mention.start : mention.end] == shown
    if isinstance(value, Number) and isinstance(mention.value, Number):
        assert (mention.value.low, mention.value.high) == pytest.approx((value.low, value.high))
        assert mention.value.unit == value.unit
    else:
        assert mention.value == value


@pytest.mark.parametrize("text", ["it may rain", "they won 6-2", "the 46th time", "one of them", "a hundred"])
def test_what_only_looks_like_a_value_is_none(text: str) -> None:
    assert [m for m in read(text).mentions if not (isinstance(m.value, Number) and m.value.low == 6)] == []


def test_dates_conflict_only_in_what_both_say() -> None:
    assert Day(2020, 6).conflicts(Day(2020, 7))
    assert not Day(2020, 6).conflicts(Day(2020))
    assert not Day(2020).conflicts(Day(weekday=1))


def test_names_conflict_unless_they_may_be_one() -> None:
    assert Name(("ada", "holm")).conflicts(Name(("jon", "berg")))
    assert not Name(("ada", "holm")).conflicts(Name(("holm",)))
    assert not Name(("gold's", "westmoor")).conflicts(Name(("gold'swestmoor",)))
