from __future__ import annotations

import pytest

from index.article import Article
from rag.attribution import is_opinion, restore_hedge


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


def test_without_a_source_the_hedge_stands_alone() -> None:
    assert restore_hedge("The ferry stops in June.", ["The ferry may stop in June."], "") == (
        "It is possible that the ferry stops in June."
    )


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
