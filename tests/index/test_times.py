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


@pytest.mark.parametrize(
    ("question", "phrase", "first", "last"),
    [
        # Ranges
        ("What happened on 3–5 May 2025?", "3–5 May 2025", "2025-05-03", "2025-05-05"),
        ("What happened from 3 to 5 May 2024?", "from 3 to 5 May 2024", "2024-05-03", "2024-05-05"),
        ("What happened between March 3 and 5, 2025?", "between March 3 and 5, 2025", "2025-03-03", "2025-03-05"),
        ("What happened May 3 to 5?", "May 3 to 5", "2024-05-03", "2024-05-05"),
        ("Who led it in 2020–22?", "2020–22", "2020-01-01", "2022-12-31"),
        ("Who led it in 2020-2022?", "2020-2022", "2020-01-01", "2022-12-31"),
        ("Who won in 2023/24?", "2023/24", "2023-01-01", "2024-12-31"),
        ("What was so between 1 May and 3 June 2024?", "between 1 May and 3 June 2024", "2024-05-01", "2024-06-03"),
        ("What was so from November to March 2025?", "from November to March 2025", "2024-11-01", "2025-03-31"),
        ("What was so from Nov 2024 to Mar 2025?", "from Nov 2024 to Mar 2025", "2024-11-01", "2025-03-31"),
        ("What was so from 2024-11 to 2025-01?", "from 2024-11 to 2025-01", "2024-11-01", "2025-01-31"),
        ("What fell in May-June 2023?", "May-June 2023", "2023-05-01", "2023-06-30"),
        ("What fell in May–June 2023?", "May–June 2023", "2023-05-01", "2023-06-30"),
        # ISO months, slashes, dots
        ("What fell in 2024-05?", "2024-05", "2024-05-01", "2024-05-31"),
        ("What fell in 2024/05?", "2024/05", "2024-05-01", "2024-05-31"),
        ("What fell on 2024/05/03?", "2024/05/03", "2024-05-03", "2024-05-03"),
        ("What fell on 2024.05.03?", "2024.05.03", "2024-05-03", "2024-05-03"),
        ("What fell on 2024-5-3?", "2024-5-3", "2024-05-03", "2024-05-03"),
        # Abbreviations
        ("What fell in Sept 2024?", "Sept 2024", "2024-09-01", "2024-09-30"),
        ("What fell in Sept. 2024?", "Sept. 2024", "2024-09-01", "2024-09-30"),
        ("What fell in Dec. 2023?", "Dec. 2023", "2023-12-01", "2023-12-31"),
        ("What fell on Jan. 5?", "Jan. 5", "2025-01-05", "2025-01-05"),
        ("What fell on the 5th of May 2024?", "5th of May 2024", "2024-05-05", "2024-05-05"),
        ("What fell on 29 Feb?", "29 Feb", "2024-02-29", "2024-02-29"),
        ("What fell in mid-March?", "March", "2025-03-01", "2025-03-31"),
        # At the beginning of a sentence
        ("Since 2023, what changed?", "Since 2023", "2023-01-01", "2025-04-18"),
        ("Yesterday who spoke?", "Yesterday", "2025-04-17", "2025-04-17"),
        ("In April 2024 who spoke?", "April 2024", "2024-04-01", "2024-04-30"),
        ("2024 saw which storms?", "2024", "2024-01-01", "2024-12-31"),
        ("This week's storm hit whom?", "This week", "2025-04-12", "2025-04-18"),
        ("In March, who spoke?", "March", "2025-03-01", "2025-03-31"),
        # Days
        ("Who spoke the day before yesterday?", "the day before yesterday", "2025-04-16", "2025-04-16"),
        ("Who spoke on Monday last week?", "on Monday last week", "2025-04-07", "2025-04-07"),
        ("Who spoke on Monday of last week?", "on Monday of last week", "2025-04-07", "2025-04-07"),
        ("Who spoke last week's Monday?", "last week's Monday", "2025-04-07", "2025-04-07"),
        ("Who spoke on Tuesday this week?", "on Tuesday this week", "2025-04-15", "2025-04-15"),
        ("Who spoke last Friday?", "last Friday", "2025-04-11", "2025-04-11"),
        ("Who spoke a couple of months ago?", "a couple of months ago", "2025-02-01", "2025-02-28"),
        ("Who speaks next month?", "next month", "2025-05-01", "2025-05-31"),
        ("Who speaks next week?", "next week", "2025-04-21", "2025-04-27"),
        ("Who speaks next weekend?", "next weekend", "2025-04-26", "2025-04-27"),
        # Limits
        ("What was so not before 2024?", "not before 2024", "2024-01-01", "2025-04-18"),
        ("What is new since the 3rd of April?", "since the 3rd of April", "2025-04-03", "2025-04-18"),
        ("What is new since Monday?", "since Monday", "2025-04-14", "2025-04-18"),
        ("What is new since last month?", "since last month", "2025-03-01", "2025-04-18"),
        ("What was so no earlier than May 2024?", "no earlier than May 2024", "2024-05-01", "2025-04-18"),
    ],
)
def test_a_date_is_understood_in_many_forms(question: str, phrase: str, first: str, last: str) -> None:
    assert time_hint(question, ASKED) == TimeHint(phrase, date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("question", "phrase", "last"),
    [
        ("Who paid no later than May 2024?", "no later than May 2024", date(2024, 5, 31)),
        ("Who paid not after May 2024?", "not after May 2024", date(2024, 5, 31)),
        ("Who paid up to 3 May 2024?", "up to 3 May 2024", date(2024, 5, 3)),
        ("Who paid prior to 2024?", "prior to 2024", date(2023, 12, 31)),
    ],
)
def test_a_limit_is_understood_in_many_forms(question: str, phrase: str, last: date) -> None:
    assert time_hint(question, ASKED) == TimeHint(phrase, None, last)


