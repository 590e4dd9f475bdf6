from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest

from index.article import Article
from index.embedding import CHUNK_PIECES, Embedder, bundled_path
from index.encoder import OnAllCores, is_bert
from index.splitting import split

TEXTS = [
    "Officials held talks in Islamabad.",
    "The harbour of Gwadar was opened in 2007, and its cranes came from China. " * 8,
    "Bananas are yellow.",
]


def in_32_bits(texts: list[str]) -> np.ndarray:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(bundled_path(), device="cpu", local_files_only=True)
    return np.asarray(model.encode(texts, normalize_embeddings=True, show_progress_bar=False))


def test_eight_bits_say_what_32_say(embedder: Embedder) -> None:
    exact = in_32_bits(TEXTS)
    rounded = np.stack([embedder.query(text) for text in TEXTS])
    assert np.sum(exact * rounded, axis=1).min() > 0.98
    np.testing.assert_allclose(rounded @ rounded.T, exact @ exact.T, atol=0.05)


def test_the_same_model_serves_code_that_wants_a_sentence_transformer(embedder: Embedder) -> None:
    model = embedder.sentence_transformer
    vectors = model.encode(TEXTS, show_progress_bar=False)
    for text, vector in zip(TEXTS, vectors, strict=True):
        np.testing.assert_allclose(vector, embedder.query(text), atol=1e-5)


def test_a_bert_with_another_pooling_is_read_through_sentence_transformers(embedder: Embedder, tmp_path: Path) -> None:
    folder = tmp_path / "first-token"
    shutil.copytree(bundled_path(), folder)
    (folder / "1_Pooling" / "config.json").write_text(
        json.dumps({"word_embedding_dimension": 384, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    )
    other = Embedder(str(folder))
    vector = other.query(TEXTS[0])
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_allclose(vector, other.sentence_transformer.encode(TEXTS[0]), atol=1e-5)
    assert vector @ embedder.query(TEXTS[0]) < 0.99
    assert other.fingerprint != embedder.fingerprint
    article = split(Article("a", "T", "A sentence of some length is here. " * 300), other, CHUNK_PIECES)
    (embedded,) = other.embed([article])
    assert embedded.chunks.shape == (len(article.chunks), 384)
    assert len(article.chunks) > 4


def test_a_model_as_the_library_saves_it_now_is_read_the_fast_way(embedder: Embedder, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    shutil.copytree(bundled_path(), folder)
    (folder / "1_Pooling" / "config.json").write_text('{"embedding_dimension": 384, "pooling_mode": "mean"}')
    (folder / "sentence_bert_config.json").write_text("{}")
    other = Embedder(str(folder))
    np.testing.assert_array_equal(other.query(TEXTS[0]), embedder.query(TEXTS[0]))
    (folder / "sentence_bert_config.json").unlink()
    assert Embedder(str(folder)).max_pieces > 100


def test_an_article_without_text_has_no_vectors(embedder: Embedder) -> None:
    (embedded,) = embedder.embed([split(Article("a", "T", " "), embedder, CHUNK_PIECES)])
    assert embedded.chunks.shape == embedded.sentences.shape == (0, 384)


def test_only_a_bert_is_compiled(tmp_path: Path) -> None:
    assert is_bert(Path(bundled_path()))
    assert not is_bert(tmp_path)
    (tmp_path / "model.safetensors").touch()
    (tmp_path / "config.json").write_text('{"model_type": "roberta", "hidden_act": "gelu"}')
    assert not is_bert(tmp_path)


def test_work_on_all_cores_comes_back_in_order_with_its_error() -> None:
    assert list(OnAllCores(lambda n: n * n, range(50))) == [n * n for n in range(50)]
    results = iter(OnAllCores(lambda n: 1 // n, [1, 0]))
    assert next(results) == 1
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_what_was_not_begun_is_left_undone_when_it_is_closed() -> None:
    go, done = threading.Event(), []
    work = OnAllCores(lambda n: (go.wait(10), done.append(n)), range(100))
    work.close()
    go.set()
    list(OnAllCores(lambda n: n, range(4)))
    assert len(done) <= len(os.sched_getaffinity(0))
