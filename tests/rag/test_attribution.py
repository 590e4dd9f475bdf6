from __future__ import annotations

import time

import pytest

from index.article import Article
from rag.opinion import is_opinion, restore_bounds, restore_hedge, unattributed


@pytest.mark.parametrize(
    ("sentence", "quote", "restored"),
    [
        (
            "The waterworks opens in 2023.",
            "The waterworks may open in 2023 if the county agrees.",
            "It is possible, according to Coast Weekly, that the waterworks opens in 2023.",
        ),
        (
            "The repairs cost 17 million euros.",
            "According to the builders' association, the bill for the repairs came to 17 million euros.",
            "According to the builders' association, the repairs cost 17 million euros.",
        ),
        (
            "Ada Holm took money from the builders.",
            "Ada Holm allegedly took money from the builders.",
            "It is alleged, according to Coast Weekly, that Ada Holm took money from the builders.",
        ),
        (
            "17 million euros.",
            "It reportedly cost 17 million euros.",
            "17 million euros (reported, according to Coast Weekly).",
        ),
    ],
)
def test_a_lost_hedge_is_given_back(sentence: str, quote: str, restored: str) -> None:
    assert restored != sentence
    assert restore_hedge(sentence, [quote], "Coast Weekly") == restored
    assert restore_hedge(restored, [quote], "Coast Weekly") == restored, "hedged twice"


@pytest.mark.parametrize(
    ("sentence", "quotes"),
    [
        ("The bridge closed in May.", ["The bridge closed in May 2020."]),
        ("May is the month of the vote.", ["The vote is held in May."]),
        ("Reportedly, it cost 17 million euros.", ["It reportedly cost 17 million euros."]),
        ("The builders claim that it cost 17 million euros.", ["It allegedly cost 17 million euros."]),
        ("It might open in 2023.", ["It may open in 2023."]),
        ("Westmoor joined the waterworks.", ["Westmoor joined the waterworks, but it may leave next year."]),
        ("The bridge was closed.", ["The bridge was closed.", "The bridge was reportedly closed."]),
        ("The bridge was closed.", ["The mayor is alleged to have lied."]),
        ("The bridge was closed.", []),
        ("", ["It may rain."]),
    ],
)
def test_nothing_is_added_where_nothing_was_lost(sentence: str, quotes: list[str]) -> None:
    assert restore_hedge(sentence, quotes, "Coast Weekly") == sentence


def test_a_hedge_reaches_no_further_than_its_sentence() -> None:
    quote = "The driver Bob Stone was allegedly drunk. He killed two people in Dasu on Friday."
    assert restore_hedge("Bob Stone killed two people in Dasu.", [quote], "Coast Weekly") == (
        "Bob Stone killed two people in Dasu."
    )
    assert "alleged" in restore_hedge("The driver was drunk.", [quote], "Coast Weekly")


def test_without_a_source_the_hedge_stands_alone() -> None:
    assert restore_hedge("The ferry stops in June.", ["The ferry may stop in June."], "") == (
        "It is possible that the ferry stops in June."
    )


@pytest.mark.parametrize(
    ("sentence", "quote", "restored"),
    [
        ("The toll was 50 people.", "It left more than 50 people dead.", "The toll was more than 50 people."),
        ("They pledged $5 billion.", "Up to $5 billion were pledged.", "They pledged up to $5 billion."),
        ("1,200 came, and 3 left.", "About 1,200 people came and 3 left.", "About 1,200 came, and 3 left."),
        ("Over 50 people died.", "It left more than 50 people dead.", "Over 50 people died."),
        ("The toll is estimated to be 50.", "About 50 people died.", "The toll is estimated to be 50."),
        ("The toll was 50.", "More than 50 died, 50 at once.", "The toll was 50."),
        ("The toll was 50.", "More than 50 died, and about 50 fled.", "The toll was 50."),
        ("The toll was 51.", "More than 50 died.", "The toll was 51."),
        ("It was 50 to 60.", "More than 50 died.", "It was 50 to 60."),
        ("It opened in 1900.", "It was built around 1900.", "It opened in around 1900."),
        ("Nothing is said.", "", "Nothing is said."),
    ],
)
def test_a_number_keeps_what_bounds_it(sentence: str, quote: str, restored: str) -> None:
    assert restore_bounds(sentence, [quote]) == restored
    assert restore_bounds(restored, [quote]) == restored, "bounded twice"


