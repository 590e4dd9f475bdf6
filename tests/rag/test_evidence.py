from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.article import Article
from index.relevance import Scores
from index.search import Index
from rag.evidence import Ranked, gathered, openings, pool, reading, repeats, shown, spread
from rag.types import EvidenceSentence
from tests.rag.making import article, count, ranked, sentence

ARTICLES = {
    "gwadar": "The harbour of Gwadar was opened in 2007. Its cranes came from China. A school stands nearby. "
    "Fishermen sell their catch there. Rain is rare in that town.",
    "quetta": "The railway to Quetta was closed for repairs. Passengers took the bus. The mayor apologised. "
    "He denied that money was missing.",
    "copy": "The harbour of Gwadar was opened in 2007. It had cost a fortune.",
}
OPENED = "When was the harbour of Gwadar opened?"


@pytest.fixture
def filled(corpus: Index, write: Callable[..., Path], folder: Path) -> Index:
    for name, text in ARTICLES.items():
        write(f"{name}.txt", text)
    corpus.add([folder])
    return corpus


class Relevance:
    """Gives texts the scores of the words that a test names, and keeps what it read."""

    def __init__(self, **scores: float) -> None:
        self.scores = scores
        self.read: list[str] = []

    def __call__(self, question: str, texts: Sequence[str]) -> Scores:
        self.read += texts
        return np.array([sum(v for word, v in self.scores.items() if word in text) for text in texts], np.float32)


def find(index: Index, question: str, relevance: Relevance | None = None) -> tuple[Ranked, ...]:
    return pool(question, index.search(question, 12), index, relevance or Relevance())


# The pool


def test_every_sentence_is_a_slice_of_its_article_at_its_place_in_the_index(filled: Index) -> None:
    found = find(filled, OPENED)
    keys = {hit.article.id: hit for hit in filled.search(OPENED, 12)}
    assert len(found) == 10
    for each in found:
        e = each.sentence
        assert e.text == ARTICLES[e.article.id][e.start : e.end]
        span = filled.sentences(keys[e.article.id]).spans[e.sentence]
        assert (span.start, span.end) == (e.start, e.end)


def test_each_sentence_comes_with_the_one_before_it_and_with_its_relevance(filled: Index) -> None:
    for each in find(filled, OPENED, Relevance(money=3.5)):
        e = each.sentence
        if e.sentence == 0:
            assert each.before is None
            continue
        assert each.before is not None
        assert (each.before.article, each.before.sentence) == (e.article, e.sentence - 1)
        assert ARTICLES[e.article.id][each.before.start : e.end] == f"{each.before.text} {e.text}"
        assert e.score == (3.5 if "money" in f"{each.before.text} {e.text}" else 0.0)
        assert each.before.score < min(0.0, e.score), "it was not found for what it says"


