from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.errors import EmbedderMismatch, UnknownArticle
from index.ledger import Ledger
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


def test_the_sentences_of_a_hit_are_those_of_its_chunk(filled: Index) -> None:
    (hit,) = filled.search("railway", 1)
    sentences = filled.sentences(hit)
    text = hit.article.text
    assert [text[s.start : s.end] for s in sentences.spans] == [
        "The railway to Quetta was closed for repairs.",
        "Passengers had to take the bus for three weeks.",
    ]
    assert sentences.vectors.shape == (2, 384)
    np.testing.assert_allclose(np.linalg.norm(sentences.vectors, axis=1), 1.0, atol=1e-2)


def test_the_sentences_of_a_later_chunk_are_counted_from_the_start_of_the_article(corpus: Index, write: Write) -> None:
    text = " ".join(f"Remark number {n} is about weather and wind." for n in range(80)) + " Zebras came at the end."
    corpus.add([write("long.txt", text)])
    (hit,) = corpus.search("zebras", 1)
    sentences = corpus.sentences(hit)
    assert sentences.first > 0
    assert len(sentences.spans) == hit.chunk.last - hit.chunk.first + 1
    assert text[sentences.spans[-1].start : sentences.spans[-1].end] == "Zebras came at the end."
    assert text[: sentences.spans[0].start].count(".") == sentences.first


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
with Index(load_settings()) as corpus:
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
    assert again.projection._present() == again.ledger.chunk_keys()  # type: ignore[attr-defined]
