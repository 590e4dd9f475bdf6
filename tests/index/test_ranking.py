"""Expected scores are worked by hand from the weights that each test names."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from index.article import Chunk
from index.ranking import WEIGHTS, Found, Weights, firsts, lift, names, rank
from index.times import TimeHint

NOTHING = Weights(cosine=0, sentence=0, words=0, article_words=0, time=0, fresh=0, links=0)
COSINE = replace(NOTHING, cosine=1)
APRIL = TimeHint("in April 2025", date(2025, 4, 1), date(2025, 4, 30))


def found(key: int, article: int | None = None, **fields: Any) -> Found:
    """A chunk of an article of its own, unless one is given, that has nothing of the question."""
    values: dict[str, Any] = {"published": "", "cosine": 0.0, "sentence": 0.0, "words": 0.0, "article_words": 0.0}
    return Found(key, key if article is None else article, Chunk(0, 1, 0, 0), **values | fields)


def scores(ranked: list[Found]) -> dict[int, float]:
    return {f.key: f.score for f in ranked}


def test_a_score_is_the_weighted_sum_of_cosines_and_of_shares_of_the_best_bm25() -> None:
    weights = Weights(cosine=0.5, sentence=1.0, words=0.2, article_words=0.6, time=0.3, fresh=0.2)
    ranked = rank(
        [
            found(1, cosine=0.6, sentence=0.4, words=3.0, article_words=10.0),
            found(2, cosine=0.2, sentence=0.8, words=12.0, article_words=2.0),
        ],
        None,
        None,
        weights,
    )
    # 1: 0.3 + 0.4 + 0.2 · 3/12 + 0.6 · 10/10; 2: 0.1 + 0.8 + 0.2 · 12/12 + 0.6 · 2/10.
    assert scores(ranked) == {1: pytest.approx(1.35), 2: pytest.approx(1.22)}
    assert [f.key for f in ranked] == [1, 2]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("cosine", {"cosine": 0.9}),
        ("sentence", {"sentence": 0.9}),
        ("words", {"words": 7.0}),
        ("article_words", {"article_words": 7.0}),
    ],
)
def test_a_part_of_weight_0_counts_for_nothing(name: str, fields: dict[str, float]) -> None:
    chunks = [found(1), found(2, **fields)]
    assert [f.key for f in rank(chunks, None, None, replace(NOTHING, **{name: 1.0}))] == [2, 1]
    assert scores(rank(chunks, None, None, NOTHING)) == {1: 0.0, 2: 0.0}


def test_equal_chunks_keep_the_order_of_their_keys_whatever_order_they_come_in() -> None:
    assert [f.key for f in rank([found(3), found(1), found(2)], None, None, WEIGHTS)] == [1, 2, 3]


def test_no_chunks_are_no_ranking() -> None:
    assert rank([], APRIL, date(2025, 4, 18), WEIGHTS) == []


def test_an_articles_second_chunk_stands_at_half_its_score_and_its_third_at_a_third() -> None:
    chunks = [found(n, article=7, cosine=cosine) for n, cosine in ((1, 0.6), (2, 0.9), (3, 0.8))]
    ranked = rank([*chunks, found(4, cosine=0.5)], None, None, COSINE)
    assert [f.key for f in ranked] == [2, 4, 3, 1]
    assert scores(ranked) == {2: 0.9, 4: 0.5, 3: pytest.approx(0.4), 1: pytest.approx(0.2)}


@pytest.mark.parametrize(
    ("published", "share"),
    [
        ("2025-04-01", 1.0),
        ("2025-04-30", 1.0),
        ("2025-05-03", 1.0),  # reported up to three days later
        ("2025-05-10", math.exp(-1)),  # ten days, three of them without loss
        ("2025-03-25", math.exp(-1)),  # seven days too early
        ("2025-04", 1.0),
        ("2025", math.exp(-90 / 7)),  # as of 1 January, 90 days before April
        ("", 0.0),
        ("last spring", 0.0),
    ],
)
def test_what_was_published_on_the_days_that_are_meant_gains(published: str, share: float) -> None:
    (one,) = rank([found(1, published=published)], APRIL, date(2025, 6, 1), Weights(time=0.3, fresh=0.2))
    assert one.score == pytest.approx(0.3 * share)


def test_an_open_side_has_no_end() -> None:
    until = TimeHint("until 2024", None, date(2024, 12, 31))
    since = TimeHint("since 2024", date(2024, 1, 1), None)
    for hint, published in ((until, "1999-01-01"), (since, "2031-01-01")):
        (one,) = rank([found(1, published=published)], hint, None, WEIGHTS)
        assert one.score == pytest.approx(WEIGHTS.time)


@pytest.mark.parametrize(
    ("published", "share"),
    [("2025-04-18", 1.0), ("2025-03-19", math.exp(-1)), ("2025-05-18", math.exp(-1)), ("", 0.0)],
)
def test_without_other_days_the_day_of_the_question_is_preferred(published: str, share: float) -> None:
    (one,) = rank([found(1, published=published)], None, date(2025, 4, 18), Weights(fresh=0.2))
    assert one.score == pytest.approx(0.2 * share)


def test_undated_articles_lose_nothing_against_each_other() -> None:
    undated = [found(1, cosine=0.4), found(2, cosine=0.6), found(3, cosine=0.5)]
    plain = rank(undated, None, None, WEIGHTS)
    assert rank(undated, APRIL, date(2025, 4, 18), WEIGHTS) == plain
    assert [f.key for f in plain] == [2, 3, 1]


def test_a_question_without_time_and_day_prefers_no_date() -> None:
    dated = [found(1, cosine=0.4, published="2025-04-18"), found(2, cosine=0.4)]
    assert len(set(scores(rank(dated, None, None, WEIGHTS)).values())) == 1


def ranking(*values: float) -> list[Found]:
    return rank([found(n, cosine=value) for n, value in enumerate(values, start=1)], None, None, COSINE)


def test_a_link_adds_its_strength_times_the_weight() -> None:
    lifted = lift(ranking(0.9, 0.5, 0.3), {3: 0.4}, 0.75)
    assert scores(lifted) == {1: 0.9, 3: pytest.approx(0.6), 2: 0.5}
    assert [f.key for f in lifted] == [1, 3, 2]


def test_however_strong_a_link_is_nothing_passes_the_best() -> None:
    lifted = lift(ranking(0.9, 0.5, 0.3), {1: 1.0, 2: 5.0, 3: 1.0}, 1.0)
    assert [f.key for f in lifted] == [1, 2, 3]
    assert lifted[0].score == 0.9
    assert all(0.899 < f.score < 0.9 for f in lifted[1:])


def test_a_link_takes_nothing_from_an_article_that_is_as_good_as_the_best() -> None:
    lifted = lift(ranking(0.9, 0.9), {2: 0.5}, 1.0)
    assert [(f.key, f.score) for f in lifted] == [(1, 0.9), (2, 0.9)]


def test_a_link_of_no_strength_changes_nothing() -> None:
    assert lift(ranking(0.9, 0.5), {2: 0.0, 99: 1.0}, 1.0) == ranking(0.9, 0.5)


def test_names_are_runs_of_capitalised_words_and_their_parts_folded() -> None:
    assert names("He was a son of Ermengarde of Tours.") == {
        "ermengarde",
        "ermengarde of tours",
        "tours",
        "of tours",
        "ermengarde of",
    }
    assert "me and bobby mcgee" in names("They sang Me and Bobby McGee twice.")
    assert "turkiye" in names("It lies in Türkiye, they say.")


def test_words_that_are_no_name_and_names_of_three_letters_are_not_looked_for() -> None:
    assert names("nobody came to the harbour") == set()
    assert names("He left for Ulm.") == set()


def test_a_name_has_at_most_eight_words() -> None:
    found_names = names("A Bb Cc Dd Ee Ff Gg Hh Ii Jj")
    assert max(len(name.split()) for name in found_names) == 8


def test_of_a_run_of_a_thousand_capitalised_words_the_first_hundred_are_looked_at() -> None:
    found_names = names(" ".join(f"Word{n}" for n in range(1_000)))
    assert {"word0", "word98 word99", "word99"} <= found_names
    assert "word100" not in found_names
    assert len(found_names) == 100 * 8 - (7 + 6 + 5 + 4 + 3 + 2 + 1)


def test_a_part_of_a_name_may_be_no_word_or_several() -> None:
    assert names("She met A.-Maria O’Brien.") == {"a maria", "o brien", "a maria o brien"}


def test_the_first_of_each_article_keeps_its_place_whatever_follows_of_it() -> None:
    hits = [("a", 1), ("b", 1), ("a", 2), ("c", 1), ("b", 2)]
    assert firsts(hits, lambda hit: hit[0]) == [("a", 1), ("b", 1), ("c", 1)]
    assert firsts([], lambda hit: hit) == []


def test_a_further_chunk_never_passes_the_first_of_its_article_not_even_below_zero() -> None:
    ranked = rank([found(1, 7, cosine=-0.1), found(2, 7, cosine=-0.2), found(3, 8, cosine=-0.15)], None, None, COSINE)
    assert scores(ranked) == {1: pytest.approx(-0.1), 3: pytest.approx(-0.15), 2: pytest.approx(-0.4)}
    assert [f.key for f in ranked] == [1, 3, 2]