@pytest.mark.parametrize(
    "question",
    [
        "What did he not say before 2024?",
        "Who has not spoken since 2024?",
        "Who didn’t vote before 2024?",
        "What happened in years other than 2024?",
        "What happened, but not in 2024?",
    ],
)
def test_days_that_are_denied_are_no_hint(question: str) -> None:
    assert time_hint(question, ASKED) is None


@pytest.mark.parametrize(
    "question",
    [
        "How did 2000 people die?",
        "Who ran 2025 miles?",
        "What did 2020 police officers do?",
        "How many of the 2024 houses were sold?",
        "Did it cost $2024?",
        "Did it cost €2,024?",
        "Was it 2024%?",
        "Is room 2024b free?",
        "What did Windows 2000 do?",
        "Is 1/2 of it sold?",
        "What happened on 05/03/2024?",
        "What fell on 30 February 2024?",
        "Who is Mr March?",
        "What happened at 2015 hours?",
        "Who called 555-2024?",
    ],
)
def test_counts_names_and_what_is_ambiguous_are_no_years(question: str) -> None:
    assert time_hint(question, ASKED) is None


@pytest.mark.parametrize(
    ("asked", "which", "saturday"),
    [
        ("2025-04-18", "last", "2025-04-12"),
        ("2025-04-18", "this", "2025-04-12"),
        ("2025-04-19", "last", "2025-04-12"),
        ("2025-04-20", "last", "2025-04-12"),
        ("2025-04-19", "this", "2025-04-19"),
        ("2025-04-20", "this", "2025-04-19"),
        ("2025-04-21", "last", "2025-04-19"),
    ],
)
def test_the_last_weekend_is_over_and_this_one_may_be_today(asked: str, which: str, saturday: str) -> None:
    hint = time_hint(f"Who spoke {which} weekend?", asked)
    first = date.fromisoformat(saturday)
    assert hint == TimeHint(f"{which} weekend", first, first.replace(day=first.day + 1))
