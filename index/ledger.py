"""The truth about the corpus: one SQL database with articles, sentences, chunks, their vectors and the lexical index.

Whatever else exists (the vector store) is a projection of it and can be thrown away. An article is replaced or removed
in one transaction, so a reader sees the old version or the new one, and a kill at any moment leaves one of the two.
Chunk keys are never used twice: a key that a projection still holds, but the ledger does not, is simply gone.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import sqlalchemy as sa
from sqlalchemy import event

from index import copies, lexical
from index.article import Article, Chunk, Pieces, Span, file_of
from index.embedding import Embedded, Vectors
from index.errors import Busy, DiskFull, EmbedderMismatch, StoreError, UnknownArticle
from index.filters import Filters, as_filtered
from index.lexical import Entry, parts
from index.tables import ARTICLES, BANDS, CHUNK, CHUNKS, FIELDS, FILES, META, METADATA, SENTENCES
from index.words import VERSION as WORDS_VERSION
from index.words import words

SCHEMA_VERSION = 3
MIN_FREE_BYTES = 200 * 2**20
_MOST_COMPARED = 1_000  # articles that share a band with a new one

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class ArticleRow:
    """An article as it is listed: everything but its text."""

    id: str
    title: str
    source: str
    author: str
    published: str
    url: str
    origin: str
    sentences: int


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file that was read whole: the digest of its bytes and of how they were read, and the ids of its articles."""

    digest: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """How far the lexical index is from the articles: rows it lacks, rows of nothing, what is wrong with the file."""

    missing: int
    surplus: int
    trouble: str


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk and the key of the article it belongs to."""

    key: int
    article: int
    chunk: Chunk


@dataclass(frozen=True)
class StoredSentences:
    """The sentences of one article with unit vectors of shape (n, d)."""

    spans: tuple[Span, ...]
    vectors: Vectors


class Ledger:
    """The database of one data directory. A directory that can't be written to can still be read.

    Args:
        path: the SQLite file, made if missing; None for a corpus that lives in memory and ends with its ledger.
        fingerprint: of the embedder in use; "" to take what there is, by whichever it was made.

    Raises:
        EmbedderMismatch: the articles were embedded by another embedder.
        StoreError: the file can't be opened, or was written by another version.
    """

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self.path = path
        self.read_only = path is not None and path.is_file() and not os.access(path.parent, os.W_OK)
        self._fingerprint = fingerprint
        try:
            self._engine = _engine(path, self.read_only)
            if not self.read_only:
                event.listen(self._engine, "connect", _configure)
                self._create()
            else:
                event.listen(self._engine, "connect", _add_functions)
            self._check_meta()
        except (OSError, sa.exc.DBAPIError) as error:
            reason = getattr(error, "orig", error)
            raise StoreError(
                f"The ledger {path} can't be used: {reason}. Check the folder's permissions and free space; "
                "if the file is damaged, move it away and add the articles again."
            ) from error

    def close(self) -> None:
        self._engine.dispose()

    # Writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the one writer's place in this data directory.

        Raises:
            Busy: another process holds it.
        """
        if self.path is None:  # nobody else can see it
            yield
            return
        if self.read_only:
            raise StoreError(f"{self.path.parent} can only be read; set DATELINE_HOME to a directory of your own.")
        lock = filelock.FileLock(self.path.with_name("writer.lock"))
        try:
            lock.acquire(timeout=5)
        except filelock.Timeout as error:
            raise Busy(
                f"Another process is adding or removing articles in {self.path.parent}. Try again when it has finished."
            ) from error
        try:
            yield
        finally:
            lock.release()

    def publish(self, batch: Sequence[Embedded]) -> None:
        """Make articles findable, each replacing what its id held before; all of the batch or nothing.

        Raises:
            DiskFull: too little space is left to write safely.
        """
        self.check_space()
        with self._engine.begin() as connection:
            self._check_fingerprint(_read_meta(connection))
            gone = _delete(connection, [embedded.pieces.article.id for embedded in batch])
            for embedded in batch:
                _insert(connection, embedded)
            self._advance(connection, gone)
        self._truncate_log(gone)

    def adopt(self, fingerprint: str, batches: Iterable[Sequence[Embedded]]) -> None:
        """Put articles of another embedder in place of everything there is, in one transaction.

        Readers see the old until the new is whole; those that are open then must begin anew (`generation`).
        """
        self.check_space()
        with self._engine.begin() as connection:
            connection.execute(ARTICLES.delete())
            connection.execute(FILES.delete())
            lexical.drop(connection)
            lexical.create(connection)
            for batch in batches:
                for embedded in batch:
                    _insert(connection, embedded)
            self._fingerprint = fingerprint
            self._advance(connection, gone=True)
        self._truncate_log(gone=True)

    def rebuild(self, progress: Progress = lambda done, total: None) -> None:
        """Write the lexical index and the groups of copies anew, from the texts."""
        self.check_space()
        with self._engine.begin() as connection:
            # Said, because sqlite3 itself begins a transaction before rows are changed, but not before tables are.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            self._check_fingerprint(_read_meta(connection))
            _rewrite_projections(connection, progress)
            self._advance(connection, gone=True)
        self._truncate_log(gone=True)

    def compact(self) -> int:
        """Give back the space of what was deleted, and leave nothing of it in the file.

        Returns:
            bytes that were freed.
        """
        if self.path is None:
            return 0
        before = self.path.stat().st_size
        self.check_space(MIN_FREE_BYTES + before)  # a second copy, for a moment
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            lexical.merge(connection)
            connection.execute(sa.text("VACUUM"))
            connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))
        return max(0, before - self.path.stat().st_size)

    def remove(self, ids: Iterable[str]) -> None:
        """Delete articles with everything made of them; all or nothing.

        Raises:
            UnknownArticle: one of the ids is not here; then nothing is deleted.
        """
        wanted = list(dict.fromkeys(ids))
        with self._engine.begin() as connection:
            self._check_fingerprint(_read_meta(connection))
            if missing := set(wanted) - set(_keys(connection, wanted)):
                raise UnknownArticle(
                    f"No article has the id {', '.join(sorted(missing))}. `dateline index list` shows the ids."
                )
            gone = _delete(connection, wanted)
            self._advance(connection, gone)
        self._truncate_log(gone)

    def relocate(self, origins: Mapping[str, str]) -> None:
        """Note that unchanged articles are now read from elsewhere: article id → origin."""
        with self._engine.begin() as connection:
            for article_id, origin in origins.items():
                connection.execute(ARTICLES.update().where(ARTICLES.c.id == article_id).values(origin=origin))

    def note_files(self, files: Mapping[str, ReadFile]) -> None:
        """Note which files were read whole, by their paths."""
        with self._engine.begin() as connection:
            for path, file in files.items():
                values = {"path": path, "digest": file.digest, "ids": json.dumps(file.ids)}
                connection.execute(FILES.insert().prefix_with("OR REPLACE").values(values))

    def files(self) -> dict[str, ReadFile]:
        """The files that were read whole, by their paths."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(FILES))
            return {row.path: ReadFile(row.digest, tuple(json.loads(row.ids))) for row in rows}

    def check_space(self, needed: int | None = None) -> None:
        """Raise `DiskFull` when the disk has fewer bytes left than needed; without a number, than is safe to write."""
        if self.path is None:
            return
        free = shutil.disk_usage(self.path.parent).free
        needed = MIN_FREE_BYTES if needed is None else needed
        if free < needed:
            raise DiskFull(
                f"{self.path.parent} has {free / 2**20:.0f} MiB left and needs {needed / 2**20:.0f} MiB. "
                "Free some space, or set DATELINE_HOME to another disk. Nothing was lost."
            )

    # Reading

    def generation(self) -> int:
        """Rises with every change of the corpus.

        Raises:
            EmbedderMismatch: another embedder has taken over since this ledger was opened.
        """
        with self._engine.connect() as connection:
            meta = _read_meta(connection)
        self._check_fingerprint(meta)
        return int(meta["generation"])

    def fingerprint(self) -> str:
        """Of the embedder that the articles were embedded by, "" where there are none."""
        with self._engine.connect() as connection:
            return _read_meta(connection)["embedder"]

    def id(self) -> str:
        """Of this ledger and no other, so that a projection of another one is not taken for its own."""
        with self._engine.connect() as connection:
            return _read_meta(connection)["id"]

    def known(self) -> dict[str, tuple[str, str]]:
        """Article id → (digest, origin)."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(ARTICLES.c.id, ARTICLES.c.digest, ARTICLES.c.origin))
            return {row.id: (row.digest, row.origin) for row in rows}

    def article(self, article_id: str) -> Article:
        """Raise `UnknownArticle` when it is not (or no longer) here."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(ARTICLES).where(ARTICLES.c.id == article_id)).one_or_none()
        if row is None:
            raise UnknownArticle(f"No article has the id {article_id!r}; it may have been removed since.")
        return _to_article(row)

    def key(self, article_id: str) -> int:
        """The key of an article. Raises `UnknownArticle`."""
        with self._engine.connect() as connection:
            key = connection.scalar(sa.select(ARTICLES.c.key).where(ARTICLES.c.id == article_id))
        if key is None:
            raise UnknownArticle(f"No article has the id {article_id!r}. `dateline index list` shows the ids.")
        return int(key)

    def copies(self, articles: Iterable[int]) -> dict[int, int]:
        """Article key → the number that it shares with its copies, of those of the keys that have copies."""
        found: dict[int, int] = {}
        # Only the groups at hand are counted: every search asks, and a corpus has as many groups as articles.
        other = ARTICLES.alias()
        is_shared = sa.exists().where(other.c.copies == ARTICLES.c.copies, other.c.key != ARTICLES.c.key)
        query = sa.select(ARTICLES.c.key, ARTICLES.c.copies).where(is_shared)
        with self._engine.connect() as connection:
            for part in parts(sorted(articles)):
                found |= {row.key: row.copies for row in connection.execute(query.where(ARTICLES.c.key.in_(part)))}
        return found

    def ids_of_copies(self, group: int) -> list[str]:
        """The ids of all articles that are copies of each other, the first published first, the undated last."""
        order = (ARTICLES.c.published == "", ARTICLES.c.published, ARTICLES.c.key)
        query = sa.select(ARTICLES.c.id).where(ARTICLES.c.copies == group).order_by(*order)
        with self._engine.connect() as connection:
            return list(connection.scalars(query))

    def pieces(self, article_id: str) -> Pieces:
        """An article as it was cut when it was added. Raises `UnknownArticle`."""
        return self.embedded(article_id).pieces

    def embedded(self, article_id: str) -> Embedded:
        """An article with the vectors that it was given. Raises `UnknownArticle`."""
        article, key = self.article(article_id), self.key(article_id)
        sentences, chunks = self.sentences(key), self.chunks_of([key])
        _, vectors = self.chunk_vectors([stored.key for stored in chunks])
        pieces = Pieces(article, sentences.spans, tuple(stored.chunk for stored in chunks))
        return Embedded(pieces, vectors, sentences.vectors)

    def differences(self) -> Differences:
        """What the lexical index lacks or has too much, row by row."""
        with self._engine.connect() as connection:
            present = {table: lexical.rows(connection, table) for table in lexical.TABLES}
            articles = set(connection.scalars(sa.select(ARTICLES.c.key)))
            chunks = set(connection.scalars(sa.select(CHUNKS.c.key)))
            integrity = connection.execute(sa.text("PRAGMA quick_check")).scalar()
            trouble = "" if integrity == "ok" else str(integrity)
        if not trouble and not self.read_only:
            with self._engine.begin() as connection:
                trouble = lexical.check(connection)
        return Differences(
            missing=len(articles - present["whole"]) + len(chunks - present["lexical"]),
            surplus=len(present["whole"] - articles) + len(present["lexical"] - chunks),
            trouble=trouble,
        )

    def articles_by_key(self, keys: Iterable[int]) -> dict[int, Article]:
        """Those of the keys that still exist."""
        found: dict[int, Article] = {}
        with self._engine.connect() as connection:
            for part in parts(list(keys)):
                rows = connection.execute(sa.select(ARTICLES).where(ARTICLES.c.key.in_(part)))
                found |= {row.key: _to_article(row) for row in rows}
        return found

    def list_articles(self, filters: Filters | None = None) -> list[ArticleRow]:
        """All articles, or those that the filters allow, the newest first, the undated last."""
        count = sa.func.count(SENTENCES.c.position).label("sentences")
        columns = [ARTICLES.c[n] for n in ("id", "title", "source", "author", "published", "url", "origin")]
        query = sa.select(*columns, count).outerjoin(SENTENCES).group_by(ARTICLES.c.key)
        if filters:
            query = query.where(*_conditions(filters))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(ARTICLES.c.published.desc(), ARTICLES.c.id))
            return [ArticleRow(**row._mapping) for row in rows]

    def count(self) -> tuple[int, int, int]:
        """How many articles, sentences and chunks there are."""
        with self._engine.connect() as connection:
            articles, sentences, chunks = (
                connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in (ARTICLES, SENTENCES, CHUNKS)
            )
        return articles, sentences, chunks

    def chunk_keys(self, filters: Filters | None = None) -> set[int]:
        """The keys of all chunks, or of those whose articles fit the filters."""
        query = sa.select(CHUNKS.c.key)
        if filters:
            query = query.join(ARTICLES).where(*_conditions(filters))
        with self._engine.connect() as connection:
            return set(connection.scalars(query))

    def chunks(self, keys: Sequence[int]) -> dict[int, StoredChunk]:
        """Those of the keys that still exist."""
        found: dict[int, StoredChunk] = {}
        with self._engine.connect() as connection:
            for part in parts(keys):
                rows = connection.execute(sa.select(*CHUNK).where(CHUNKS.c.key.in_(part)))
                found |= {row.key: _to_chunk(row) for row in rows}
        return found

    def chunk_vectors(self, keys: Sequence[int]) -> tuple[list[int], Vectors]:
        """Keys that still exist and their vectors, shape (n, d), in the same order."""
        found: list[tuple[int, bytes]] = []
        with self._engine.connect() as connection:
            for part in parts(keys):
                rows = connection.execute(sa.select(CHUNKS.c.key, CHUNKS.c.vector).where(CHUNKS.c.key.in_(part)))
                found += [(row.key, row.vector) for row in rows]
        return [key for key, _ in found], _to_matrix([vector for _, vector in found], np.float32)

    def sentences(self, article_key: int) -> StoredSentences:
        """All sentences of an article, in order."""
        query = sa.select(SENTENCES).where(SENTENCES.c.article == article_key).order_by(SENTENCES.c.position)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        spans = tuple(Span(row.start, row.end) for row in rows)
        return StoredSentences(spans, _to_matrix([row.vector for row in rows], np.float16))

    def match_chunks(self, terms: Sequence[str], limit: int, filters: Filters | None = None) -> dict[int, float]:
        """Keys of chunks with any of the words, best first, with their BM25 score (higher is better)."""
        fitting = sa.select(CHUNKS.c.key).join(ARTICLES).where(*_conditions(filters)) if filters else None
        with self._engine.connect() as connection:
            return lexical.match(connection, "lexical", terms, limit, fitting)

    def match_articles(self, terms: Sequence[str], limit: int, filters: Filters | None = None) -> dict[int, float]:
        """Keys of articles with any of the words anywhere, best first, with their BM25 score (higher is better)."""
        fitting = sa.select(ARTICLES.c.key).where(*_conditions(filters)) if filters else None
        with self._engine.connect() as connection:
            return lexical.match(connection, "whole", terms, limit, fitting)

    def unheard(self, terms: Iterable[str]) -> set[str]:
        """Those of the words that no article holds in its title or text, in whatever form."""
        with self._engine.connect() as connection:
            return lexical.unheard(connection, terms)

    def chunks_of(self, articles: Iterable[int]) -> list[StoredChunk]:
        """All chunks of those of the articles that still exist, in order."""
        with self._engine.connect() as connection:
            return [
                _to_chunk(row)
                for part in parts(sorted(articles))
                for row in connection.execute(
                    sa.select(*CHUNK).where(CHUNKS.c.article.in_(part)).order_by(CHUNKS.c.key)
                )
            ]

    def published(self, articles: Iterable[int]) -> dict[int, str]:
        """Article key → date of publication, "" where unknown."""
        query = sa.select(ARTICLES.c.key, ARTICLES.c.published)
        found: dict[int, str] = {}
        with self._engine.connect() as connection:
            for part in parts(sorted(articles)):
                found |= {row.key: row.published for row in connection.execute(query.where(ARTICLES.c.key.in_(part)))}
        return found

    def named(self, names: Iterable[str], filters: Filters | None = None) -> dict[str, list[int]]:
        """Name → keys of the articles whose title it is; names as `name_of` makes them."""
        found: dict[str, list[int]] = {}
        query = sa.select(ARTICLES.c.key, ARTICLES.c.name).order_by(ARTICLES.c.key)
        if filters:
            query = query.where(*_conditions(filters))
        with self._engine.connect() as connection:
            for part in parts(sorted(set(names) - {""})):
                for row in connection.execute(query.where(ARTICLES.c.name.in_(part))):
                    found.setdefault(row.name, []).append(row.key)
        return found

    def sentence_cosines(self, chunks: Sequence[int], vector: Vectors) -> dict[int, float]:
        """Chunk key → the cosine of its best sentence to a unit vector of shape (d,)."""
        rows: list[tuple[int, bytes]] = []
        inside = sa.and_(
            SENTENCES.c.article == CHUNKS.c.article, SENTENCES.c.position.between(CHUNKS.c.first, CHUNKS.c.last)
        )
        query = sa.select(CHUNKS.c.key, SENTENCES.c.vector).join(SENTENCES, inside)
        with self._engine.connect() as connection:
            for part in parts(chunks):
                rows += [(row.key, row.vector) for row in connection.execute(query.where(CHUNKS.c.key.in_(part)))]
        best: dict[int, float] = {}
        if rows:
            cosines = _to_matrix([row[1] for row in rows], np.float16) @ vector
            for (key, _), cosine in zip(rows, cosines.tolist(), strict=True):
                best[key] = max(cosine, best.get(key, -1.0))
        return best

    # Inside

    def _create(self) -> None:
        with self._engine.begin() as connection:
            # Said, because sqlite3 itself begins a transaction before rows are changed, but not before tables are.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(connection)
            METADATA.create_all(connection)
            lexical.create(connection)
            for name, value in (
                ("schema", str(SCHEMA_VERSION)),
                ("words", str(WORDS_VERSION)),
                ("embedder", ""),
                ("generation", "0"),
                ("id", uuid.uuid4().hex),
            ):
                connection.execute(
                    sa.text("INSERT OR IGNORE INTO meta (name, value) VALUES (:name, :value)"),
                    {"name": name, "value": value},
                )
            if _read_meta(connection)["words"] != str(WORDS_VERSION):
                _rewrite_projections(connection)

    def _check_meta(self) -> None:
        with self._engine.connect() as connection:
            meta = _read_meta(connection)
        if meta.get("schema") != str(SCHEMA_VERSION):
            remedy = (
                "Open it once where it can be written to."
                if self.read_only and meta.get("schema", "9") < str(SCHEMA_VERSION)
                else "Move it away and add the articles again."
            )
            raise StoreError(
                f"{self.path} was written by another version of Dateline (schema {meta.get('schema')}, this is "
                f"{SCHEMA_VERSION}). {remedy}"
            )
        self._check_fingerprint(meta)

    def _check_fingerprint(self, meta: Mapping[str, str]) -> None:
        if self._fingerprint and meta["embedder"] not in ("", self._fingerprint):
            raise EmbedderMismatch(
                f"The articles in {self.path and self.path.parent} were embedded by {meta['embedder']}, but "
                f"{self._fingerprint} is in use now: another model, or texts are cut in another way. "
                "`dateline index migrate` embeds them again, from the texts it "
                "keeps; or set the embedder back (DATELINE_EMBEDDER), or choose another DATELINE_HOME."
            )

    def _advance(self, connection: sa.Connection, gone: bool) -> None:
        if gone:
            lexical.merge(connection)
        connection.execute(sa.text("UPDATE meta SET value = value + 1 WHERE name = 'generation'"))
        connection.execute(META.update().where(META.c.name == "embedder").values(value=self._fingerprint))

    def _truncate_log(self, gone: bool) -> None:
        """Empty the write-ahead log after a deletion, so that deleted text does not stay in it."""
        if gone:
            with self._engine.connect() as connection:
                connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))


def _read_meta(connection: sa.Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(sa.select(META))}


def _keys(connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for part in parts(ids):
        rows = connection.execute(sa.select(ARTICLES.c.id, ARTICLES.c.key).where(ARTICLES.c.id.in_(part)))
        found |= {row.id: row.key for row in rows}
    return found


def _delete(connection: sa.Connection, ids: Sequence[str]) -> bool:
    """Whether there was anything to delete."""
    keys = _keys(connection, ids)
    groups: set[int] = set()
    for key in keys.values():
        whole, chunks = _entries(connection, key)
        lexical.delete(connection, "lexical", chunks)
        lexical.delete(connection, "whole", [whole])
        row = connection.execute(sa.select(ARTICLES.c.copies, ARTICLES.c.origin).where(ARTICLES.c.key == key)).one()
        groups.add(row.copies)
        connection.execute(FILES.delete().where(FILES.c.path == file_of(row.origin)))
        connection.execute(ARTICLES.delete().where(ARTICLES.c.key == key))
    for group in groups:
        _regroup(connection, group)
    return bool(keys)


def _entries(connection: sa.Connection, key: int) -> tuple[Entry, list[Entry]]:
    """What the lexical index holds of an article: one entry of the whole, one of each chunk."""
    title, text = connection.execute(sa.select(ARTICLES.c.title, ARTICLES.c.text).where(ARTICLES.c.key == key)).one()
    places = connection.execute(sa.select(CHUNKS.c.key, CHUNKS.c.start, CHUNKS.c.end).where(CHUNKS.c.article == key))
    return Entry(key, title, text), [Entry(chunk.key, title, text[chunk.start : chunk.end]) for chunk in places]


def _rewrite_projections(connection: sa.Connection, progress: Progress = lambda done, total: None) -> None:
    """The lexical index and the groups of copies anew, from the texts."""
    lexical.drop(connection)
    lexical.create(connection)
    connection.execute(BANDS.delete())
    connection.execute(ARTICLES.update().values(signature=None, copies=None))
    keys = list(connection.scalars(sa.select(ARTICLES.c.key).order_by(ARTICLES.c.key)))
    for done, key in enumerate(keys, start=1):
        whole, chunks = _entries(connection, key)
        lexical.insert(connection, "whole", [whole])
        lexical.insert(connection, "lexical", chunks)
        _group(connection, key, copies.signature(whole.body))
        progress(done, len(keys))
    connection.execute(META.update().where(META.c.name == "words").values(value=str(WORDS_VERSION)))


def _group(connection: sa.Connection, key: int, signature: copies.Signature) -> None:
    """Put an article among its copies."""
    bands = sorted(set(copies.bands(signature)))
    near = sa.select(BANDS.c.article).where(BANDS.c.band.in_(bands), BANDS.c.article != key)
    rows = connection.execute(
        sa.select(ARTICLES.c.copies, ARTICLES.c.signature).where(ARTICLES.c.key.in_(near)).limit(_MOST_COMPARED)
    ).all()
    groups = {row.copies for row in rows if copies.are_copies(signature, np.frombuffer(row.signature, np.uint32))}
    group = min(groups, default=key)
    connection.execute(
        ARTICLES.update().where(ARTICLES.c.key == key).values(signature=signature.tobytes(), copies=group)
    )
    if len(groups) > 1:  # it is a copy of both
        connection.execute(ARTICLES.update().where(ARTICLES.c.copies.in_(groups)).values(copies=group))
    connection.execute(BANDS.insert().prefix_with("OR IGNORE"), [{"article": key, "band": band} for band in bands])


def _regroup(connection: sa.Connection, group: int) -> None:
    """Group anew what is left of a group: what was removed may have been all that its copies had in common."""
    rows = connection.execute(
        sa.select(ARTICLES.c.key, ARTICLES.c.signature).where(ARTICLES.c.copies == group).order_by(ARTICLES.c.key)
    ).all()
    if len(rows) > _MOST_COMPARED:
        return
    connection.execute(ARTICLES.update().where(ARTICLES.c.copies == group).values(copies=ARTICLES.c.key))
    for row in rows:
        _group(connection, row.key, np.frombuffer(row.signature, np.uint32))


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "busy_timeout = 10000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    _add_functions(connection, _)


def _add_functions(connection: sqlite3.Connection, _: Any) -> None:
    connection.create_function("folded", 1, as_filtered, deterministic=True)


def _insert(connection: sa.Connection, embedded: Embedded) -> None:
    article = embedded.pieces.article
    values = {name: getattr(article, name) for name in (*FIELDS, "digest")} | {"name": name_of(article.title)}
    key = connection.execute(ARTICLES.insert().values(values)).inserted_primary_key[0]  # type: ignore[index]
    sentences = zip(embedded.pieces.sentences, embedded.sentences.astype(np.float16), strict=True)
    connection.execute(
        SENTENCES.insert(),
        [
            {"article": key, "position": n, "start": span.start, "end": span.end, "vector": vector.tobytes()}
            for n, (span, vector) in enumerate(sentences)
        ],
    )
    connection.execute(
        CHUNKS.insert(),
        [
            {"article": key, "start": chunk.start, "end": chunk.end, "first": chunk.first, "last": chunk.last,
             "vector": vector.astype(np.float32).tobytes()}
            for chunk, vector in zip(embedded.pieces.chunks, embedded.chunks, strict=True)
        ],
    )  # fmt: skip
    whole, chunks = _entries(connection, key)
    lexical.insert(connection, "whole", [whole])
    lexical.insert(connection, "lexical", chunks)
    _group(connection, key, copies.signature(article.text))


def _to_chunk(row: sa.Row[Any]) -> StoredChunk:
    return StoredChunk(row.key, row.article, Chunk(row.start, row.end, row.first, row.last))


def name_of(title: str) -> str:
    """A title as a name can be compared to it: folded words, without what stands in brackets ("Up (film)" → "up")."""
    return " ".join(words(re.sub(r"\([^()]*\)", "", title)))


def _upgrade(connection: sa.Connection) -> None:
    """Bring a ledger of an older schema up to date. Nothing is embedded again.

    Schema 2 brought names and the index of whole articles, schema 3 the words as `index.words` cuts them, and copies.
    """
    if not sa.inspect(connection).has_table("meta"):
        return
    schema = _read_meta(connection).get("schema", "")
    if schema not in ("1", "2"):
        return
    if schema == "1":
        connection.execute(sa.text("ALTER TABLE articles ADD COLUMN name TEXT NOT NULL DEFAULT ''"))
        connection.execute(sa.text("CREATE INDEX IF NOT EXISTS ix_articles_name ON articles (name)"))
    connection.execute(sa.text("ALTER TABLE articles ADD COLUMN signature BLOB"))
    connection.execute(sa.text("ALTER TABLE articles ADD COLUMN copies INTEGER"))
    connection.execute(sa.text("CREATE INDEX IF NOT EXISTS ix_articles_copies ON articles (copies)"))
    METADATA.create_all(connection)
    for key, title in connection.execute(sa.select(ARTICLES.c.key, ARTICLES.c.title)).all():
        connection.execute(ARTICLES.update().where(ARTICLES.c.key == key).values(name=name_of(title)))
    _rewrite_projections(connection)
    connection.execute(
        sa.text("INSERT OR REPLACE INTO meta (name, value) VALUES ('words', :v)"), {"v": str(WORDS_VERSION)}
    )
    connection.execute(META.update().where(META.c.name == "schema").values(value=str(SCHEMA_VERSION)))


def _to_article(row: sa.Row[Any]) -> Article:
    return Article(**{name: getattr(row, name) for name in FIELDS})


def _to_matrix(blobs: Sequence[bytes], kind: type[np.floating[Any]]) -> Vectors:
    if not blobs:
        return np.zeros((0, 0), np.float32)
    return np.frombuffer(b"".join(blobs), dtype=kind).reshape(len(blobs), -1).astype(np.float32)


def _engine(path: Path | None, read_only: bool) -> sa.Engine:
    if path is None:  # one connection, or each would see a database of its own
        return sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False})
    if read_only:
        log = path.with_name(f"{path.name}-wal")
        if log.is_file() and log.stat().st_size:
            raise OSError("it was not closed in order, and can't be put in order where it can only be read")
        # Without `immutable` SQLite wants to make files beside it.
        name = f"file:{urllib.parse.quote(str(path))}?mode=ro&immutable=1"
        return sa.create_engine(
            "sqlite://", poolclass=sa.pool.QueuePool,
            creator=lambda: sqlite3.connect(name, uri=True, check_same_thread=False),
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    return sa.create_engine(sa.URL.create("sqlite", database=str(path)))


def _conditions(filters: Filters) -> Iterator[sa.ColumnElement[bool]]:
    for column, values in ((ARTICLES.c.source, filters.sources), (ARTICLES.c.author, filters.authors)):
        if values:
            yield sa.func.folded(column).in_([as_filtered(value) for value in values])
    if filters.articles:
        yield ARTICLES.c.id.in_(filters.articles)
    # A date that stops at the month or the year is compared as far as both go: it may be meant.
    length = sa.func.min(sa.func.length(ARTICLES.c.published), 10)
    if filters.since:
        yield sa.func.substr(ARTICLES.c.published, 1, len(filters.since)) >= sa.func.substr(filters.since, 1, length)
    if filters.until:
        yield sa.func.substr(ARTICLES.c.published, 1, len(filters.until)) <= filters.until
    if filters.since or filters.until:
        yield ARTICLES.c.published != ""
