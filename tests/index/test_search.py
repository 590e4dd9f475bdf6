from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.embedding import Embedder
from index.errors import EmbedderMismatch, QuestionError, UnknownArticle
from index.filters import Filters
from index.ledger import Ledger
from index.ranking import Weights
from index.search import Index

Write = Callable[..., Path]

ARTICLES = {
    "gwadar": "The harbour of Gwadar was opened in 2007. Its cranes were made in China by a firm called Zpmcorp.",
    "quetta": "The railway to Quetta was closed for repairs. Passengers had to take the bus for three weeks.",
    "wheat": "Farmers harvested more wheat than in any other year. Prices at the market fell.",
    "chess": "A girl of eleven won the chess tournament. She beat two grandmasters.",
}


@pytest.fixture
def filled(corpus: Index, write: Write, folder: Path) -> Index:
    for name, text in ARTICLES.items():
        write(f"{name}.txt", text)
    corpus.add([folder])
    return corpus


def ids(corpus: Index, question: str, limit: int = 10) -> list[str]:
    return [hit.article.id for hit in corpus.search(question, limit)]


@pytest.mark.parametrize(
    ("question", "best"),
    [
        ("When did the port of Gwadar begin to work?", "gwadar"),
        ("Zpmcorp", "gwadar"),
        ("How did travellers cope without trains?", "quetta"),
        ("Which child beat experienced players at a board game?", "chess"),
        ("grain yields", "wheat"),
    ],
)
def test_the_best_hit_is_found_by_meaning_and_by_word(filled: Index, question: str, best: str) -> None:
    assert ids(filled, question)[0] == best


def test_a_hit_is_a_slice_of_its_article_with_its_true_cosine(filled: Index) -> None:
    question = "Who won the chess tournament?"
    vector = filled.embedder.query(question)
    for hit in filled.search(question):
        assert hit.text == ARTICLES[hit.article.id][hit.chunk.start : hit.chunk.end]
        (key,) = [
            k
            for k, c in filled.ledger.chunks(sorted(filled.ledger.chunk_keys())).items()
            if c.article == hit.article_key
        ]
        assert hit.cosine == pytest.approx(float(filled.ledger.chunk_vectors([key])[1][0] @ vector), abs=1e-5)


def test_hits_come_best_first_and_at_most_as_many_as_asked_for(filled: Index) -> None:
    scores = [hit.score for hit in filled.search("wheat prices", 10)]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 4
    assert ids(filled, "wheat prices", 2) == ids(filled, "wheat prices", 10)[:2]


def test_the_sentences_of_a_hit_are_those_of_its_article(filled: Index) -> None:
    (hit,) = filled.search("railway", 1)
    sentences = filled.sentences(hit)
    text = hit.article.text
    assert [text[s.start : s.end] for s in sentences.spans] == [
        "The railway to Quetta was closed for repairs.",
        "Passengers had to take the bus for three weeks.",
    ]
    assert sentences.vectors.shape == (2, 384)
    np.testing.assert_allclose(np.linalg.norm(sentences.vectors, axis=1), 1.0, atol=1e-2)


def test_a_word_late_in_a_long_article_finds_the_chunk_it_stands_in(corpus: Index, write: Write) -> None:
    text = " ".join(f"Remark number {n} is about weather and wind." for n in range(80)) + " Zebras came at the end."
    corpus.add([write("long.txt", text)])
    (hit,) = corpus.search("zebras", 1)
    assert hit.text.endswith("Zebras came at the end.")
    assert hit.chunk.first > 0


def test_several_articles_come_before_much_of_one(corpus: Index, write: Write, folder: Path) -> None:
    write("long.txt", " ".join(f"Wheat harvest number {n} was good for wheat farmers." for n in range(120)))
    for n in range(4):
        write(f"short{n}.txt", f"In valley {n} the wheat harvest failed. Nobody knows why the wheat did not grow.")
    corpus.add([folder])
    found = ids(corpus, "How was the wheat harvest?", 10)
    assert found.count("long") > 1
    assert len(set(found[:5])) == 5


def test_the_article_that_the_best_one_names_is_found_too(corpus: Index, write: Write, folder: Path) -> None:
    write("a.md", "---\ntitle: Lothar the Younger\n---\nLothar the Younger was king. He was a son of Irmgard of Tours.")
    write("b.md", "---\ntitle: Irmgard of Tours\n---\nShe was a daughter of Hugo and died on 20 March 851.")
    for n, king in enumerate(("Otto", "Karl", "Ludwig", "Pippin", "Arnulf", "Konrad")):
        write(f"k{n}.md", f"---\ntitle: King {king}\n---\nKing {king} died young. The mother of King {king} wept.")
    corpus.add([folder])
    assert ids(corpus, "When did the mother of Lothar the Younger die?", 2) == ["a", "b"]
    without = [h.article.id for h in corpus.search("When did the mother of Lothar the Younger die?", 2,
                                                   weights=Weights(links=0))]  # fmt: skip
    assert without != ["a", "b"]


