"""A second look at the best passages, by a cross-encoder that reads question and passage together.

None is bundled; a user who has one names it. Knows nothing of stores or scores before it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from index.cross_encoder import load
from index.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder


class Reranker:
    """A sentence-transformers CrossEncoder, by a folder or an id that is already in the hub's cache.

    Raises (when it is first used):
        ConfigError: the model can't be found on this machine, or gives more than one score.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers to the question, 0…1."""
        if not texts:
            return []
        import torch

        with self._lock:
            pairs = [(question, text) for text in texts]
            # The activation is named: a model's own may give scores below 0, which shares can't be made of.
            found = self._model.predict(pairs, activation_fn=torch.nn.Sigmoid(), show_progress_bar=False)
        return [float(score) for score in found]

    @cached_property
    def _model(self) -> CrossEncoder:
        model = load(self.name, "reranker", "a sentence-transformers CrossEncoder", "DATELINE_RERANKER")
        if model.num_labels != 1:
            raise ConfigError(
                f"The reranker {self.name!r} gives {model.num_labels} scores for a pair; name one that gives one."
            )
        return model
