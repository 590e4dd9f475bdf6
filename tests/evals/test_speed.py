from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from evals.quickstart import embedding
from evals.speed import Pair, Speed, _copied, _quickstart_add
from index.embedding import Embedder

SPEED = Speed("A CPU, 2 cores", 0.5, False, 130.0, 23_000.0, 80.0, 30.0, 45.0, 4_400.0, 5_300.0, 210.0, 8)


def test_a_ratio_is_the_median_of_the_pairs_and_not_the_ratio_of_medians() -> None:
    assert Pair("adding", (1.0, 2.0, 4.0), (3.0, 2.0, 20.0)).ratio == pytest.approx(3.0)


def test_the_figures_are_told_in_lines_and_as_json() -> None:
    paired = Speed(**{**json.loads(json.dumps(SPEED.to_json())), "pairs": (Pair("first word", (2.0,), (10.0,)),)})
    text = "\n".join(paired.lines())
    for told in ("A CPU, 2 cores; load 0.5; the wheel", "130.0 chunks/s", "80.0 tokens/s", "5.00 times as fast"):
        assert told in text
    (pair,) = json.loads(json.dumps(paired.to_json()))["pairs"]
    assert pair == {"what": "first word", "dateline": [2.0], "quickstart": [10.0], "ratio": 5.0}


def test_the_quickstart_embeds_the_same_articles(tmp_path: Path, embedder: Embedder) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "a.txt").write_text("The harbour of Gwadar was opened in 2007. " * 100, encoding="utf-8")
    many = _copied(corpus, tmp_path / "many")
    texts = {path.read_text(encoding="utf-8") for path in many.iterdir()}
    assert len(texts) == len(list(many.iterdir())) > 5
    seconds, pieces = _quickstart_add(many)
    assert seconds > 0
    assert 0 < pieces <= 256 * 2 * len(texts)
    own, theirs = embedder.query("The harbour"), np.array(embedding().get_query_embedding("The harbour"))
    assert float(own @ theirs) > 0.98