@pytest.mark.parametrize(
    ("fields", "opinion"),
    [
        ({"title": "Opinion: Close the bridge"}, True),
        ({"title": "Editorial | Close the bridge"}, True),
        ({"source": "Opinion column"}, True),
        ({"url": "https://example.org/opinion/2021/bridge"}, True),
        ({"url": "https://example.org/commentisfree/bridge"}, True),
        ({"title": "Public opinion turns against the bridge"}, False),
        ({"title": "Fifth column of the bridge", "url": "https://example.org/news/opinion-poll"}, False),
        ({"url": "https://[broken/opinion/"}, False),
    ],
)
def test_an_opinion_piece_is_known_by_its_metadata(fields: dict[str, str], opinion: bool) -> None:
    assert is_opinion(Article("a", fields.pop("title", "T"), "In my opinion …", **fields)) is opinion


GAZETTE = Article(
    "a", "Harbour bridge reopens after repairs", "…", source="City Gazette", author="Ada Holm", published="2021-03-02"
)
WEEKLY = Article("b", "War", "…", source="Coast Weekly", published="2024-11")


@pytest.mark.parametrize(
    ("sentence", "left"),
    [
        ("According to the City Gazette (2021-03-02), it cost 14.", "it cost 14."),
        ("According to the report, Harbour bridge reopens after repairs (City Gazette), it cost 14.", "it cost 14."),
        ("The City Gazette said on 2 March 2021 that it cost 14.", "it cost 14."),
        ("City Gazette: it cost 14.", "it cost 14."),
        ("The article states that it cost 14.", "it cost 14."),
        ("In “Harbour bridge reopens after repairs”, it is put at 14.", "it is put at 14."),
        ("It cost 14, according to Ada Holm.", "It cost 14."),
        ("It cost 17, Coast Weekly reported in November 2024.", "It cost 17."),
        ("City Gazette (2 March 2021) says it cost 14; Coast Weekly (November 2024) says 17.", "it cost 14; 17."),
        ("The bridge, according to the City Gazette, cost 14.", "The bridge cost 14."),
        ("It cost 14, according to the City Gazette, and it opened in 2007.", "It cost 14 and it opened in 2007."),
        ("As reported by the City Gazette, it cost 14.", "it cost 14."),
        ("It cost 14 (City Gazette, 2021-03-02).", "It cost 14."),
        ("According to the City Gazette (March 2021), it cost 14.", "it cost 14."),
        ("On 2 March 2021, the City Gazette reported that it cost 14.", "it cost 14."),
        ("The City Gazette has reported that it cost 14.", "it cost 14."),
        # What is claimed of a day or of a person stays.
        ("According to the City Gazette, on 2 March 2021 it opened.", "on 2 March 2021 it opened."),
        ("According to the City Gazette, 2 March 2021 was the day.", "2 March 2021 was the day."),
        ("According to the City Gazette, Ada Holm was fired.", "Ada Holm was fired."),
    ],
)  # fmt: skip
def test_who_says_it_and_when_is_no_part_of_what_is_said(sentence: str, left: str) -> None:
    assert unattributed(sentence, [GAZETTE, WEEKLY]) == left


@pytest.mark.parametrize(
    "sentence",
    [
        "According to the Valley Courier, it cost 14.",  # not among those that may say it
        "Coast Weekly was sold in November 2024.",
        "War: it never changes.",  # a short title may be what the sentence is about
        "It rained in City Gazette House.",
        "Ada Holm claimed the prize of 14 million euros.",
        "Coast Weekly reported a loss of 14 million euros.",
        "In Coast Weekly, Ada Holm drew the bridge.",
        "According to the City Gazette.",  # nothing else is left
        "",
    ],
)
def test_what_is_claimed_of_a_source_stays(sentence: str) -> None:
    assert unattributed(sentence, [GAZETTE, WEEKLY]) == sentence


def test_heads_of_articles_are_no_patterns() -> None:
    odd = Article("a", "a (((b* [c", "…", source="(?:x+)+", author="\\", published="soon")
    assert unattributed("According to (?:x+)+, it cost 14.", [odd]) == "it cost 14."
    assert (
        unattributed("According to Nobody, it cost 14.", [Article("a", "", "…")]) == "According to Nobody, it cost 14."
    )


def test_heads_that_repeat_themselves_cost_no_time() -> None:
    odd = Article("a", "a a a", "…", source="a", author="a, a", published="2021")
    start = time.perf_counter()
    for n in (40, 600):
        unattributed(", ".join(["a"] * n) + " b c d.", [odd])
        unattributed("according to a (" + ", ".join(["a"] * n) + " b c d.", [odd])
    assert time.perf_counter() - start < 1
