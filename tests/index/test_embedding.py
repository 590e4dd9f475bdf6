from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from index.article import Article
from index.embedding import CHUNK_PIECES, Embedder
from index.errors import ConfigError
from index.splitting import split


def cosine(embedder: Embedder, one: str, other: str) -> float:
    return float(embedder.query(one) @ embedder.query(other))


def test_a_question_becomes_a_unit_vector_that_is_near_what_it_asks_for(embedder: Embedder) -> None:
    vector = embedder.query("Who met in Islamabad?")
    assert vector.shape == (embedder.dimension,) == (384,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    near = cosine(embedder, "Who met in Islamabad?", "Officials held talks in Islamabad.")
    assert near > cosine(embedder, "Who met in Islamabad?", "The recipe needs two eggs.") + 0.3


def test_chunks_and_sentences_get_unit_vectors_in_their_order(embedder: Embedder) -> None:
    articles = [
        Article("one", "Trade", "Pakistan signed a trade deal. Bananas are yellow. " * 30),
        Article("two", "Short", "One sentence."),
    ]
    embedded = list(embedder.embed([split(article, embedder, CHUNK_PIECES) for article in articles]))
    assert [e.pieces.article.id for e in embedded] == ["one", "two"]
    for e in embedded:
        assert e.chunks.shape == (len(e.pieces.chunks), 384)
        assert e.sentences.shape == (len(e.pieces.sentences), 384)
        np.testing.assert_allclose(np.linalg.norm(e.chunks, axis=1), 1.0, atol=1e-4)
        np.testing.assert_allclose(np.linalg.norm(e.sentences, axis=1), 1.0, atol=1e-4)
    assert len(embedded[0].chunks) > 1
    question = embedder.query("What colour are bananas?")
    scores = embedded[0].sentences @ question
    assert (scores[1::2] > scores[0::2]).all(), "sentence vectors are not those of their sentences"


def test_a_chunk_vector_does_not_depend_on_what_it_is_batched_with(embedder: Embedder) -> None:
    article = split(Article("a", "T", "Officials held talks in Islamabad."), embedder, CHUNK_PIECES)
    long = split(Article("b", "T", "A much longer article follows here. " * 40), embedder, CHUNK_PIECES)
    (alone,), (_, together) = embedder.embed([article]), embedder.embed([long, article])
    np.testing.assert_array_equal(alone.chunks, together.chunks)
    np.testing.assert_array_equal(alone.sentences, together.sentences)


def test_the_sentence_vector_knows_its_surroundings(embedder: Embedder) -> None:
    def vector(text: str) -> np.ndarray:
        (embedded,) = embedder.embed([split(Article("a", "T", text), embedder, CHUNK_PIECES)])
        return embedded.sentences[-1]

    alone, told = vector("He denied it."), vector("The minister was accused of bribery. He denied it.")
    question = embedder.query("Did the minister admit bribery?")
    assert told @ question > alone @ question + 0.1


def test_characters_that_the_tokenizer_drops_do_no_harm(embedder: Embedder) -> None:
    (embedded,) = embedder.embed([split(Article("a", "", "\u200b\u200b"), embedder, CHUNK_PIECES)])
    assert np.isfinite(embedded.sentences).all()
    assert np.isfinite(embedded.chunks).all()


def test_threads_may_ask_at_once(embedder: Embedder) -> None:
    questions = [f"Question number {n}?" for n in range(16)]
    with ThreadPoolExecutor(4) as pool:
        vectors = list(pool.map(embedder.query, questions))
    for question, vector in zip(questions, vectors, strict=True):
        np.testing.assert_array_equal(vector, embedder.query(question))


def test_the_fingerprint_names_the_model_and_stays_the_same(embedder: Embedder) -> None:
    assert embedder.fingerprint.startswith("all-MiniLM-L6-v2-")
    assert Embedder().fingerprint == embedder.fingerprint


def test_the_fingerprint_is_told_without_loading_the_model() -> None:
    fresh = Embedder()
    assert fresh.fingerprint
    assert not vars(fresh).keys() & {"_encoder", "sentence_transformer"}


def test_an_embedder_that_is_not_here_is_named_and_not_downloaded() -> None:
    with pytest.raises(ConfigError, match="no-such/embedder"):
        Embedder("no-such/embedder").query("x")


def test_a_folder_without_a_model_is_refused(folder: object) -> None:
    with pytest.raises(ConfigError, match="articles"):
        Embedder(str(folder)).query("x")
