from __future__ import annotations

import random
import textwrap
import time

import pytest

from index.lines import quotation_mark, soft_breaks

PROSE = (
    "The harbour board of Norwick voted on Thursday to sell the old dry dock, which has stood empty for nine years. "
    "Its head, Ida Holm, said that the sale would bring the town no less than three million euros, and that a part of "
    "the sum would go to the new pier. The boat builder, Omar Reza, said that nobody had told him about it before. "
)


def wrapped(width: int, text: str = PROSE) -> str:
    return textwrap.fill(text, width, break_long_words=False) + "\n"


def feeds(text: str) -> list[int]:
    return [place for place, character in enumerate(text) if character == "\n"]


@pytest.mark.parametrize("width", [30, 40, 60, 72, 80, 100, 120])
def test_every_break_but_the_last_of_a_wrapped_paragraph_is_soft(width: int) -> None:
    text = wrapped(width)
    assert soft_breaks(text) == feeds(text)[:-1]


@pytest.mark.parametrize("end", [" \n", "\t\n", "\r\n"])
def test_spaces_at_the_end_of_a_line_change_nothing(end: str) -> None:
    text = wrapped(70).replace("\n", end)
    assert soft_breaks(text) == feeds(text)[:-1]


def test_an_empty_line_is_never_soft() -> None:
    first, second = wrapped(70), wrapped(70)
    text = f"{first}\n{second}"
    hard = {len(first) - 1, len(first), len(text) - 1}
    assert soft_breaks(text) == [place for place in feeds(text) if place not in hard]


def test_a_line_that_is_short_ends_its_paragraph_even_without_an_empty_line() -> None:
    first = wrapped(70) + "It is late.\n"
    text = first + wrapped(70)
    assert len(first) - 1 not in soft_breaks(text)


def test_a_headline_right_above_a_wrapped_text_is_a_line_though_it_is_long() -> None:
    headline = "Harbour board of Norwick sells its old dry dock"
    body = wrapped(70)
    assert len(headline) > 0.6 * 70
    text = f"{headline}\n{body}"
    assert soft_breaks(text) == feeds(text)[1:-1]


@pytest.mark.parametrize(("width", "name"), [(40, "Thursday"), (64, "Holm"), (94, "Reza")])
def test_a_full_line_is_soft_though_the_next_begins_with_a_name(width: int, name: str) -> None:
    text = wrapped(width)
    assert text.index(f"\n{name}") in soft_breaks(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "No line feed at all",
        f"{PROSE}\n{PROSE}\n{PROSE}\n",
        "milk\nbread\nbutter\nrope\n",
        "Harbour board sells its dock\nMill burns down in the night\nMayor of Aldmere resigns at last\n",
        "Ann Lee, Norwick\nBo Chan, Aldmere\nIda Holm, Easthaven\n",
    ],
)
def test_what_was_not_wrapped_has_no_soft_break(text: str) -> None:
    assert soft_breaks(text) == []


@pytest.mark.parametrize(
    "own",
    "- a;* a;• a;1. a;2) a;(a) a;# A;> said;| a | b |;```;---;===;[1]: a;[^1]: a".split(";"),
)
def test_a_line_that_begins_something_is_not_joined_to_the_one_before(own: str) -> None:
    before = wrapped(70)
    text = f"{before}{own}\n\n{wrapped(70)}"
    assert len(before) - 1 not in soft_breaks(text)
    assert soft_breaks(text)[: len(feeds(before)) - 1] == feeds(before)[:-1]


def test_lines_within_a_fence_are_never_joined() -> None:
    code = "```\n" + wrapped(70) + "```\n"
    text = f"{wrapped(70)}\n{code}\n{wrapped(70)}"
    begin = text.index(code)
    assert not [place for place in soft_breaks(text) if begin <= place < begin + len(code)]
    assert soft_breaks(text)


def test_lines_of_a_quotation_are_joined_with_those_of_the_same_depth_alone() -> None:
    once, twice = ("".join(f"{mark}{line}\n" for line in wrapped(70).splitlines()) for mark in ("> ", "> > "))
    text = once + twice + wrapped(70)
    hard = [len(once) - 1, len(once + twice) - 1, len(text) - 1]
    assert soft_breaks(text) == [place for place in feeds(text) if place not in hard]


@pytest.mark.parametrize(
    ("line", "mark"), [("> a", "> "), (">> a", ">> "), ("> > a", "> > "), ("a > b", ""), ("", ""), (" > a", "")]
)
def test_a_mark_of_quotation_stands_at_the_beginning_of_a_line(line: str, mark: str) -> None:
    assert quotation_mark(line) == mark


def test_places_are_those_of_line_feeds_in_order_whatever_the_text_holds() -> None:
    pieces = [*".\n\u2028", "word ", "Word ", "a long run of words that goes on ", "\n\n", "\r\n", "> ", "- ", "```\n"]
    for seed in range(300):
        chosen = random.Random(seed)
        text = "".join(chosen.choices(pieces, k=chosen.randrange(120)))
        places = soft_breaks(text)
        assert places == sorted(set(places))
        assert all(text[place] == "\n" for place in places)


@pytest.mark.parametrize("line", [wrapped(70), "> " * 40 + "a\n", "\n", "a\n", "- a\n", "```\n"])
def test_four_times_the_lines_take_about_four_times_as_long(line: str) -> None:
    def seconds(length: int) -> float:
        text = line * (length // len(line))
        begun = time.process_time()
        soft_breaks(text)
        return time.process_time() - begun

    assert any(seconds(400_000) < 8 * max(seconds(100_000), 0.001) for _ in range(4))