def test_the_best_article_speaks_first_however_low_its_last_passage_stands(
    corpus: Index, write: Write, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.search.LINKING", 1)
    more = " ".join(f"Remark number {n} is about weather and wind." for n in range(80))
    write("a.md", f"---\ntitle: Lothar the Younger\n---\nLothar the Younger was a son of Irmgard of Tours. {more}")
    write("b.md", "---\ntitle: Irmgard of Tours\n---\nShe was a daughter of Hugo.")
    write("c.md", "---\ntitle: Weather\n---\nThe weather of a king is as bad as that of anybody.")
    corpus.add([folder])
    question = "Whose son was Lothar the Younger?"
    found, plain = ({h.article.id: h.score for h in reversed(corpus.search(question, weights=weights))}
                    for weights in (Weights(), Weights(links=0)))  # fmt: skip
    assert len(corpus.search(question, weights=Weights(links=0))) > len(plain), "the best article has one passage"
    assert found["b"] > plain["b"]


def test_what_is_far_from_the_question_names_nothing(corpus: Index, write: Write, folder: Path) -> None:
    write("a.md", "---\ntitle: Lothar\n---\nLothar was a son of Irmgard of Tours.")
    write("b.md", "---\ntitle: Irmgard of Tours\n---\nShe was a daughter of Hugo.")
    corpus.add([folder])
    assert {h.score for h in corpus.search("Lothar", weights=Weights(0, 0, 0, 0, 0, 0))} == {0.0}


def test_what_is_removed_while_a_filter_is_applied_is_passed_over(
    filled: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearest = filled.projection.nearest

    def removed_meanwhile(*query: Any) -> Any:
        filled.ledger.remove(["wheat"])
        return nearest(*query)

    monkeypatch.setattr("index.search.FILTERED_DEPTH", 0)
    monkeypatch.setattr(filled.projection, "nearest", removed_meanwhile)
    assert filled.search("wheat", filters=Filters(articles=("wheat",))) == []


def dated(write: Write, corpus: Index, folder: Path) -> None:
    for name, published, source in (
        ("old", "2023-03-01", "The Herald"),
        ("new", "2025-04-15", "The Courier"),
        ("undated", "", "The Herald"),
    ):
        write(f"{name}.md", f"---\ntitle: Flood in {name} valley\npublished: {published}\nsource: {source}\n---\n"
              f"A flood came to the {name} valley. Forty houses were lost in the flood.")  # fmt: skip
    corpus.add([folder])


def test_what_a_question_says_of_when_is_preferred_and_filters_nothing(
    corpus: Index, write: Write, folder: Path
) -> None:
    dated(write, corpus, folder)
    question = "How many houses were lost in the flood {}?"
    for when, first in (("this week", "new"), ("in March 2023", "old")):
        found = [h.article.id for h in corpus.search(question.format(when), asked="2025-04-18")]
        assert found[0] == first
        assert sorted(found) == ["new", "old", "undated"]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (Filters(sources=("the herald",)), ["old", "undated"]),
        (Filters(sources=("The Courier", "The Herald"), since="2024"), ["new"]),
        (Filters(until="2023-03"), ["old"]),
        (Filters(since="2023-03-02"), ["new"]),
        (Filters(articles=("undated",)), ["undated"]),
        (Filters(authors=("Nobody",)), []),
    ],
)
def test_a_filter_leaves_only_what_fits(
    corpus: Index, write: Write, folder: Path, filters: Filters, found: list[str]
) -> None:
    dated(write, corpus, folder)
    assert sorted(h.article.id for h in corpus.search("How many houses were lost?", filters=filters)) == found


