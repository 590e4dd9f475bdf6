from __future__ import annotations

import random

import pytest

from index.reading.layout import joined, tidy
from tests.index.reading.results import FLOWING, WRAPPED, Write, article

POEM = (
    "The dock was built of oak and stone\n"
    "And every tide it stood alone\n"
    "While gulls above it wheeled and cried\n"
    "Until, one night, the master died\n"
)
LISTS = [
    "- a coil of rope that was left behind in the shed\n- a lantern that nobody had lit for many years\n"
    "- the anchor of a boat that had sunk in the storm\n",
    "1. take the rope out of the shed before it rains\n2. carry the lantern over to the other side\n"
    "3. leave the anchor where it lies until the spring\n",
    "* rope from the shed, which is still quite good\n* lantern from the pier, which needs new glass\n",
]
TABLE = "| place | boats |\n|-------|-------|\n| Norwick harbour | 12 |\n| Aldmere landing | 9 |\n"
CODE = "```\nfor boat in harbour:\n    boat.leave(at=dawn)\n    count = count + 1\n```\n"


def test_lines_of_a_fixed_width_become_one_paragraph(write: Write) -> None:
    for name in ("a.txt", "a.md"):
        assert article(write(name, WRAPPED)).text == FLOWING


def test_an_empty_line_still_ends_a_paragraph() -> None:
    assert joined(f"{WRAPPED}\n{WRAPPED}") == f"{FLOWING}\n{FLOWING}"


def test_a_headline_above_a_wrapped_text_stays_a_line(write: Write) -> None:
    found = article(write("a.txt", f"Norwick sells its dock\n\n{WRAPPED}"))
    assert (found.title, found.text) == ("Norwick sells its dock", f"Norwick sells its dock\n\n{FLOWING}")


def test_the_last_line_of_a_paragraph_is_not_joined_to_a_heading(write: Write) -> None:
    text = f"# Dock\n{WRAPPED}\n## What comes next\n{WRAPPED}"
    assert joined(text) == f"# Dock\n{FLOWING}\n## What comes next\n{FLOWING}"


@pytest.mark.parametrize("text", [POEM, *LISTS, TABLE, CODE, "one\ntwo\n", "", "\n\n", "A line.\nAnother line.\n"])
def test_what_is_laid_out_well_comes_back_to_the_character(text: str) -> None:
    assert joined(text) == text


@pytest.mark.parametrize("inside", [*LISTS, TABLE, CODE])
def test_a_list_a_table_and_code_between_wrapped_paragraphs_keep_their_lines(inside: str) -> None:
    assert joined(f"{WRAPPED}\n{inside}\n{WRAPPED}") == f"{FLOWING}\n{inside}\n{FLOWING}"


def test_a_list_item_that_is_wrapped_itself_becomes_one_line() -> None:
    item = "- " + WRAPPED.replace("\n", "\n  ").rstrip(" ")
    assert joined(item + item) == f"- {FLOWING}- {FLOWING}"


def test_a_paragraph_a_line_stays_so() -> None:
    text = f"{FLOWING}{FLOWING}{FLOWING}"
    assert joined(text) == text


def test_a_word_that_a_line_broke_is_made_whole() -> None:
    text = WRAPPED.replace("Ida Holm, said\nthat", "Ida Holm, an-\nnounced that")
    assert "Ida Holm, announced that" in joined(text)


def test_a_hyphen_that_the_text_has_elsewhere_too_stays() -> None:
    text = (
        "The dry dock of Norwick is a well-known sight, and it has stood well-\n"
        "known or not, empty for nine years. Its head said that the sale would\n"
        "bring the town a sum that is much needed, and that the town would be\n"
        "glad of it.\n"
    )
    assert "has stood well-known or not" in joined(text)


def test_a_hyphen_before_a_capital_stays_and_takes_no_space_away() -> None:
    text = WRAPPED.replace("the old dry\ndock", "the Nor-\nWick")
    assert "Nor- Wick" in joined(text)


def test_lines_of_a_script_without_spaces_are_joined_without_one() -> None:
    text = "市长星期一决定关闭旧桥，因为修理它需要四百万\n欧元，没有人问过渡船的主人他是怎么想的，他很\n生气。\n"
    assert joined(text) == text.replace("\n", "") + "\n"


def test_a_quoted_mail_is_joined_within_its_marks() -> None:
    quoted = "".join(f"> {line}\n" for line in WRAPPED.splitlines())
    twice = "".join(f"> > {line}\n" for line in WRAPPED.splitlines())
    assert joined(quoted) == f"> {FLOWING}"
    assert joined(f"{quoted}{twice}\n{WRAPPED}") == f"> {FLOWING}> > {FLOWING}\n{FLOWING}"


def test_line_ends_and_signs_that_cannot_be_seen_are_made_plain() -> None:
    assert tidy("a\r\nb\rc\fd\ve\u00adf\ufeffg\x00\x1b") == "a\nb\nc\n\nd\nefg"
    assert tidy("e\u0301 \u00a0\t\u200b") == "é \u00a0\t\u200b"


def test_joining_keeps_every_visible_character_but_broken_hyphens() -> None:
    chosen = random.Random(11)
    pieces = [*"市।\n\t", "word ", "Word ", "rope-\n", "\n\n", "> ", "- ", "a.b. ", "“x” ", "```\n", "| ", "# "]
    for _ in range(300):
        text = "".join(chosen.choices(pieces, k=chosen.randrange(80)))
        kept = "".join(character for character in joined(text) if not character.isspace() and character not in "->")
        assert kept == "".join(character for character in text if not character.isspace() and character not in "->")
