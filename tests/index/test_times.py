"""When a question means."""

from __future__ import annotations

from datetime import date

import pytest

from index.times import TimeHint, day_in_words, parse_day, time_hint

ASKED = "2025-04-18"  # a Friday


@pytest.mark.parametrize(
    ("question", "phrase", "first", "last"),
    [
        ("What happened in April?", "April", "2025-04-01", "2025-04-30"),
        ("What happened in December?", "December", "2024-12-01", "2024-12-31"),
        ("What was said on 16 April 2026?", "16 April 2026", "2026-04-16", "2026-04-16"),
        ("What was said on April 16?", "April 16", "2025-04-16", "2025-04-16"),
        ("Who won in 2020?", "2020", "2020-01-01", "2020-12-31"),
        ("Who met on 2024-02-29?", "2024-02-29", "2024-02-29", "2024-02-29"),
        ("Which hurricane struck this week?", "this week", "2025-04-12", "2025-04-18"),
        ("Which hurricane struck last month?", "last month", "2025-03-01", "2025-03-31"),
        ("What fell two weeks ago?", "two weeks ago", "2025-03-29", "2025-04-04"),
        ("What changed over the past three months?", "over the past three months", "2025-01-01", "2025-04-18"),
        ("Who spoke last weekend?", "last weekend", "2025-04-12", "2025-04-13"),
        ("Who spoke on Monday?", "on Monday", "2025-04-14", "2025-04-14"),
        ("Who spoke yesterday?", "yesterday", "2025-04-17", "2025-04-17"),
        ("What is the latest on tariffs?", "latest", "2025-03-19", "2025-04-18"),
        ("What changed since 2023?", "since 2023", "2023-01-01", "2025-04-18"),
        ("What changed between 2020 and 2022?", "between 2020 and 2022", "2020-01-01", "2022-12-31"),
        ("What was so from March 2024 to June 2024?", "from March 2024 to June 2024", "2024-03-01", "2024-06-30"),
        ("Which articles are from May 2024?", "May 2024", "2024-05-01", "2024-05-31"),
        ("What is from May 2024 on the port?", "May 2024", "2024-05-01", "2024-05-31"),
        ("What was so from May 2024 on?", "from May 2024 on", "2024-05-01", "2025-04-18"),
        ("What was so from May 2024 onwards here?", "from May 2024 onwards", "2024-05-01", "2025-04-18"),
        ("What was so from May 2024 until today?", "from May 2024 until today", "2024-05-01", "2025-04-18"),
        ("What fell between 2023 and now?", "between 2023 and now", "2023-01-01", "2025-04-18"),
        ("Who led from the start of 2024?", "from the start of 2024", "2024-01-01", "2025-04-18"),
        ("Who led starting from 2024?", "starting from 2024", "2024-01-01", "2025-04-18"),
    ],
)
def test_a_phrase_becomes_the_days_it_means(question: str, phrase: str, first: str, last: str) -> None:
    assert time_hint(question, ASKED) == TimeHint(phrase, date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("question", "phrase", "last"),
    [
        ("Who led the party as of 2024?", "as of 2024", date(2024, 12, 31)),
        ("Who led it by the end of 2025?", "by the end of 2025", date(2025, 12, 31)),
        ("Who led it before May 2024?", "before May 2024", date(2024, 4, 30)),
    ],
)
def test_a_limit_is_open_to_the_past(question: str, phrase: str, last: date) -> None:
    assert time_hint(question, ASKED) == TimeHint(phrase, None, last)


@pytest.mark.parametrize(
    "question",
    [
        "Who may speak?",
        "May I ask who leads the party?",
        "What did the March of Dimes collect?",
        "Why was the 7.3 March quake felt?",
        "Who owns a 1,984 acre farm?",
        "",
    ],
)
def test_other_words_mean_no_time(question: str) -> None:
    assert time_hint(question, ASKED) is None


def test_without_the_day_it_was_asked_only_full_dates_are_understood() -> None:
    assert time_hint("Which hurricane struck this week?") is None
    assert time_hint("What happened in April?") is None
    assert time_hint("Who won in 2020?") == TimeHint("2020", date(2020, 1, 1), date(2020, 12, 31))


@pytest.mark.parametrize("asked", ["0001-01-01", "9999-12-31"])
@pytest.mark.parametrize(
    "question",
    ["What is the latest?", "Who spoke last weekend?", "Who spoke on Monday?", "What fell this week?",
     "What was so before January 1?", "What comes next year?", "What fell two weeks ago?"],
)  # fmt: skip
def test_days_before_the_first_and_after_the_last_are_no_days(question: str, asked: str) -> None:
    hint = time_hint(question, asked)
    assert hint is None or hint.in_words()


def test_days_off_are_counted_from_the_nearer_end() -> None:
    hint = TimeHint("in April", date(2025, 4, 1), date(2025, 4, 30))
    assert [hint.days_off(date(2025, m, d)) for m, d in ((3, 30), (4, 1), (4, 30), (5, 2))] == [2, 0, 0, 2]
    assert TimeHint("as of 2024", None, date(2024, 12, 31)).days_off(date(1999, 1, 1)) == 0


def test_a_date_may_stop_at_the_month_or_the_year() -> None:
    assert parse_day("2025-04-18") == date(2025, 4, 18)
    assert parse_day("2025-04") == date(2025, 4, 1)
    assert parse_day("2025") == date(2025, 1, 1)
    assert parse_day("") is parse_day("soon") is parse_day("2025-13") is None


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2021-07-06", "6 July 2021"),
        ("2021-07", "July 2021"),
        ("2021", "2021"),
        ("soon", "soon"),
        ("2021-07-06T10:00:00-05:00", "6 July 2021"),
        ("2021-7-6-5", "6 July 2021"),
    ],
)
def test_a_date_is_told_as_far_as_it_goes(day: str, said: str) -> None:
    assert day_in_words(day) == said
