"""What somebody types, by a linear head over the bundled embedder: a plain question in English that can be looked up
as it is, one that compares what is said, a wish for an overview, a summary or a list, talk, or something else that only
the model can tell. `dateline eval train asked` fits it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from index.embedding import Embedder

WEIGHTS = Path(__file__).parent / "asked.npz"
CLASSES = ("plain", "contrast", "overview", "summary", "list", "talk", "ability", "other")
AS_TYPED = frozenset({"plain", "contrast"})
_HARDLY = 0.05  # below which a comparison is not thought of


@dataclass(frozen=True, slots=True)
class Asked:
    """The probabilities (0…1) of the classes; they add up to one."""

    shares: Mapping[str, float]

    @property
    def best(self) -> str:
        """The likeliest class."""
        return max(CLASSES, key=lambda name: self.shares.get(name, 0.0))

    @property
    def needs_telling(self) -> bool:
        """Whether it is no question in English that can be looked up as it is."""
        return self.best not in AS_TYPED

    @property
    def compares(self) -> bool:
        """Whether it compares what is said, rather than asks for one thing."""
        plain, contrast = self.shares.get("plain", 0.0), self.shares.get("contrast", 0.0)
        return contrast > max(plain, _HARDLY)


def asked(text: str, embedder: Embedder) -> Asked:
    """What a text looks like.

    Args:
        embedder: the one in use; another than the bundled one is not asked.
    """
    weights, bias = _head()
    bundled = _bundled()
    scores = weights @ (embedder if embedder.name == bundled.name else bundled).query(text) + bias
    shares = np.exp(scores - scores.max())
    return Asked(dict(zip(CLASSES, (shares / shares.sum()).tolist(), strict=True)))


@cache
def _bundled() -> Embedder:
    return Embedder()


@cache
def _head() -> tuple[np.ndarray, np.ndarray]:
    told = np.load(WEIGHTS)
    return told["weights"], told["bias"]
