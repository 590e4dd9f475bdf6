"""What a natural-language-inference model makes of a claim and a text: the probability that the text entails it.

None is bundled; a user who has one names it. Knows nothing of citations or thresholds.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

from index.cross_encoder import load
from index.errors import ConfigError

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_READ = 4_000  # characters of a text; the model's own window cuts far sooner


@cache
def named(name: str) -> Entailment | None:
    """The model of that name, one for the process: what it has loaded serves every assistant. None for ""."""
    return Entailment(name) if name else None


class Entailment:
    """A sentence-transformers CrossEncoder for NLI, by a folder or an id that is already in the hub's cache.

    Raises (when it is first used):
        ConfigError: the model can't be found on this machine, or none of its labels is entailment.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()

    def probabilities(self, claim: str, texts: Sequence[str]) -> list[float]:
        """How likely each text entails the claim, 0…1."""
        if not texts:
            return []
        import torch

        with self._lock:
            pairs = [(text[:_READ], claim[:_READ]) for text in texts]
            # Named, because a model's own activation may be another one, and a softmax of it no probability.
            found = self._model.predict(pairs, activation_fn=torch.nn.Softmax(dim=-1), show_progress_bar=False)
        return [float(row[self._label]) for row in found]

    @cached_property
    def _label(self) -> int:
        """Which of the model's scores is that of entailment: the models don't agree on the order."""
        config: Any = self._model.config
        labels = {int(n): str(label).lower() for n, label in config.id2label.items()}
        found = [n for n, label in labels.items() if label in ("entailment", "entails", "entailed")]
        if len(found) != 1:
            raise ConfigError(
                f"The labels of the NLI model {self.name!r} are {', '.join(labels.values())}; name one that calls one "
                "of them entailment, or leave the setting away (DATELINE_NLI)."
            )
        return found[0]

    @cached_property
    def _model(self) -> CrossEncoder:
        return load(self.name, "NLI model", "a sentence-transformers CrossEncoder for NLI", "DATELINE_NLI")
