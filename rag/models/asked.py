"""What somebody types, by a linear head over the bundled embedder: a plain question in English that can be looked up as
it is, one that compares what is said, or something else. `dateline eval train asked` fits it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from index.embedding import Embedder

WEIGHTS = Path(__file__).parent / "asked.npz"
CLASSES = ("plain", "contrast", "other")
_OTHER_FROM = 0.5


@dataclass(frozen=True, slots=True)
class Asked:
    """The probabilities (0…1) of the three; they add up to one."""

    plain: float
    contrast: float
    other: float

    @property
    def needs_telling(self) -> bool:
        """Whether the model has to tell what is meant."""
        return self.other >= _OTHER_FROM

    @property
    def compares(self) -> bool:
        """Whether it compares what is said, rather than asks for one thing."""
        return self.contrast > self.plain


def asked(text: str, embedder: Embedder) -> Asked:
    """What a text looks like.

    Args:
        embedder: the one in use; another than the bundled one is not asked.
    """
    weights, bias = _head()
    bundled = _bundled()
    scores = weights @ (embedder if embedder.name == bundled.name else bundled).query(text) + bias
    shares = np.exp(scores - scores.max())
    return Asked(*(shares / shares.sum()).tolist())


@cache
def _bundled() -> Embedder:
    return Embedder()


@cache
def _head() -> tuple[np.ndarray, np.ndarray]:
    told = np.load(WEIGHTS)
    return told["weights"], told["bias"]
