from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from index.article import Article
from index.search import Index
from index.splitting import split_sentences
from rag.types import EvidenceSentence
from rag.evidence import antecedents, select, shown, to_read

ARTICLES = {
    "gwadar": "The harbour of Gwadar was opened in 2007. Its cranes came from China. A school stands nearby. "
    "Fishermen sell their catch there. Rain is rare in that town.",
    "quetta": "The railway to Quetta was closed for repairs. Passengers took the bus. The mayor apologised. "
    "He denied that money was missing.",
    "copy": "The harbour of Gwadar was opened in 2007. It had cost a fortune.",
}


@pytest.fixture
def filled(corpus: Index, write: Callable[..., Path], folder: Path) -> Index:
    for name, text in ARTICLES.items():
        write(f"{name}.txt", text)
    corpus.add([folder])
    return corpus


def count(texts: Sequence[str]) -> list[int]:
    return [len(text.split()) for text in texts]


def choose(index: Index, question: str, budget: int) -> tuple[EvidenceSentence, ...]:
    return select(question, index.embedder.query(question), index.search(question, 12), index, count, budget)


def test_sentences_are_numbered_from_1_and_are_slices_of_their_articles(filled: Index) -> None:
    chosen = choose(filled, "When was the harbour of Gwadar opened?", 400)
    assert [e.number for e in chosen] == list(range(1, len(chosen) + 1))
    for e in chosen:
        assert e.text == ARTICLES[e.article.id][e.start : e.end]
        spans = filled.ledger.sentences(
            next(h.article_key for h in filled.search(e.text) if h.article.id == e.article.id)
        ).spans
        assert (spans[e.sentence].start, spans[e.sentence].end) == (e.start, e.end)


def test_the_answering_sentence_is_there_even_if_it_alone_fits(filled: Index) -> None:
    for budget in (1, 40, 400):
        chosen = choose(filled, "When was the harbour of Gwadar opened?", budget)
        assert any(e.text == "The harbour of Gwadar was opened in 2007." for e in chosen)
    assert len(choose(filled, "When was the harbour of Gwadar opened?", 1)) == 1


@pytest.mark.parametrize("budget", [50, 80, 120])
def test_the_budget_holds_with_headers_and_numbers(filled: Index, budget: int) -> None:
    chosen = choose(filled, "What happened to the railway to Quetta?", budget)
    articles = {e.article.id for e in chosen}
    assert sum(count([e.text for e in chosen])) + 4 * len(chosen) + 24 * len(articles) <= budget


def test_a_larger_budget_keeps_what_a_smaller_one_chose(filled: Index) -> None:
    small = {e.text for e in choose(filled, "Who denied that money was missing?", 60)}
    large = {e.text for e in choose(filled, "Who denied that money was missing?", 400)}
    assert small < large


def test_sentences_stand_by_article_the_best_first_in_the_order_of_the_text(filled: Index) -> None:
    chosen = choose(filled, "Who apologised for the railway to Quetta?", 400)
    order = [e.article.id for e in chosen]
    assert order[0] == "quetta"
    assert order == sorted(order, key=order.index), "an article's sentences are torn apart"
    for article in set(order):
        positions = [e.sentence for e in chosen if e.article.id == article]
        assert positions == sorted(positions)


def test_a_sentence_that_stands_in_two_articles_is_given_once(filled: Index) -> None:
    texts = [e.text for e in choose(filled, "When was the harbour of Gwadar opened?", 1_000)]
    assert texts.count("The harbour of Gwadar was opened in 2007.") == 1
    assert len(texts) == len(set(texts)) == 10


def test_a_sentence_that_says_he_brings_the_one_that_says_who(filled: Index) -> None:
    chosen = [e.text for e in choose(filled, "Who denied that money was missing?", 70)]
    assert "He denied that money was missing." in chosen
    assert "The mayor apologised." in chosen