def test_what_a_filter_allows_is_found_however_far_it_is_from_the_question(
    corpus: Index, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.search.FILTERED_DEPTH", 2)
    rows = [{"id": f"w{n}", "text": f"Wheat grew in field {n}."} for n in range(20)] + [{"id": "far", "text": "Chess."}]
    path = write("rows.jsonl", "\n".join(json.dumps(row) for row in rows))
    corpus.add([path])
    assert [h.article.id for h in corpus.search("wheat", filters=Filters(articles=("far",)))] == ["far"]


@pytest.mark.parametrize(
    "dates",
    [
        ("soon", ""),
        ("", "2025-4"),
        ("2025-13", ""),
        ("", "2025-02-29"),
        ("0000", ""),
        ("２０２５", ""),
        ("2025-05", "2025-04"),
        ("2025", "2024-12"),
    ],
)
def test_a_filter_of_no_dates_is_refused(dates: tuple[str, str]) -> None:
    with pytest.raises(QuestionError, match=r"since|until|later"):
        Filters(since=dates[0], until=dates[1])


def test_a_corpus_in_memory_answers_like_one_on_disk(filled: Index, embedder: Embedder) -> None:
    with Index.in_memory([filled.article(name) for name in ARTICLES], embedder) as memory:
        for question in ("When did the port of Gwadar begin to work?", "wheat", "Zpmcorp"):
            there = [(h.article.id, round(h.score, 4)) for h in filled.search(question)]
            assert [(h.article.id, round(h.score, 4)) for h in memory.search(question)] == there


def test_an_empty_corpus_has_no_hits(corpus: Index) -> None:
    assert corpus.search("anything") == []
    assert corpus.articles() == []


@pytest.mark.parametrize(
    "question",
    [
        '"',
        '"wheat',
        "wheat*",
        "NEAR(wheat, market)",
        "wheat OR OR",
        "(",
        "title:wheat",
        "-wheat",
        "wheat AND NOT",
        "^",
        "{}",
        "'; DROP TABLE chunks; --",
        "\u200b",
        "\U0001f600",
        "who are they?",
        "?",
        "国",
        "wheat " * 400,
    ],
)
def test_no_question_is_read_as_a_query_language(filled: Index, question: str) -> None:
    assert sorted(ids(filled, question)) == sorted(ARTICLES)
    if "wheat" in question:
        assert ids(filled, question)[0] == "wheat"


def test_removed_articles_are_not_found(filled: Index) -> None:
    filled.remove(["wheat", "chess"])
    assert sorted(ids(filled, "wheat chess tournament")) == ["gwadar", "quetta"]
    with pytest.raises(UnknownArticle):
        filled.article("wheat")


def test_removing_the_last_article_leaves_an_empty_corpus_that_can_be_filled_again(filled: Index, write: Write) -> None:
    filled.remove(ARTICLES)
    assert filled.search("wheat") == []
    filled.add([write("wheat.txt", ARTICLES["wheat"])])
    assert ids(filled, "wheat") == ["wheat"]


def test_an_article_removed_by_another_while_chroma_is_behind_is_passed_over(filled: Index) -> None:
    filled.search("wheat")
    generation = filled.projection._generation  # type: ignore[attr-defined]
    filled.ledger.remove(["wheat"])
    filled.projection.catch_up = lambda progress=None: None  # type: ignore[method-assign]
    assert generation != filled.ledger.generation()
    assert "wheat" not in ids(filled, "wheat prices")


def test_a_second_process_finds_the_same_without_chroma(filled: Index) -> None:
    questions = ["When was the harbour opened?", "cheap bread", "board game"]
    script = """
import json, sys
from index.search import Index
from index.settings import load_settings
with Index.open(load_settings()) as corpus:
    hits = [[(h.article.id, h.chunk.start) for h in corpus.search(q)] for q in json.loads(sys.argv[1])]
    print(json.dumps([corpus.projection.name, hits]))
"""
    assert filled.projection.name == "chroma"
    child = subprocess.run(
        [sys.executable, "-c", script, json.dumps(questions)], capture_output=True, text=True, timeout=120
    )
    assert child.returncode == 0, child.stderr
    name, hits = json.loads(child.stdout)
    assert name == "exact"
    assert hits == [[[h.article.id, h.chunk.start] for h in filled.search(q)] for q in questions]


def test_what_one_process_adds_another_that_is_open_finds(
    filled: Index, make_index: Callable[[], Index], write: Write
) -> None:
    other = make_index()
    assert other.projection.name == "exact"
    other.add([write("opera.txt", "The opera of Lahore opened its new hall.")])
    assert ids(filled, "opera hall")[0] == "opera"
    filled.remove(["opera"])
    assert "opera" not in ids(other, "opera hall")


def test_an_index_of_another_embedder_is_refused(filled: Index, make_index: Callable[[], Index], settings: Any) -> None:
    filled.close()
    Ledger(settings.ledger_path, filled.embedder.fingerprint).close()
    import contextlib
    import sqlite3

    with contextlib.closing(sqlite3.connect(settings.ledger_path)) as database, database:
        database.execute("UPDATE meta SET value = 'bge-small-123' WHERE name = 'embedder'")
    with pytest.raises(EmbedderMismatch, match=r"bge-small-123.*all-MiniLM"):
        make_index()


@pytest.mark.parametrize("harm", ["deleted", "garbage", "empty"])
def test_a_chroma_that_was_harmed_while_closed_does_not_change_what_is_found(
    filled: Index, make_index: Callable[[], Index], settings: Any, harm: str
) -> None:
    import shutil

    before = ids(filled, "cranes from China")
    filled.close()
    if harm == "deleted":
        shutil.rmtree(settings.chroma_path)
    else:
        for file in settings.chroma_path.rglob("*"):
            if file.is_file():
                file.write_bytes(b"\x93garbage" * 600 if harm == "garbage" else b"")
    again = make_index()
    assert ids(again, "cranes from China") == before
    assert again.projection.present() == again.ledger.chunk_keys()  # type: ignore[attr-defined]
