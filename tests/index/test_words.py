from __future__ import annotations

import pytest

from index.words import STOP_WORDS, content_stems, content_words, fold, stem, words


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
