from __future__ import annotations

import pytest

from rag.specifics import months, names, numbers, quotations, specifics


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It cost 14 million euros.", {"14000000"}),
        ("It cost $14m.", {"14000000"}),
        ("It cost 14,000,000 euros.", {"14000000"}),
        ("It cost fourteen million euros.", {"14000000"}),
        ("It cost 1.5bn.", {"1500000000"}),
        ("A rise of 41.3 % in 2016", {"41.3", "2016"}),
        ("A rise of 41.30 per cent", {"41.3"}),
        ("1,000 cooks", {"1000"}),
        ("10,000 cooks", {"10000"}),
        ("the 17th century", {"17"}),
        ("the seventeenth", set()),  # ranks end at twelve
        ("seventeen cooks", {"17"}),
        ("the seventh", {"7"}),
        ("twenty-five thousand", {"25000"}),
        ("seven hundred", {"700"}),
        ("the 1990s", {"1990"}),
        ("the 2005–06 season", {"2005", "2006"}),
        ("on 2004-10-19", {"2004", "10", "19"}),
        ("they won 5–4", {"5", "4"}),
        ("one of the first", set()),
        ("10 mm and 5 km", {"10", "5"}),
        ("agent 007", {"7"}),
        ("0 and 0.0", {"0"}),
        ("", set()),
    ],
)
def test_a_number_is_the_same_however_it_is_written(text: str, found: set[str]) -> None:
    assert numbers(text) == found


def test_a_run_of_digits_without_end_is_no_quantity() -> None:
    assert numbers("9" * 400) == {"9" * 400}


def test_months_meet_in_all_their_forms() -> None:
    assert months("in October") == months("on 3 Oct. 2004") == months("3 OCT 2004") == months("2004-10-19") == {"octob"}
    assert months("She may march on") == set()
    assert months("2004-13-01") == set()


def test_names_are_capitals_inside_a_sentence() -> None:
    assert names("Yesterday Khan met Mr Türk in Gwadar. Then it rained in May.") == {"khan", "mr", "turk", "gwadar"}
    assert names("Khan’s aide read of the Third Man") == {"man"}


def test_quotations_are_three_words_or_more_between_marks() -> None:
    assert quotations('He said "We shall  never, ever go" and “yes sir”.') == (" we shall never ever go ",)
    assert quotations('An open " mark') == ()


def test_specifics_are_numbers_months_and_names_together() -> None:
    assert specifics("It was opened by Khan in May 2007.") == {"khan", "may", "2007"}
