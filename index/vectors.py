"""The nearest chunks of a vector, from a projection of the ledger's vectors that can be thrown away at any time.

Chroma is behind LlamaIndex's vector-store interface. It holds keys and vectors only: no text, so nothing of a deleted
article can linger in its files. Two processes on one Chroma folder are unsafe, so one process owns it, by a lock; any
other searches the ledger's vectors exactly.
"""

from __future__ import annotations

import contextlib
import logging
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import filelock
import numpy as np

from index.embedding import Vectors
from index.ledger import Ledger

if TYPE_CHECKING:
    from llama_index.core.vector_stores.types import BasePydanticVectorStore

log = logging.getLogger(__name__)

_PROBES = 25
_SAME = 0.999  # cosine of a vector to itself, after rounding
_FEW = 20_000  # chunks that are read and compared in less time than it takes to open Chroma: 30 MB of vectors
_BATCH = 250  # Chroma takes at most 5,461 at once; small batches keep its queue short

Progress = Callable[[int, int], None]


class Projection(Protocol):
    """What a question needs of a vector store."""

    name: str

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[int, float]]:
        """(chunk key, cosine) of the nearest chunks, best first; a key may have been deleted meanwhile."""
        ...

    def catch_up(self, progress: Progress | None = None) -> None:
        """Bring the projection to the ledger's present generation."""
        ...

    def present(self) -> set[int] | None:
        """The keys of the chunks that it holds; None where it has no store of its own to look into."""
        ...

    def rebuild(self, progress: Progress | None = None) -> None:
        """Throw it away and make it anew from the ledger."""
        ...

    def size(self) -> int:
        """Bytes of its files."""
        ...

    def close(self) -> None: ...


def open_projection(ledger: Ledger, folder: Path, briefly: bool = False) -> Projection:
    """Chroma if no other process has it open, else an exact search of the ledger.

    Args:
        briefly: for a question or two: opening Chroma takes a second, in which thousands of vectors are compared.
    """
    if ledger.read_only or (briefly and ledger.count()[2] <= _FEW):
        return ExactProjection(ledger)
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder.with_name("chroma.lock"))
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        return ExactProjection(ledger)
    return ChromaProjection(ledger, folder, lock)


