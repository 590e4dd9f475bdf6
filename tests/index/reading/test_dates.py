from __future__ import annotations

import pytest

from index.reading.dates import in_words, iso_date, of_column


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-07-27", "2025-07-27"),
        ("2025-07", "2025-07"),
        ("2025", "2025"),
        ("2025-07-27T10:00Z", "2025-07-27"),
        ("2025-07-27T10:00:00.123+02:00", "2025-07-27"),
        ("2025-07-27 10:00 UTC", "2025-07-27"),
        ("20250727", "2025-07-27"),
        ("20250727T101500Z", "2025-07-27"),
        ("2024-02-29", "2024-02-29"),
        ("Tue, 04 Mar 2025 23:30:00 -0500", "2025-03-04"),
        ("4 Mar 2025 23:30", "2025-03-04"),
    ],
)
def test_dates_of_machines_are_understood_to_the_precision_they_have(text: str, day: str) -> None:
    assert iso_date(text) == day


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("4 March 2025", "2025-03-04"),
        ("March 4, 2025", "2025-03-04"),
        ("4th March 2025", "2025-03-04"),
        ("Sept. 4, 2025", "2025-09-04"),
        ("Tuesday, 4 March 2025", "2025-03-04"),
        ("March 4, 2025, 10:30 a.m. EST", "2025-03-04"),
        ("March 2025", "2025-03"),
        ("8. November 2024", "2024-11-08"),
        ("Freitag, 8. November 2024 um 10:30 Uhr", "2024-11-08"),
        ("3 juillet 2025", "2025-07-03"),
        ("1er mai 2025 à 10h30", "2025-05-01"),
        ("4 de marzo de 2025", "2025-03-04"),
        ("terça-feira, 4 de março de 2025", "2025-03-04"),
        ("4 marzo 2025", "2025-03-04"),
        ("4 maart 2025", "2025-03-04"),
        ("4 marca 2025", "2025-03-04"),
        ("4 марта 2025 г.", "2025-03-04"),
        ("4 березня 2025 р.", "2025-03-04"),
        ("4. března 2025", "2025-03-04"),
        ("4 Μαρτίου 2025", "2025-03-04"),
        ("4 Mart 2025", "2025-03-04"),
        ("2025年3月4日", "2025-03-04"),
        ("2025년 3월 4일", "2025-03-04"),
    ],
)
def test_a_day_with_its_month_as_a_word_is_understood_in_many_languages(text: str, day: str) -> None:
    assert in_words(text) == iso_date(text) == day


@pytest.mark.parametrize(
    "text",
    [
        "", "soon", "yesterday", "4 March", "March", "2025-02-30", "2025-02-29", "2025-13-01", "0000-00-00",
        "2025-3-4", "2025 March 4", "25-07-27", "2025/07/27", "04/03/2025", "4.3.2025", "31 June 2025", "20251301",
        "29 February 2025", "٢٠٢٥-٠٣-٠٤", "٢٠٢٥", "2025-07-27 or so", "Foo, 4 March 2025", "4 Foo 2025",
        "Tue, 31 Feb 2025 10:00:00 +0000", "2025年13月4日", "on 4 March 2025", "20250727 and more",
    ],
)  # fmt: skip
def test_what_is_no_whole_real_date_is_none(text: str) -> None:
    assert iso_date(text) == ""


@pytest.mark.parametrize(
    ("column", "dates"),
    [
        (["04/15/2024", "03/04/2024"], ["2024-04-15", "2024-03-04"]),
        (["15/04/2024", "03/04/2024"], ["2024-04-15", "2024-04-03"]),
        (["15-04-2024", "3-4-2024"], ["2024-04-15", "2024-04-03"]),
        (["03.04.2024", "1.2.2024"], ["2024-04-03", "2024-02-01"]),
        (["03/04/2024", "05/06/2024"], ["", ""]),
        (["15/04/2024", "04/15/2024"], ["", ""]),
        (["15.13.2024"], [""]),
        (["30/02/2024", "01/01/2024"], ["", ""]),
    ],
)
def test_the_order_of_day_and_month_is_that_of_the_whole_column_or_unknown(column: list[str], dates: list[str]) -> None:
    assert [of_column(column)[text] for text in column] == dates


def test_a_column_says_nothing_about_what_needs_no_other_to_be_understood() -> None:
    assert of_column(["2024-04-15", "4 March 2025", "", "n/a", "1.2"]) == {}
    assert of_column([]) == {}