def test_articles_stand_by_their_best_hit_however_low_their_last_one_is(filled: Index) -> None:
    question = "Where did passengers and cranes come from?"
    hits = {hit.article.id: hit for hit in filled.search(question, 12)}
    first, second = hits["quetta"], hits["gwadar"]
    ranked = [replace(first, score=0.9), replace(second, score=0.8), replace(first, score=0.4)]
    chosen = select(question, filled.embedder.query(question), ranked, filled, count, 1_000)
    assert list(dict.fromkeys(e.article.id for e in chosen)) == ["quetta", "gwadar"]


def test_what_was_removed_since_it_was_found_gives_no_evidence(filled: Index) -> None:
    question = "What happened to the railway to Quetta?"
    vector, hits = filled.embedder.query(question), filled.search(question, 12)
    filled.remove(["gwadar", "copy"])
    chosen = select(question, vector, hits, filled, count, 1_000)
    assert {e.article.id for e in chosen} == {"quetta"}
    assert [e.number for e in chosen] == [1, 2, 3, 4]
    filled.remove(["quetta"])
    assert select(question, vector, hits, filled, count, 1_000) == ()


def test_of_articles_that_are_all_far_the_farther_one_is_lent_no_more(filled: Index) -> None:
    question = "What happened?"
    hits = {hit.article.id: hit for hit in filled.search(question, 12)}
    ranked = [replace(hits["quetta"], score=-0.1), replace(hits["gwadar"], score=-5.0)]
    chosen = select(question, filled.embedder.query(question), ranked, filled, count, 1)
    assert chosen[0].article.id == "quetta"


def test_without_hits_there_is_no_evidence(corpus: Index) -> None:
    assert choose(corpus, "Anything?", 400) == ()


def test_a_corpus_of_no_words_gives_no_evidence(corpus: Index, write: Callable[..., Path]) -> None:
    corpus.add([write("emoji.txt", "\U0001f600\U0001f600")])
    assert choose(corpus, "Anything?", 400) == ()


def test_by_source_every_article_keeps_its_share_and_its_own_copy(filled: Index) -> None:
    question = "When was the harbour of Gwadar opened?"
    hits = filled.search(question, 12)
    chosen = select(question, filled.embedder.query(question), hits, filled, count, 400, of_each=40)
    assert {e.article.id for e in chosen} == set(ARTICLES)
    for name in ARTICLES:
        own = [e.text for e in chosen if e.article.id == name]
        assert sum(count(own)) + 4 * len(own) + 24 <= 40
    assert "copy" in {e.article.id for e in chosen if e.text == "The harbour of Gwadar was opened in 2007."}


def test_a_corrected_copy_is_no_copy(corpus: Index, write: Callable[..., Path], folder: Path) -> None:
    told = "The repairs of the old harbour bridge in the town cost {} million euros in all."
    for n, cost in enumerate((14, 14, 17)):
        write(f"a{n}.txt", told.format(cost))
    corpus.add([folder])
    texts = [e.text for e in choose(corpus, "How much did the repairs of the bridge cost?", 400)]
    assert sorted(texts) == [told.format(14), told.format(17)]


def sentences(*texts_of_articles: Sequence[str]) -> tuple[EvidenceSentence, ...]:
    found: list[EvidenceSentence] = []
    for n, texts in enumerate(texts_of_articles):
        article, start = Article(f"a{n}", "T", " ".join(texts)), 0
        for position, text in enumerate(texts):
            found.append(EvidenceSentence(len(found) + 1, article, position, start, start + len(text), 1.0))
            start += len(text) + 1
    return tuple(found)


def read(question: str, found: Sequence[EvidenceSentence], *relevance: float, budget: int) -> list[int]:
    logits = np.array(relevance, dtype=np.float32)
    return [e.number for e in to_read(question, found, logits, count, budget)]


