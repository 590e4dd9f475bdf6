"""What is found for what is typed, with a model that tells what a test says of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from index.errors import QuestionError, StoreError
from index.filters import Filters
from index.relevance import Scores
from index.search import Index
from index.settings import Settings
from prompts import Message
from rag.finding import Finder, Found
from rag.types import Kind, Turn

ARTICLES = {
    "gwadar": (
        "2024-05-01",
        "The harbour of Gwadar was opened in 2007. Its cranes came from China. Fish is sold there.",
    ),
    "quetta": ("2024-04-01", "The railway to Quetta was closed. Passengers took the bus. It was late. Nobody minded."),
    "copy": ("2023-01-01", "It had cost a fortune. The harbour of Gwadar was opened in 2007. Taxes rose."),
}
QUESTION = "When was the harbour of Gwadar opened?"
BEFORE = [Turn("user", "What stands in the harbour of Gwadar?"), Turn("assistant", "Cranes.")]


@pytest.fixture
def filled(corpus: Index, write: Callable[..., Path], folder: Path) -> Index:
    for name, (day, text) in ARTICLES.items():
        write(f"{name}.md", f"---\ntitle: About {name}\npublished: {day}\n---\n{text}")
    corpus.add([folder])
    return corpus


def relevance(question: str, texts: Sequence[str]) -> Scores:
    """The harbour before its cranes before all else."""
    return np.array([4.0 * text.endswith("2007.") + 2.0 * text.endswith("China.") for text in texts], np.float32)


class Find:
    """Finds in a corpus, with a model that tells what a test says."""

    def __init__(self, settings: Settings, index: Index) -> None:
        self._finder = Finder(settings, index, relevance, trained=True)
        self.prompts: list[list[Message]] = []
        self.told = ""

    def __call__(
        self,
        typed: str = QUESTION,
        told: str = "",
        *,
        history: Sequence[Turn] = (),
        asked: str = "",
        filters: Filters | None = None,
        by_article: bool = False,
    ) -> Found:
        self.told = told
        return self._finder.find(typed, history, asked, filters, self._write, by_article=by_article)

    def _write(self, messages: Sequence[Message], max_tokens: int) -> str:
        self.prompts.append(list(messages))
        return self.told


@pytest.fixture
def find(settings: Settings, filled: Index) -> Find:
    return Find(settings, filled)


def places(found: Found) -> list[tuple[str, int]]:
    return [(each.sentence.article.id, each.sentence.sentence) for each in found.ranked]


def test_a_plain_question_is_looked_up_as_it_is_without_a_call(find: Find) -> None:
    found = find(f"  {QUESTION.replace(' ', '  ')}", asked="2024-06-01")
    assert (found.question, found.standalone, found.asked, found.kind) == (
        QUESTION,
        QUESTION,
        "2024-06-01",
        Kind.QUESTION,
    )
    assert found.ranked[0].sentence.text == "The harbour of Gwadar was opened in 2007."
    assert (found.when, found.listed, find.prompts) == (None, (), [])


def test_a_follow_up_is_looked_up_as_what_it_means_and_when_it_means(find: Find) -> None:
    told = "question: Which railway was closed in April 2024?"
    found = find("And which was closed then?", told, history=BEFORE)
    assert (found.question, found.standalone) == (
        "And which was closed then?",
        "Which railway was closed in April 2024?",
    )
    assert found.when
    assert (found.when.first, found.when.last) == (date(2024, 4, 1), date(2024, 4, 30))
    assert len(find.prompts) == 1


@pytest.mark.parametrize(("typed", "kind"), [("Hello!", Kind.TALK), ("What can you do?", Kind.ABILITY)])
def test_small_talk_looks_for_nothing_even_where_there_are_no_articles(
    settings: Settings, corpus: Index, typed: str, kind: Kind
) -> None:
    assert Find(settings, corpus)(typed, f"{kind}:") == Found(typed, typed, "", kind)


def test_a_list_has_articles_and_no_sentences(find: Find) -> None:
    found = find("Und aus dem Mai 2024?", "list: Which articles are from May 2024?")
    assert (found.kind, found.standalone) == (Kind.LIST, "Which articles are from May 2024?")
    assert [each.id for each in found.listed] == ["gwadar"]
    assert found.ranked == ()
    assert found.when


def test_a_summary_begins_with_the_first_sentences_of_the_best_article(find: Find) -> None:
    found = find("Summarise the article about the harbour.", "summary: Summarise the article about the harbour.")
    assert found.kind is Kind.SUMMARY
    best = found.ranked[3].sentence
    assert best.text == "The harbour of Gwadar was opened in 2007."
    assert places(found)[:3] == [(best.article.id, n) for n in range(3)]
    assert ("quetta", 0) in places(found)[3:], "what else speaks to it follows"


def test_an_overview_has_the_beginnings_of_all_articles_by_date(find: Find) -> None:
    found = find("What are the articles about?", "overview: What are the articles about?")
    assert found.kind is Kind.OVERVIEW
    assert places(found) == [(name, n) for n in (0, 1) for name in ("gwadar", "quetta", "copy")]


@pytest.mark.parametrize(("articles", "shown"), [(8, 8), (9, 5), (16, 8), (40, 8)])
def test_of_many_articles_an_overview_has_at_most_eight_spread_evenly_by_date(
    settings: Settings, corpus: Index, write: Callable[..., Path], folder: Path, articles: int, shown: int
) -> None:
    for n in range(articles):
        write(f"a{n:02}.md", f"---\npublished: 2024-01-01\ntitle: A{n}\n---\nThis is number {n}. It has two sentences.")
    corpus.add([folder])
    found = Find(settings, corpus)("What are the articles about?", "overview: What are they about?")
    chosen = list(dict.fromkeys(name for name, _ in places(found)))
    step = -(-articles // 8)
    assert chosen == [f"a{n:02}" for n in range(0, articles, step)]
    assert len(chosen) == shown


@pytest.mark.parametrize("kind", [Kind.QUESTION, Kind.OVERVIEW, Kind.SUMMARY, Kind.LIST])
def test_what_filters_leave_out_is_never_found(find: Find, kind: Kind) -> None:
    found = find("What are the articles about?", f"{kind}: Which harbours are there?", filters=Filters(until="2023"))
    assert {each.sentence.article.id for each in found.ranked} | {each.id for each in found.listed} == {"copy"}


def test_filters_that_no_article_fits_are_named(find: Find) -> None:
    with pytest.raises(QuestionError, match="since 2030"):
        find(filters=Filters(since="2030"))


def test_without_articles_the_command_that_adds_some_is_named(settings: Settings, corpus: Index) -> None:
    with pytest.raises(StoreError, match="dateline index add"):
        Find(settings, corpus)()


def test_an_empty_question_is_refused_before_anything_is_asked(find: Find) -> None:
    with pytest.raises(QuestionError, match="empty"):
        find(" \n ", history=BEFORE)
    assert find.prompts == []


def test_what_compares_has_the_best_sentence_of_each_article_first(find: Find) -> None:
    together = [name for name, _ in places(find(QUESTION))][:2]
    assert together == ["gwadar", "gwadar"], "the cranes are more relevant than any sentence of another article"
    apart = places(find("How do the reports differ on the harbour of Gwadar?"))
    assert {name for name, _ in apart[:3]} == set(ARTICLES)
    assert len(apart) == len(set(apart)) == 10
    assert {("gwadar", 0), ("copy", 1)} <= set(apart), "each keeps its copy of a sentence"


def test_where_every_article_is_asked_each_keeps_its_copy_of_a_sentence(find: Find) -> None:
    assert {("gwadar", 0), ("copy", 1)} <= set(places(find(by_article=True)))
    assert len({("gwadar", 0), ("copy", 1)} & set(places(find()))) == 1


@pytest.mark.parametrize("told", ["overview: What is it about?", "list: Which?", "talk:", "summary: Sum it up."])
def test_where_every_article_is_asked_all_that_is_typed_is_a_question_to_it(find: Find, told: str) -> None:
    found = find("What are the articles about?", told, by_article=True)
    assert (found.kind, found.standalone, found.listed) == (Kind.QUESTION, "What are the articles about?", ())
    assert {name for name, _ in places(found)} == set(ARTICLES)


def test_what_was_removed_since_it_was_found_leaves_nothing(
    find: Find, filled: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = filled.search

    def removed_meanwhile(*args: object, **options: object) -> object:
        hits = search(*args, **options)  # type: ignore[arg-type]
        filled.remove(ARTICLES)
        return hits

    monkeypatch.setattr(filled, "search", removed_meanwhile)
    assert find("Summarise the harbour", "summary: Summarise the article about the harbour.").ranked == ()
