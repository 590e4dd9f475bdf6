from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from index.article import Article
from index.filters import Filters
from index.relevance import Scores
from index.search import Index
from index.times import time_hint
from rag import listing
from rag.types import LINES, Kind
from tests.rag.making import article

ROWS = {
    "port": ("The port", "Coast Weekly", "Ada Holm", "2024-05-01", "The harbour was opened. Ships came."),
    "trains": ("Trains", "AP", "Ben Ito", "2024-04-10", "The railway was closed. A bus ran instead."),
    "dam": ("The dam", "Coast Weekly", "Ben Ito", "2023-04-20", "The dam held. The lake rose."),
    "month": ("A month", "Gazette", "", "2024-04", "It rained for a month. Fields were wet."),
    "old": ("Undated", "", "", "", "Somebody wrote this once. Nobody knows when."),
}


@pytest.fixture
def filled(corpus: Index, write: Callable[..., Path], folder: Path) -> Index:
    for name, (title, source, author, published, text) in ROWS.items():
        head = {"title": title, "source": source, "author": author, "published": published}
        lines = "".join(f"{key}: {value}\n" for key, value in head.items() if value)
        write(f"{name}.md", f"---\n{lines}---\n{text}")
    corpus.add([folder])
    return corpus


class Relevance:
    """Finds the texts with a word of the test relevant, at the threshold, and keeps what it read."""

    def __init__(self, *about: str) -> None:
        self.about = about
        self.read: list[str] = []

    def __call__(self, question: str, texts: Sequence[str]) -> Scores:
        self.read += texts
        return np.array([0.0 if any(w in text for w in self.about) else -0.01 for text in texts], np.float32)


def ids(
    index: Index, question: str, relevance: Relevance | None = None, asked: str = "", filters: Filters | None = None
) -> list[str]:
    hits = index.search(question, 60, asked=asked, filters=filters)
    when = time_hint(question, asked)
    found = listing.listed(question, index, hits, relevance or Relevance(), when, filters)
    return [each.id for each in found]


def test_a_source_or_an_author_that_is_named_is_listed_the_newest_first(filled: Index) -> None:
    relevance = Relevance()
    assert ids(filled, "Which articles are from COAST weekly?", relevance) == ["port", "dam"]
    assert ids(filled, "What did Ben Ito write?", relevance) == ["trains", "dam"]
    assert relevance.read == [], "nothing needs to be read for that"


def test_a_name_inside_another_word_is_not_named(filled: Index) -> None:
    assert ids(filled, "Which articles are from AP?") == ["trains"]
    assert ids(filled, "Which articles are about the dam of Japan?", Relevance("dam")) == ["dam"]


def test_the_days_that_are_named_are_listed_and_narrow_a_source(filled: Index) -> None:
    assert ids(filled, "Which articles came out in May 2024?") == ["port"]
    assert ids(filled, "Which articles came out since April 2024?", asked="2024-06-15") == ["port", "trains", "month"]
    assert ids(filled, "Which articles came out before 2024?") == ["dam"]
    assert ids(filled, "Which articles came out on 10 April 2024?") == ["trains", "month"]
    assert ids(filled, "What came out last month?", asked="2024-06-15") == ["port"]
    assert ids(filled, "Which articles of Coast Weekly came out in April 2023?") == ["dam"]


def test_an_article_of_which_only_the_month_is_known_is_of_that_month(filled: Index) -> None:
    assert ids(filled, "Which articles came out in April 2024?") == ["trains", "month"]
    assert ids(filled, "Which articles came out in March 2024?") == []


def test_articles_from_a_month_came_out_in_it(filled: Index) -> None:
    assert ids(filled, "Which articles are from April 2024?", asked="2024-06-15") == ["trains", "month"]
    assert ids(filled, "Which articles are from April 2024 on?", asked="2024-06-15") == ["port", "trains", "month"]


def test_where_no_article_is_of_the_days_that_are_named_none_is_listed(filled: Index) -> None:
    assert ids(filled, "Which articles came out in March 2019?") == []


def test_else_those_on_the_matter_are_listed_by_title_and_passage(filled: Index) -> None:
    relevance = Relevance("The dam held", "The port.")
    assert ids(filled, "Which articles are about water?", relevance) == ["port", "dam"]
    assert any(text.startswith("The dam. The dam held.") for text in relevance.read)


def test_where_none_is_on_the_matter_all_are_listed_the_undated_last(filled: Index) -> None:
    assert ids(filled, "Which articles are there?") == ["port", "trains", "month", "dam", "old"]


@pytest.mark.parametrize("question", ["Which articles are there?", "Which are from Coast Weekly?", "Which are wet?"])
def test_what_filters_leave_out_is_never_listed(filled: Index, question: str) -> None:
    allowed = Filters(articles=("dam", "old"))
    found = ids(filled, question, Relevance("dam", "harbour"), filters=allowed)
    assert found
    assert set(found) <= {"dam", "old"}


# How a list is told

PORT = article("port", "It opened.", "Ships came.", title="The port", source="Coast Weekly", published="2024-05-01")
MONTH = article("month", "It rained.", title="", published="2024-04")
BARE = Article("bare", "Bare", "")


def test_each_article_has_a_line_that_its_first_sentence_stands_for() -> None:
    lines = listing.sentences([PORT, MONTH, BARE])
    assert [line.text for line in lines] == [
        "“The port” (Coast Weekly, 1 May 2024).",
        "“month” (April 2024).",
        "“Bare”.",
    ]
    assert [[(c.number, c.quote) for c in line.citations] for line in lines] == [
        [(1, "It opened.")],
        [(2, "It rained.")],
        [],
    ]


def test_the_evidence_of_a_list_is_numbered_from_1() -> None:
    assert [(e.number, e.article.id, e.text) for e in listing.found([BARE, PORT, MONTH])] == [
        (1, "port", "It opened."),
        (2, "month", "It rained."),
    ]


@pytest.mark.parametrize(
    ("articles", "said", "lines"),
    [
        (0, "0 articles:", 0),
        (1, "1 article:", 1),
        (20, "20 articles:", 20),
        (21, "21 articles, of which the newest 20:", 20),
    ],
)
def test_a_list_says_how_many_there_are_and_shows_twenty(articles: int, said: str, lines: int) -> None:
    many = [article(f"a{n}", f"This is number {n}.") for n in range(articles)]
    assert listing.text(many) == said
    assert len(listing.sentences(many)) == len(listing.found(many)) == lines


def test_what_is_answered_without_reading_has_a_text_unless_it_is_a_list() -> None:
    assert set(listing.SAYS) == LINES - {Kind.LIST}
