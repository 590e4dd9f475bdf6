"""Whether what somebody types is a plain question in English, which can be looked up as it is: a linear head over the
bundled embedder. `python -m evals.training.plain` fits it; a false alarm costs a second, not an answer."""

from __future__ import annotations

import math
from functools import cache
from pathlib import Path

import numpy as np

from index.embedding import Embedder

WEIGHTS = Path(__file__).parent / "plain.npz"
FROM = 0.5


def is_plain(text: str, embedder: Embedder) -> bool:
    """Whether it is.

    Args:
        embedder: the one in use; another than the bundled one is not asked.
    """
    weights, bias = _head()
    bundled = _bundled()
    vector = (embedder if embedder.name == bundled.name else bundled).query(text)
    return 1 / (1 + math.exp(-(float(vector @ weights) + bias))) >= FROM


@cache
def _bundled() -> Embedder:
    return Embedder()


@cache
def _head() -> tuple[np.ndarray, float]:
    told = np.load(WEIGHTS)
    return told["weights"], float(told["bias"][0])
