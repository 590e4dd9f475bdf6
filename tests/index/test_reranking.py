"""A cross-encoder of two random layers: what it thinks means nothing, that it is asked and obeyed does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from index.embedding import Embedder
from index.errors import ConfigError
from index.reranking import Reranker
from index.search import Index
from index.settings import Settings

TEXTS = ["The harbour was opened in 2007.", "Wheat prices fell.", "A girl won the chess tournament."]


def cross_encoder(embedder: Embedder, folder: Path, labels: int = 1) -> Path:
    # Imported here, after Embedder has told them not to draw progress bars, which they look up when they are imported.
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(7)
    tokenizer = embedder.sentence_transformer.tokenizer
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        num_labels=labels, initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_scores_lie_between_0_and_1_and_repeat(embedder: Embedder, tmp_path: Path) -> None:
    reranker = Reranker(str(cross_encoder(embedder, tmp_path / "model")))
    scores = reranker.scores("When was the harbour opened?", TEXTS)
    assert len(scores) == len(set(scores)) == 3
    assert all(0 < score < 1 for score in scores)
    assert reranker.scores("When was the harbour opened?", TEXTS) == pytest.approx(scores)
    assert reranker.scores("Anything?", []) == []


def test_the_hits_stand_in_the_order_of_the_rerankers_scores(
    corpus: Index, embedder: Embedder, write: Callable[..., Path], folder: Path, tmp_path: Path
) -> None:
    for n, text in enumerate(TEXTS):
        write(f"a{n}.txt", text)
    corpus.add([folder])
    question = "When was the harbour opened?"
    without = corpus.search(question)
    corpus.reranker = Reranker(str(cross_encoder(embedder, tmp_path / "model")))
    hits = corpus.search(question)
    scores = corpus.reranker.scores(question, [f"{hit.article.title}\n{hit.text}" for hit in hits])
    assert [hit.score for hit in hits] == pytest.approx(scores)
    assert scores == sorted(scores, reverse=True)
    assert {hit.article.id for hit in hits} == {hit.article.id for hit in without}
    assert [hit.article.id for hit in corpus.search(question, 1)] == [hits[0].article.id]


def test_a_reranker_that_is_not_there_or_gives_several_scores_is_refused(embedder: Embedder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DATELINE_RERANKER"):
        Reranker(str(tmp_path / "nowhere")).scores("Anything?", TEXTS)
    with pytest.raises(ConfigError, match="3 scores"):
        Reranker(str(cross_encoder(embedder, tmp_path / "three", labels=3))).scores("Anything?", TEXTS)


def test_the_setting_names_it(settings: Settings, shared_embedder: Embedder, tmp_path: Path) -> None:
    named = dataclasses.replace(settings, reranker=str(tmp_path))
    with Index.open(named) as index:
        assert index.reranker is not None
        assert index.reranker.name == str(tmp_path)