def test_the_relevance_of_a_sentence_is_read_after_the_one_before_it_and_decides_the_order(filled: Index) -> None:
    relevance = Relevance(apologised=1.0, denied=5.0)
    found = find(filled, OPENED, relevance)
    assert "The mayor apologised. He denied that money was missing." in relevance.read
    assert "The railway to Quetta was closed for repairs." in relevance.read
    assert [each.sentence.text for each in found[:2]] == ["He denied that money was missing.", "The mayor apologised."]
    scores = [each.sentence.score for each in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[:3] == [6.0, 1.0, 0.0]


def test_where_all_are_as_relevant_the_nearest_to_the_question_comes_first(filled: Index) -> None:
    assert find(filled, OPENED)[0].sentence.text == "The harbour of Gwadar was opened in 2007."
    assert find(filled, "Why was the railway to Quetta closed?")[0].sentence.article.id == "quetta"


def test_a_sentence_that_stands_in_two_articles_is_given_once(filled: Index) -> None:
    texts = [each.sentence.text for each in find(filled, OPENED)]
    assert texts.count("The harbour of Gwadar was opened in 2007.") == 1
    assert len(texts) == len(set(texts)) == 10


def test_a_corrected_copy_is_no_copy(corpus: Index, write: Callable[..., Path], folder: Path) -> None:
    told = "The repairs of the old harbour bridge in the town cost {} million euros in all."
    for n, cost in enumerate((14, 14, 17)):
        write(f"a{n}.txt", told.format(cost))
    corpus.add([folder])
    texts = [each.sentence.text for each in find(corpus, "How much did the repairs of the bridge cost?")]
    assert sorted(texts) == [told.format(14), told.format(17)]


def test_the_cross_encoder_reads_32_sentences_and_no_more(
    corpus: Index, write: Callable[..., Path], folder: Path
) -> None:
    towns = [f"Ferry number {n} goes to the harbour." for n in range(50)]
    write("ferries.txt", " ".join(towns))
    corpus.add([folder])
    relevance = Relevance()
    assert len(find(corpus, "Which ferry goes to the harbour?", relevance)) == len(relevance.read) == 32


def test_what_was_removed_since_it_was_found_gives_no_evidence(filled: Index) -> None:
    question = "What happened to the railway to Quetta?"
    hits = filled.search(question, 12)
    filled.remove(["gwadar", "copy"])
    assert {each.sentence.article.id for each in pool(question, hits, filled, Relevance())} == {"quetta"}
    filled.remove(["quetta"])
    assert pool(question, hits, filled, Relevance()) == ()


def test_without_hits_there_is_no_evidence(filled: Index) -> None:
    assert pool("Anything?", [], filled, Relevance()) == ()


def test_of_articles_that_are_all_far_the_farther_one_is_lent_no_more(filled: Index) -> None:
    hits = {hit.article.id: hit for hit in filled.search("What happened?", 12)}
    far = [replace(hits["quetta"], score=-0.1), replace(hits["gwadar"], score=-5.0)]
    assert pool("What happened?", far, filled, Relevance())[0].sentence.article.id == "quetta"


def test_where_every_article_is_asked_each_keeps_its_copy_but_not_twice(
    filled: Index, write: Callable[..., Path], folder: Path
) -> None:
    write("twice.txt", "Rain is rare in that town. Fish is dear. Rain is rare in that town.")
    filled.add([folder])
    hits = filled.search(OPENED, 12)
    found = [each.sentence for each in pool(OPENED, hits, filled, Relevance(), by_article=True)]
    assert {e.article.id for e in found if e.text == "The harbour of Gwadar was opened in 2007."} == {"gwadar", "copy"}
    assert sorted(e.article.id for e in found if e.text.startswith("Rain")) == ["gwadar", "twice"]


def test_spread_gives_the_best_of_each_article_before_the_second_of_any() -> None:
    found = ranked((PORT, 3, 9.0), (PORT, 1, 8.0), (PORT, 0, 7.0), (TRAIN, 1, 6.0), (TRAIN, 0, 5.0))
    places = [(each.sentence.article.id, each.sentence.sentence) for each in spread(found)]
    assert places == [("port", 3), ("train", 1), ("port", 1), ("train", 0), ("port", 0)]
    assert spread(()) == ()


def test_openings_are_the_first_sentences_of_each_article_then_the_second_of_each() -> None:
    short = article("short", "One alone.")
    found = openings([PORT, short, TRAIN], 2)
    places = [(each.sentence.article.id, each.sentence.sentence) for each in found]
    assert places == [("port", 0), ("short", 0), ("train", 0), ("port", 1), ("train", 1)]
    assert [each.sentence.text for each in found[:2]] == ["Ada Holm is the mayor.", "One alone."]
    assert openings([PORT], 0) == ()


# What is read of it

PORT = article("port", "Ada Holm is the mayor.", "She opened it.", "Rain fell there.", "It was wet.")
TRAIN = article("train", "One two three.", "Four five six.")
HEADER, NUMBER = 24, 4  # tokens that evidence.py reckons for an article's header and a sentence's number


def read(found: Sequence[Ranked], budget: int) -> list[tuple[str, int]]:
    return [(e.article.id, e.sentence) for e in reading(found, count, budget)]


def test_a_sentence_is_read_after_the_one_before_it_in_the_order_of_the_text() -> None:
    assert read(ranked((PORT, 1, 9.0)), 400) == [("port", 0), ("port", 1)]
    assert read(ranked((PORT, 3, 9.0), (PORT, 1, 8.0)), 400) == [("port", n) for n in range(4)]


def test_articles_come_in_the_order_of_their_best_sentence_and_are_not_torn_apart() -> None:
    found = ranked((TRAIN, 0, 9.0), (PORT, 3, 8.0), (TRAIN, 1, 7.0), (PORT, 0, 6.0))
    assert read(found, 400) == [("train", 0), ("train", 1), ("port", 0), ("port", 2), ("port", 3)]


@pytest.mark.parametrize("found", [((PORT, 0, 9.0), (PORT, 1, 8.0)), ((PORT, 1, 8.0), (PORT, 0, 7.0))])
def test_a_sentence_that_was_found_keeps_its_relevance_where_it_also_comes_before_another(
    found: tuple[tuple[Article, int, float], ...],
) -> None:
    scores = {e.sentence: e.score for e in reading(ranked(*found), count, 400)}
    assert scores == {place: score for _, place, score in found}


def test_the_best_sentence_is_read_whatever_it_costs_with_the_one_before_it() -> None:
    assert read(ranked((PORT, 1, 9.0), (TRAIN, 0, 8.0)), 1) == [("port", 0), ("port", 1)]


def test_the_budget_counts_headers_numbers_and_sentences_to_the_token() -> None:
    found = ranked((PORT, 1, 9.0), (PORT, 2, 8.0), (TRAIN, 0, 7.0))
    first = HEADER + (5 + NUMBER) + (3 + NUMBER)
    second = first + (3 + NUMBER)  # the one before it is read already, and so is the header
    third = second + HEADER + (3 + NUMBER)
    assert len(read(found, second - 1)) == 2
    assert len(read(found, second)) == 3
    assert len(read(found, third - 1)) == 3
    assert len(read(found, third)) == 4


def test_reading_ends_at_the_first_that_does_not_fit() -> None:
    long = article("long", "word " * 50 + "end.")
    found = ranked((PORT, 0, 9.0), (long, 0, 8.0), (PORT, 2, 7.0))
    assert read(found, HEADER + 9 + 2 * (4 + NUMBER)) == [("port", 0)], "the third would fit, but is less relevant"


def test_a_larger_budget_reads_all_of_what_a_smaller_one_reads(filled: Index) -> None:
    found = find(filled, "Who denied that money was missing?", Relevance(money=5.0, mayor=2.0))
    before: set[tuple[str, int]] = set()
    for budget in (1, 60, 100, 140, 400):
        now = set(read(found, budget))
        assert before <= now
        before = now
    assert before >= {(each.sentence.article.id, each.sentence.sentence) for each in found}


def test_what_is_read_is_numbered_from_1_and_is_counted_in_one_call() -> None:
    calls: list[int] = []

    def counting(texts: Sequence[str]) -> list[int]:
        calls.append(len(texts))
        return count(texts)

    found = reading(ranked((PORT, 3, 9.0), (TRAIN, 0, 8.0)), counting, 400)
    assert [e.number for e in found] == [1, 2, 3]
    assert calls == [3]


def test_of_nothing_nothing_is_read() -> None:
    assert reading((), count, 400) == ()


# What is shown


def test_evidence_is_what_was_read_under_its_numbers_then_the_most_relevant_of_the_rest() -> None:
    found = ranked((PORT, 1, 9.0), (TRAIN, 1, 8.0), (PORT, 0, 7.0), (TRAIN, 0, 6.0))
    first = reading(found, count, 1)
    evidence = gathered(first, found)
    assert evidence[: len(first)] == first
    assert [(e.article.id, e.sentence) for e in evidence] == [("port", 0), ("port", 1), ("train", 1), ("train", 0)]
    assert [e.number for e in evidence] == [1, 2, 3, 4]


def test_each_sentence_is_shown_once_where_an_opening_was_also_found() -> None:
    long = article("long", "One two.", "Then " + "word " * 90 + "end.")
    found = (*openings([long], 2), *ranked((long, 0, 5.0), (long, 1, 4.0)))
    evidence = gathered(reading(found, count, 60), found)
    assert [(e.number, e.sentence) for e in evidence] == [(1, 0), (2, 1)]


def test_at_most_24_sentences_are_shown_but_all_that_were_read() -> None:
    many = article("many", *(f"This is sentence {n}." for n in range(40)))
    found = ranked(*((many, n, 9.0 - n / 10) for n in range(40)))
    assert len(gathered(reading(found, count, 1), found)) == 24
    whole = reading(found, count, 10_000)
    assert gathered(whole, found) == whole
    assert len(whole) == 40


def test_evidence_is_shown_by_article_with_source_and_day_on_one_line_each() -> None:
    port = Article("p", "The port", "It opened\n  late. It closed.", source="Coast Weekly", published="2024-05-01")
    trains = Article("t", "Trains", "One two.")
    found = [
        EvidenceSentence(1, port, 0, 0, 17, 1.0),
        EvidenceSentence(2, port, 1, 18, 28, 1.0),
        EvidenceSentence(3, trains, 0, 0, 8, 1.0),
    ]
    assert shown(found) == (
        "Article: The port (Coast Weekly, 2024-05-01)\n[1] It opened late.\n[2] It closed.\n\n"
        "Article: Trains\n[3] One two."
    )
    assert shown(()) == ""


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("The bridge cost 14 million.", True),
        ("the bridge cost 14 million", True),
        ("The bridge cost 17 million.", False),
        ("The bridge cost about 14 million.", False),
    ],
)
def test_only_the_same_words_are_a_repetition(text: str, same: bool) -> None:
    one, other = (sentence(article(n, t), 0) for n, t in (("a", "The bridge cost 14 million."), ("b", text)))
    assert repeats(one, other) is same


def test_what_was_read_before_does_not_come_again_and_the_numbers_run_on() -> None:
    found = ranked((PORT, 3, 9.0), (TRAIN, 0, 8.0), (PORT, 2, 7.0))
    first = reading(found, count, 1)
    then = reading(found, count, 400, after=first)
    assert {e.number for e in first} | {e.number for e in then} == set(range(1, len(first) + len(then) + 1))
    places = [(e.article.id, e.sentence) for e in (*first, *then)]
    assert len(places) == len(set(places))
    assert reading(found, count, 400, after=(*first, *then)) == ()


def test_where_what_does_not_fit_is_passed_over_that_goes_for_the_first_too() -> None:
    endless = article("endless", "word " * 500)
    found = ranked((endless, 0, 9.0), (TRAIN, 0, 8.0))
    assert [e.article.id for e in reading(found, count, 60, skipping=True)] == ["train"]
    assert [e.article.id for e in reading(found, count, 60)] == ["endless"]