def test_the_model_reads_what_answers_best_in_order_and_under_its_number() -> None:
    found = sentences(["One two.", "Three four."], ["Five six.", "Seven eight."])
    # Of 105, 70 are read: two headers (24 each) and three sentences (2 words and 4 each) take 66, a fourth 72.
    assert read("When?", found, -11, 3, 9, 8, budget=105) == [2, 3, 4]
    assert read("When?", found, -11, 3, 9, 8, budget=109) == [1, 2, 3, 4]


def test_the_score_decides_where_nothing_is_more_relevant() -> None:
    low, high = sentences(["One two.", "Three four."])
    assert read("When?", [low, replace(high, score=1.5)], 2, 2, budget=45) == [2]
    assert read("When?", [low, replace(high, score=1.5)], 9, -9, budget=45) == [1]


def test_a_question_that_compares_has_several_articles_read() -> None:
    found = sentences(["One two.", "Three four.", "Five six."], ["Seven eight."])
    assert read("What happened?", found, 9, 8, 7, 6, budget=90) == [1, 2, 3]
    assert 4 in read("How do the articles differ?", found, 9, 8, 7, 6, budget=90)


def test_something_is_read_whatever_it_costs_and_nothing_of_nothing() -> None:
    assert read("When?", sentences(["One two.", "Three four."]), 1, 2, budget=1) == [2]
    assert read("When?", [], budget=100) == []


def test_what_is_read_brings_the_sentence_that_says_who() -> None:
    found = sentences(["Ada Holm is the mayor.", "She opened it.", "Rain fell there.", "It was wet."])
    assert read("Who opened it?", found, -11, 9, -3, -11, budget=66) == [1, 2]


def some_of(text: str, *positions: int) -> list[EvidenceSentence]:
    """The sentences of an article at these positions, numbered from 1."""
    article, spans = Article("a", "T", text), split_sentences(text)
    return [EvidenceSentence(n, article, p, spans[p].start, spans[p].end, 0.5) for n, p in enumerate(positions, 1)]


@pytest.mark.parametrize(
    ("positions", "added"),
    [
        ([3], ["It rained.", "Mara Lind leads the union."]),
        ([1, 3], ["It rained."]),
        ([2, 3], ["Mara Lind leads the union."]),
        ([1], []),
        ([0], []),
        ([5], ["The mayor called her speech a surprise.", "She speaks of a strike."]),
        ([4], ["She speaks of a strike.", "It rained."]),
        ([], []),
    ],
)
def test_what_a_sentence_points_back_at_can_be_cited_though_it_was_not_found(
    positions: list[int], added: list[str]
) -> None:
    text = (
        "Trains were late.  Mara Lind leads the union.\nIt rained. She speaks of a strike.\n\n"
        "The mayor called her speech a surprise. That reason is enough."
    )
    found = antecedents(some_of(text, *positions))
    assert [sentence.text for sentence in found] == added
    assert [sentence.number for sentence in found] == [len(positions) + n for n in range(1, len(found) + 1)]
    spans = split_sentences(text)
    assert all((s.start, s.end) == (spans[s.sentence].start, spans[s.sentence].end) for s in found)


def test_a_sentence_before_that_is_out_of_reach_is_not_cited_in_part() -> None:
    text = f"Mara Lind {'and others ' * 400}lead the union. She speaks of a strike."
    assert antecedents(some_of(text, 1)) == ()


def test_evidence_is_shown_by_article_with_source_and_day() -> None:
    port = Article("p", "The port", "It opened.\nIt closed.", source="Coast Weekly", published="2024-05-01")
    trains = Article("t", "Trains", "One two.")
    found = [
        EvidenceSentence(1, port, 0, 0, 10, 1.0),
        EvidenceSentence(3, port, 1, 11, 21, 1.0),
        EvidenceSentence(4, trains, 0, 0, 8, 1.0),
    ]
    assert shown(found) == (
        "Article: The port (Coast Weekly, 2024-05-01)\n[1] It opened.\n[3] It closed.\n\nArticle: Trains\n[4] One two."
    )
