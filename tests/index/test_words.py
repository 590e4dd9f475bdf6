from __future__ import annotations

import pytest

from index.words import (
    STOP_WORDS,
    content_stems,
    content_tokens,
    content_words,
    fold,
    keys,
    spellings,
    stem,
    tokens,
    words,
)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Türkiye", "turkiye"), ("CAFÉ", "cafe"), ("ﬁne", "fine"), ("Gül\u0301", "gul"), ("日本", "日本")],
)
def test_folding_drops_case_and_diacritics(text: str, folded: str) -> None:
    assert fold(text) == folded


def test_words_keep_numbers_whole_and_drop_punctuation() -> None:
    assert words("“3,000 men, 2.5%—and S-400s…” foo_bar") == ["3,000", "men", "2.5", "and", "s", "400s", "foo", "bar"]


@pytest.mark.parametrize("text", ["", "  ", "…", "\u200b", "***", '"'])
def test_text_without_words_has_none(text: str) -> None:
    assert words(text) == []


def test_content_words_leave_function_words_out_and_keep_order() -> None:
    assert content_words("Who told the minister about Karachi?") == ["told", "minister", "karachi"]
    assert content_words("Who are they?") == []


@pytest.mark.parametrize("word", sorted(STOP_WORDS & {"who", "the", "s", "t"}))
def test_stop_words_are_as_words_gives_them(word: str) -> None:
    assert words(word) == [word]


def test_stems_meet_across_endings() -> None:
    assert stem("agreements") == stem("agreement") == stem("agreed"[:5] + "ment")
    assert content_stems("Signing treaties") == content_stems("signed treaty")


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("The cease-fire, signed by O'Brien", ["the", "cease-fire", "signed", "by", "o'brien"]),
        ("It cost €1,200 or 1\u00a0200", ["it", "cost", "1,200", "or", "1\u00a0200"]),
        ("GPT-3.5 and 737-8", ["gpt-3.5", "and", "737-8"]),
        ("foo_bar -- 'quoted' --", ["foo", "bar", "quoted"]),
        ("Zürich’s Straße", ["zürich’s", "straße"]),
        ("新桥 5G基站", ["新桥", "5g基站"]),
    ],
)
def test_tokens_are_words_as_they_stand_there(text: str, cut: list[str]) -> None:
    assert tokens(text) == cut


@pytest.mark.parametrize(
    "text",
    ["GPT-3.5", "1.5-2.5", "1,200-seat", "the 1990's", "O'Brien's 2,5", "a-b-c", "B2B's", "3.5mm", "don't", "x-1.5-y",
     "Mi-17's", "1'000'000", "9.30-10.15", "A-10,000"],
)  # fmt: skip
def test_a_text_is_cut_alike_whatever_letters_stand_beside_it(text: str) -> None:
    assert keys(f"{text} é") == [*keys(text), "e"]


@pytest.mark.parametrize(
    ("token", "held"),
    [
        ("cease-fire", [("ceas", "fire"), ("ceasefir",)]),
        ("1,200", [("1,200",), ("1200",)]),
        ("1.200", [("1.200",), ("1200",)]),
        ("3.5", [("3.5",)]),
        ("10km", [("10km",), ("10", "km")]),
        ("müller", [("muller",), ("mueller",)]),
        ("2024-25", [("2024", "25")]),
        ("上海", [("上", "海", "上海")]),
        ("runs", [("run",)]),
    ],
)
def test_a_word_has_a_spelling_for_each_way_of_writing_it(token: str, held: list[tuple[str, ...]]) -> None:
    assert spellings(token) == held


def test_what_is_kept_of_a_text_are_the_keys_of_its_words_in_order() -> None:
    assert keys("Müller signed 1,200 cease-fires") == [
        "muller", "mueller", "sign", "1,200", "1200", "ceas", "fire", "ceasefir",
    ]  # fmt: skip


def test_a_word_of_another_script_among_characters_without_spaces_has_its_own_stem() -> None:
    assert set(keys("Windows")) <= set(keys("我用Windows系统"))


def test_a_number_with_a_fraction_is_not_another_number() -> None:
    assert "21" not in keys("2½")


def test_content_tokens_leave_function_words_out_also_with_their_apostrophes() -> None:
    assert content_tokens("It's what they'd said, isn’t it: cease-fire?") == ["isn’t", "cease-fire"]