class ExactProjection:
    """All vectors of the ledger in memory, compared one by one."""

    name = "exact"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._generation = -1
        self._keys: list[int] = []
        self._vectors: Vectors = np.zeros((0, 0), np.float32)

    def catch_up(self, progress: Progress | None = None) -> None:
        generation = self._ledger.generation()
        if generation != self._generation:
            self._keys, self._vectors = self._ledger.chunk_vectors(sorted(self._ledger.chunk_keys()))
            self._generation = generation

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[int, float]]:
        if not self._keys:
            return []
        cosines = self._vectors @ vector
        best = np.argsort(-cosines, kind="stable")[:limit]
        return [(self._keys[i], float(cosines[i])) for i in best]

    def present(self) -> set[int] | None:
        return None

    def rebuild(self, progress: Progress | None = None) -> None:
        self._generation = -1

    def size(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to close."""


class ChromaProjection:
    """An embedded Chroma collection, owned by this process for as long as it is open."""

    name = "chroma"

    def __init__(self, ledger: Ledger, folder: Path, lock: filelock.BaseFileLock) -> None:
        self._ledger = ledger
        self._folder = folder
        self._lock = lock
        self._collection = f"chunks-{ledger.id()}"
        self._client: Any = None
        self._store: BasePydanticVectorStore | None = None
        self._generation = -1

    def catch_up(self, progress: Progress | None = None) -> None:
        generation = self._ledger.generation()
        if generation == self._generation:
            return
        try:
            self._project(progress)
            self._check_graph()
        except Exception as error:  # Chroma raises its own, Rust's and SQLite's: whatever it is, the ledger has it all.
            log.warning("The vector store %s is rebuilt from the ledger (%s).", self._folder, error)
            self.rebuild(progress)
        self._generation = generation

    def nearest(self, vector: Vectors, limit: int) -> list[tuple[int, float]]:
        try:
            return self._nearest(vector, limit)
        except Exception as error:
            log.warning("The vector store %s is rebuilt from the ledger (%s).", self._folder, error)
            self.rebuild()
            return self._nearest(vector, limit)

    def present(self) -> set[int]:
        return {int(key) for key in self._open().client.get(include=[])["ids"]}

    def rebuild(self, progress: Progress | None = None) -> None:
        from chromadb.api.shared_system_client import SharedSystemClient

        with contextlib.suppress(Exception):
            if self._client is not None:
                self._client.close()
        self._client = self._store = None
        # A system that failed to start stays in Chroma's cache of systems, and would be handed out again.
        SharedSystemClient.clear_system_cache()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._project(progress)

    def size(self) -> int:
        return sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = self._store = None
        self._lock.release()

    def _project(self, progress: Progress | None) -> None:
        """Compare every key, not a count or a sample: a wedged collection still counts right."""
        store = self._open()
        wanted, present = self._ledger.chunk_keys(), self.present()
        gone = [str(key) for key in present - wanted]
        for begin in range(0, len(gone), _BATCH):
            store.delete_nodes(gone[begin : begin + _BATCH])
        missing = sorted(wanted - present)
        for begin in range(0, len(missing), _BATCH):
            self._add(missing[begin : begin + _BATCH])
            if progress:
                progress(min(begin + _BATCH, len(missing)), len(missing))
        if self.present() != wanted:
            raise RuntimeError("it does not hold what was written to it")

    def _check_graph(self) -> None:
        """Keys and graph are files of their own: ask for some vectors that must be found as they are.

        Not after a rebuild: the graph is approximate, and what a fresh one misses no further rebuild would find.
        """
        keys = sorted(self._ledger.chunk_keys())
        _, vectors = self._ledger.chunk_vectors(keys[:: max(1, len(keys) // _PROBES)])
        for vector in vectors:
            found = self._nearest(vector, 1)
            if not found or found[0][1] < _SAME:
                raise RuntimeError("it has the keys, but does not find their vectors")

    def _nearest(self, vector: Vectors, limit: int) -> list[tuple[int, float]]:
        from llama_index.core.vector_stores.types import VectorStoreQuery

        if limit <= 0 or self._open().client.count() == 0:
            return []
        query = VectorStoreQuery(query_embedding=vector.tolist(), similarity_top_k=limit)
        result = self._open().query(query)
        # LlamaIndex hands back exp(-distance); Chroma's cosine distance is 1 - cosine.
        cosines = [1.0 + math.log(similarity) for similarity in result.similarities or []]
        return [(int(key), cosine) for key, cosine in zip(result.ids or [], cosines, strict=True)]

    def _add(self, keys: list[int]) -> None:
        from llama_index.core.schema import TextNode

        found, vectors = self._ledger.chunk_vectors(keys)
        nodes = [
            TextNode(id_=str(key), text="", embedding=vector.tolist())
            for key, vector in zip(found, vectors, strict=True)
        ]
        self._open().add(nodes)

    def _open(self) -> BasePydanticVectorStore:
        if self._store is None:
            import chromadb
            from chromadb.config import Settings as ChromaSettings
            from llama_index.vector_stores.chroma import ChromaVectorStore

            self._client = chromadb.PersistentClient(
                path=str(self._folder), settings=ChromaSettings(anonymized_telemetry=False)
            )
            if {collection.name for collection in self._client.list_collections()} - {self._collection}:
                raise RuntimeError("it belongs to another ledger")
            collection = self._client.get_or_create_collection(
                self._collection, configuration={"hnsw": {"space": "cosine"}}, embedding_function=None
            )
            self._store = ChromaVectorStore(chroma_collection=collection)
        return self._store
