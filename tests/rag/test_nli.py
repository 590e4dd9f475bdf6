"""A cross-encoder of two random layers: what it thinks means nothing, that it is asked and obeyed does."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.embedding import Embedder
from index.errors import ConfigError
from index.settings import load_settings
from rag.types import Support
from rag.nli import Entailment
from rag.support import SUPPORTED, check

CLAIM = "The harbour was opened in 2007."
TEXTS = ["The harbour was opened in 2007.", "Wheat prices fell.", "A girl won the chess tournament."]


def cross_encoder(embedder: Embedder, folder: Path, *labels: str) -> str:
    # Imported here, after Embedder has told them not to draw progress bars, which they look up when they are imported.
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    torch.manual_seed(7)
    tokenizer = embedder.sentence_transformer.tokenizer
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        id2label=dict(enumerate(labels)), label2id={label: n for n, label in enumerate(labels)}, initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def test_entailment_is_read_from_the_models_own_labels(embedder: Embedder, tmp_path: Path) -> None:
    orders = (
        ("contradiction", "entailment", "neutral"),
        ("ENTAILMENT", "neutral", "contradiction"),
        ("neutral", "contradiction", "Entailment"),
    )
    models = [Entailment(cross_encoder(embedder, tmp_path / labels[0], *labels)) for labels in orders]
    found = [model.probabilities(CLAIM, TEXTS) for model in models]
    assert all(0 < p < 1 for each in found for p in each)
    # The weights are the same: three labels' probabilities of a pair are those of the three places, and sum to 1.
    assert [sum(each) for each in zip(*found, strict=True)] == pytest.approx([1.0] * 3, abs=1e-5)
    assert models[0].probabilities(CLAIM, TEXTS) == pytest.approx(found[0])
    assert models[0].probabilities(CLAIM, []) == []


def test_the_check_takes_its_probability(embedder: Embedder, tmp_path: Path) -> None:
    nli = Entailment(cross_encoder(embedder, tmp_path / "m", "entailment", "neutral", "contradiction"))
    verdict = check(CLAIM, "", TEXTS[:1], nli=nli)
    (entailed,) = nli.probabilities(CLAIM, TEXTS[:1])
    assert verdict.probability == pytest.approx(entailed)
    assert (verdict.support is Support.SUPPORTED) == (entailed >= SUPPORTED)
    for evidence in (["The harbour was opened in 2008."], TEXTS[1:]):
        assert check(CLAIM, "", evidence, nli=nli).support is not Support.SUPPORTED, "2007 is nowhere, whatever it says"


def test_a_model_that_is_not_there_or_has_no_such_label_is_refused(embedder: Embedder, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DATELINE_NLI"):
        Entailment(str(tmp_path / "nowhere")).probabilities(CLAIM, TEXTS)
    bare = Entailment(cross_encoder(embedder, tmp_path / "bare", "LABEL_0", "LABEL_1", "LABEL_2"))
    with pytest.raises(ConfigError, match="label_0, label_1, label_2"):
        bare.probabilities(CLAIM, TEXTS)


def test_the_setting_names_it() -> None:
    assert load_settings({}).nli == ""
    assert load_settings({"DATELINE_NLI": "some/model"}).nli == "some/model"
