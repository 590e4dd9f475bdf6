"""The truth about the corpus: one SQL database with articles, sentences, chunks, their vectors and the lexical index.

Whatever else exists (the vector store) is a projection of it and can be thrown away. An article is replaced or removed
in one transaction, so a reader sees the old version or the new one, and a kill at any moment leaves one of the two.
Chunk keys are never used twice: a key that a projection still holds, but the ledger does not, is simply gone.
"""

from __future__ import annotations

import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

import filelock
import numpy as np
import snowballstemmer
import sqlalchemy as sa
from sqlalchemy import event

from index.article import Article, Chunk, Span
from index.embedding import Embedded, Vectors
from index.errors import Busy, DiskFull, EmbedderMismatch, StoreError, UnknownArticle
from index.filters import Filters
from index.words import words

SCHEMA_VERSION = 2
MIN_FREE_BYTES = 200 * 2**20
_MANY = 500  # values in one IN (…), well below SQLite's limit
_Value = TypeVar("_Value")

_metadata = sa.MetaData()
_meta = sa.Table("meta", _metadata, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
_articles = sa.Table(
    "articles",
    _metadata,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("digest", sa.Text, nullable=False),
    *(sa.Column(n, sa.Text, nullable=False) for n in ("title", "source", "author", "published", "url", "note")),
    sa.Column("origin", sa.Text, nullable=False, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default="", index=True),  # the title as `name_of` folds it
    sqlite_autoincrement=True,
)


def _of_article() -> sa.Column[int]:
    return sa.Column("article", sa.ForeignKey("articles.key", ondelete="CASCADE"), index=True, nullable=False)


_sentences = sa.Table(
    "sentences",
    _metadata,
    _of_article(),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float16, unit length
    sa.PrimaryKeyConstraint("article", "position"),
)
_chunks = sa.Table(
    "chunks",
    _metadata,
    sa.Column("key", sa.Integer, primary_key=True),
    _of_article(),
    *(sa.Column(n, sa.Integer, nullable=False) for n in ("start", "end", "first", "last")),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float32, unit length
    sqlite_autoincrement=True,
)
_porter = snowballstemmer.stemmer("porter")  # the stems of FTS5's tokenizer
_CHUNK = tuple(_chunks.c[name] for name in ("key", "article", "start", "end", "first", "last"))
_TOKENIZE = "tokenize = 'porter unicode61 remove_diacritics 2'"
_LEXICAL = f"CREATE VIRTUAL TABLE IF NOT EXISTS lexical USING fts5 (title, body, {_TOKENIZE})"
# Whole articles: an index over the table `articles`, without a copy of their texts.
_WHOLE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS whole USING fts5 "
    f"(title, text, content = 'articles', content_rowid = 'key', {_TOKENIZE})"
)
# How many rows hold a word, by the tokenizer's stems.
_COUNTS = [
    f"CREATE VIRTUAL TABLE IF NOT EXISTS {table}_terms USING fts5vocab ({table}, row)" for table in ("lexical", "whole")
]
# Rows that one search by words may score. A question's commonest words are left out where all would be more: they tell
# little, and at half a million chunks they cost most of a second. Below some 15,000 chunks nothing is ever left out.
MOST_ROWS = 30_000
# An index without a copy has to be told what it forgets.
_WHOLE_DELETE = (
    "INSERT INTO whole (whole, rowid, title, text) SELECT 'delete', key, title, text FROM articles WHERE key = :key"
)
TITLE_WEIGHT = 2.0  # of a word in the title against one in the body; docs/tuning.md


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
    """The database of one data directory.

    Args:
        path: the SQLite file, made if missing; None for a corpus that lives in memory and ends with its ledger.
        fingerprint: of the embedder in use.

    Raises:
        EmbedderMismatch: the articles were embedded by another embedder.
        StoreError: the file can't be opened, or was written by another version.
    """

    def __init__(self, path: Path | None, fingerprint: str) -> None:
        self.path = path
        self._fingerprint = fingerprint
        try:
            self._engine = _engine(path)
            event.listen(self._engine, "connect", _configure)
            self._create()
        except (OSError, sa.exc.DBAPIError) as error:
            reason = getattr(error, "orig", error)
            raise StoreError(
                f"The ledger {path} can't be used: {reason}. Check the folder's permissions and free space; "
                "if the file is damaged, move it away and add the articles again."
            ) from error
        self._check_meta()

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
            gone = self._delete(connection, [embedded.pieces.article.id for embedded in batch])
            for embedded in batch:
                _insert(connection, embedded)
            self._advance(connection, gone)
        self._truncate_log(gone)

    def remove(self, ids: Iterable[str]) -> None:
        """Delete articles with everything made of them; all or nothing.

        Raises:
            UnknownArticle: one of the ids is not here; then nothing is deleted.
        """
        wanted = list(dict.fromkeys(ids))
        with self._engine.begin() as connection:
            if missing := set(wanted) - set(self._keys(connection, wanted)):
                raise UnknownArticle(
                    f"No article has the id {', '.join(sorted(missing))}. `dateline index list` shows the ids."
                )
            gone = self._delete(connection, wanted)
            self._advance(connection, gone)
        self._truncate_log(gone)

    def relocate(self, article_id: str, origin: str) -> None:
        """Note that an unchanged article is now read from elsewhere."""
        with self._engine.begin() as connection:
            connection.execute(_articles.update().where(_articles.c.id == article_id).values(origin=origin))

    def check_space(self) -> None:
        """Raise `DiskFull` when the disk is too full to write safely."""
        if self.path is None:
            return
        free = shutil.disk_usage(self.path.parent).free
        if free < MIN_FREE_BYTES:
            raise DiskFull(
                f"{self.path.parent} has {free / 2**20:.0f} MiB left and needs {MIN_FREE_BYTES / 2**20:.0f} MiB. "
                "Free some space, or set DATELINE_HOME to another disk. Nothing was lost."
            )

    # Reading

    def generation(self) -> int:
        """Rises with every change of the corpus."""
        with self._engine.connect() as connection:
            return int(connection.scalar(sa.select(_meta.c.value).where(_meta.c.name == "generation")) or 0)

    def id(self) -> str:
        """Of this ledger and no other, so that a projection of another one is not taken for its own."""
        with self._engine.connect() as connection:
            return str(connection.scalar(sa.select(_meta.c.value).where(_meta.c.name == "id")))

    def known(self) -> dict[str, tuple[str, str]]:
        """Article id → (digest, origin)."""
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(_articles.c.id, _articles.c.digest, _articles.c.origin))
            return {row.id: (row.digest, row.origin) for row in rows}

    def article(self, article_id: str) -> Article:
        """Raise `UnknownArticle` when it is not (or no longer) here."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_articles).where(_articles.c.id == article_id)).one_or_none()
        if row is None:
            raise UnknownArticle(f"No article has the id {article_id!r}; it may have been removed since.")
        return _to_article(row)

    def articles_by_key(self, keys: Iterable[int]) -> dict[int, Article]:
        """Those of the keys that still exist."""
        found: dict[int, Article] = {}
        with self._engine.connect() as connection:
            for part in _parts(list(keys)):
                rows = connection.execute(sa.select(_articles).where(_articles.c.key.in_(part)))
                found |= {row.key: _to_article(row) for row in rows}
        return found

    def list_articles(self, filters: Filters | None = None) -> list[ArticleRow]:
        """All articles, or those that the filters allow, the newest first, the undated last."""
        count = sa.func.count(_sentences.c.position).label("sentences")
        columns = [_articles.c[n] for n in ("id", "title", "source", "author", "published", "url", "origin")]
        query = sa.select(*columns, count).outerjoin(_sentences).group_by(_articles.c.key)
        if filters:
            query = query.where(*_conditions(filters))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(_articles.c.published.desc(), _articles.c.id))
            return [ArticleRow(**row._mapping) for row in rows]

    def count(self) -> tuple[int, int, int]:
        """How many articles, sentences and chunks there are."""
        with self._engine.connect() as connection:
            articles, sentences, chunks = (
                connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0
                for table in (_articles, _sentences, _chunks)
            )
        return articles, sentences, chunks

    def chunk_keys(self, filters: Filters | None = None) -> set[int]:
        """The keys of all chunks, or of those whose articles fit the filters."""
        query = sa.select(_chunks.c.key)
        if filters:
            query = query.join(_articles).where(*_conditions(filters))
        with self._engine.connect() as connection:
            return set(connection.scalars(query))

    def chunks(self, keys: Sequence[int]) -> dict[int, StoredChunk]:
        """Those of the keys that still exist."""
        found: dict[int, StoredChunk] = {}
        with self._engine.connect() as connection:
            for part in _parts(keys):
                rows = connection.execute(sa.select(*_CHUNK).where(_chunks.c.key.in_(part)))
                found |= {row.key: _to_chunk(row) for row in rows}
        return found

    def chunk_vectors(self, keys: Sequence[int]) -> tuple[list[int], Vectors]:
        """Keys that still exist and their vectors, shape (n, d), in the same order."""
        found: list[tuple[int, bytes]] = []
        with self._engine.connect() as connection:
            for part in _parts(keys):
                rows = connection.execute(sa.select(_chunks.c.key, _chunks.c.vector).where(_chunks.c.key.in_(part)))
                found += [(row.key, row.vector) for row in rows]
        return [key for key, _ in found], _to_matrix([vector for _, vector in found], np.float32)

    def sentences(self, article_key: int) -> StoredSentences:
        """All sentences of an article, in order."""
        query = sa.select(_sentences).where(_sentences.c.article == article_key).order_by(_sentences.c.position)
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        spans = tuple(Span(row.start, row.end) for row in rows)
        return StoredSentences(spans, _to_matrix([row.vector for row in rows], np.float16))

    def match_chunks(self, terms: Sequence[str], limit: int, filters: Filters | None = None) -> dict[int, float]:
        """Keys of chunks with any of the words, best first, with their BM25 score (higher is better)."""
        fitting = sa.select(_chunks.c.key).join(_articles).where(*_conditions(filters)) if filters else None
        return self._match("lexical", terms, limit, fitting)

    def match_articles(self, terms: Sequence[str], limit: int, filters: Filters | None = None) -> dict[int, float]:
        """Keys of articles with any of the words anywhere, best first, with their BM25 score (higher is better)."""
        return self._match(
            "whole", terms, limit, sa.select(_articles.c.key).where(*_conditions(filters)) if filters else None
        )

    def unheard(self, terms: Iterable[str]) -> set[str]:
        """Those of the words that no article holds in its title or text, in whatever form."""
        return {term for term, rows in self._rows_with("whole", terms).items() if not rows}

    def chunks_of(self, articles: Iterable[int]) -> list[StoredChunk]:
        """All chunks of those of the articles that still exist, in order."""
        with self._engine.connect() as connection:
            return [
                _to_chunk(row)
                for part in _parts(sorted(articles))
                for row in connection.execute(
                    sa.select(*_CHUNK).where(_chunks.c.article.in_(part)).order_by(_chunks.c.key)
                )
            ]

    def published(self, articles: Iterable[int]) -> dict[int, str]:
        """Article key → date of publication, "" where unknown."""
        query = sa.select(_articles.c.key, _articles.c.published)
        found: dict[int, str] = {}
        with self._engine.connect() as connection:
            for part in _parts(sorted(articles)):
                found |= {row.key: row.published for row in connection.execute(query.where(_articles.c.key.in_(part)))}
        return found

    def named(self, names: Iterable[str], filters: Filters | None = None) -> dict[str, list[int]]:
        """Name → keys of the articles whose title it is; names as `name_of` makes them."""
        found: dict[str, list[int]] = {}
        query = sa.select(_articles.c.key, _articles.c.name).order_by(_articles.c.key)
        if filters:
            query = query.where(*_conditions(filters))
        with self._engine.connect() as connection:
            for part in _parts(sorted(set(names) - {""})):
                for row in connection.execute(query.where(_articles.c.name.in_(part))):
                    found.setdefault(row.name, []).append(row.key)
        return found

    def sentence_cosines(self, chunks: Sequence[int], vector: Vectors) -> dict[int, float]:
        """Chunk key → the cosine of its best sentence to a unit vector of shape (d,)."""
        rows: list[tuple[int, bytes]] = []
        inside = sa.and_(
            _sentences.c.article == _chunks.c.article, _sentences.c.position.between(_chunks.c.first, _chunks.c.last)
        )
        query = sa.select(_chunks.c.key, _sentences.c.vector).join(_sentences, inside)
        with self._engine.connect() as connection:
            for part in _parts(chunks):
                rows += [(row.key, row.vector) for row in connection.execute(query.where(_chunks.c.key.in_(part)))]
        best: dict[int, float] = {}
        if rows:
            cosines = _to_matrix([row[1] for row in rows], np.float16) @ vector
            for (key, _), cosine in zip(rows, cosines.tolist(), strict=True):
                best[key] = max(cosine, best.get(key, -1.0))
        return best

    def _match(self, table: str, terms: Sequence[str], limit: int, fitting: sa.Select[Any] | None) -> dict[int, float]:
        if not terms:
            return {}
        # Every word is quoted, so nothing in a question is read as an operator of the query language.
        match = " OR ".join('"' + word.replace('"', "") + '"' for word in self._telling(table, terms))
        rowid: sa.ColumnClause[int] = sa.column("rowid")
        score = sa.func.bm25(sa.literal_column(table), TITLE_WEIGHT, 1.0).label("score")
        query = sa.select(rowid, score).select_from(sa.table(table)).where(sa.text(f"{table} MATCH :match"))
        if fitting is not None:
            query = query.where(rowid.in_(fitting))
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by("score").limit(limit), {"match": match})
            return {row.rowid: -row.score for row in rows}

    def _telling(self, table: str, terms: Sequence[str]) -> list[str]:
        """The words that fewest rows hold: at least two, and as many as `MOST_ROWS` allows."""
        rows = self._rows_with(table, terms)
        ordered = sorted(rows, key=rows.__getitem__)
        sums = accumulate(rows[term] for term in ordered)
        return [term for n, (term, total) in enumerate(zip(ordered, sums, strict=True)) if n < 2 or total <= MOST_ROWS]

    def _rows_with(self, table: str, terms: Iterable[str]) -> dict[str, int]:
        """How many rows hold each word."""
        stems = {term: _porter.stemWord(term) for term in terms}
        counts: sa.TableClause = sa.table(f"{table}_terms", sa.column("term"), sa.column("doc"))
        rows_with: dict[str, int] = {}
        with self._engine.connect() as connection:
            for part in _parts(sorted(set(stems.values()))):
                for row in connection.execute(sa.select(counts).where(counts.c.term.in_(part))):
                    rows_with[row.term] = row.doc
        return {term: rows_with.get(stems[term], 0) for term in stems}

    # Inside

    def _create(self) -> None:
        with self._engine.begin() as connection:
            # Said, because sqlite3 itself begins a transaction before rows are changed, but not before tables are.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            _upgrade(connection)
            _metadata.create_all(connection)
            connection.execute(sa.text(_LEXICAL))
            for statement in (_WHOLE, *_COUNTS):
                connection.execute(sa.text(statement))
            for name, value in (
                ("schema", str(SCHEMA_VERSION)),
                ("embedder", ""),
                ("generation", "0"),
                ("id", uuid.uuid4().hex),
            ):
                connection.execute(
                    sa.text("INSERT OR IGNORE INTO meta (name, value) VALUES (:name, :value)"),
                    {"name": name, "value": value},
                )

    def _check_meta(self) -> None:
        with self._engine.connect() as connection:
            meta = {row.name: row.value for row in connection.execute(sa.select(_meta))}
        if meta["schema"] != str(SCHEMA_VERSION):
            raise StoreError(
                f"{self.path} was written by another version of Dateline (schema {meta['schema']}, this is "
                f"{SCHEMA_VERSION}). Move it away and add the articles again."
            )
        if meta["embedder"] not in ("", self._fingerprint):
            raise EmbedderMismatch(
                f"The articles in {self.path and self.path.parent} were embedded by {meta['embedder']}, but "
                f"{self._fingerprint} is in use now. Set the embedder back (DATELINE_EMBEDDER), or choose another "
                "DATELINE_HOME and add the articles again."
            )

    def _advance(self, connection: sa.Connection, gone: bool) -> None:
        if gone:
            # The lexical index only marks what is deleted; merging its parts is what drops the words.
            connection.execute(sa.text("INSERT INTO lexical (lexical) VALUES ('optimize')"))
            connection.execute(sa.text("INSERT INTO whole (whole) VALUES ('optimize')"))
        connection.execute(sa.text("UPDATE meta SET value = value + 1 WHERE name = 'generation'"))
        connection.execute(_meta.update().where(_meta.c.name == "embedder").values(value=self._fingerprint))

    def _keys(self, connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for part in _parts(ids):
            rows = connection.execute(sa.select(_articles.c.id, _articles.c.key).where(_articles.c.id.in_(part)))
            found |= {row.id: row.key for row in rows}
        return found

    def _truncate_log(self, gone: bool) -> None:
        """Empty the write-ahead log after a deletion, so that deleted text does not stay in it."""
        if gone:
            with self._engine.connect() as connection:
                connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))

    def _delete(self, connection: sa.Connection, ids: Sequence[str]) -> bool:
        """Whether there was anything to delete."""
        keys = self._keys(connection, ids)
        for key in keys.values():
            connection.execute(
                sa.text("DELETE FROM lexical WHERE rowid IN (SELECT key FROM chunks WHERE article = :key)"),
                {"key": key},
            )
            connection.execute(sa.text(_WHOLE_DELETE), {"key": key})
            connection.execute(_articles.delete().where(_articles.c.key == key))
        return bool(keys)


def _configure(connection: sqlite3.Connection, _: Any) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "busy_timeout = 10000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("casefold", 1, str.casefold, deterministic=True)


def _insert(connection: sa.Connection, embedded: Embedded) -> None:
    article = embedded.pieces.article
    names = ("id", "digest", "title", "source", "author", "published", "url", "note", "origin", "text")
    values = {name: getattr(article, name) for name in names} | {"name": name_of(article.title)}
    key = connection.execute(_articles.insert().values(values)).inserted_primary_key[0]  # type: ignore[index]
    connection.execute(
        sa.text("INSERT INTO whole (rowid, title, text) VALUES (:key, :title, :text)"),
        {"key": key, "title": article.title, "text": article.text},
    )
    sentence_rows = [
        {"article": key, "position": n, "start": span.start, "end": span.end, "vector": vector.tobytes()}
        for n, (span, vector) in enumerate(
            zip(embedded.pieces.sentences, embedded.sentences.astype(np.float16), strict=True)
        )
    ]
    connection.execute(_sentences.insert(), sentence_rows)
    for chunk, vector in zip(embedded.pieces.chunks, embedded.chunks, strict=True):
        row = {"start": chunk.start, "end": chunk.end, "first": chunk.first, "last": chunk.last}
        chunk_key = connection.execute(
            _chunks.insert().values(article=key, vector=vector.astype(np.float32).tobytes(), **row)
        ).inserted_primary_key[0]  # type: ignore[index]
        connection.execute(
            sa.text("INSERT INTO lexical (rowid, title, body) VALUES (:key, :title, :body)"),
            {"key": chunk_key, "title": article.title, "body": article.text[chunk.start : chunk.end]},
        )


def _to_chunk(row: sa.Row[Any]) -> StoredChunk:
    return StoredChunk(row.key, row.article, Chunk(row.start, row.end, row.first, row.last))


def name_of(title: str) -> str:
    """A title as a name can be compared to it: folded words, without what stands in brackets ("Up (film)" → "up")."""
    return " ".join(words(re.sub(r"\([^()]*\)", "", title)))


def _upgrade(connection: sa.Connection) -> None:
    """Bring a ledger of schema 1 to schema 2: names, and the index of whole articles. Nothing is embedded again."""
    if not sa.inspect(connection).has_table("meta"):
        return
    if connection.scalar(sa.select(_meta.c.value).where(_meta.c.name == "schema")) != "1":
        return
    connection.execute(sa.text("ALTER TABLE articles ADD COLUMN name TEXT NOT NULL DEFAULT ''"))
    for key, title in connection.execute(sa.select(_articles.c.key, _articles.c.title)).all():
        connection.execute(_articles.update().where(_articles.c.key == key).values(name=name_of(title)))
    connection.execute(sa.text("CREATE INDEX IF NOT EXISTS ix_articles_name ON articles (name)"))
    connection.execute(sa.text(_WHOLE))
    connection.execute(sa.text("INSERT INTO whole (whole) VALUES ('rebuild')"))
    connection.execute(_meta.update().where(_meta.c.name == "schema").values(value="2"))


def _to_article(row: sa.Row[Any]) -> Article:
    names = ("id", "title", "text", "source", "author", "published", "url", "note", "origin")
    return Article(**{name: getattr(row, name) for name in names})


def _to_matrix(blobs: Sequence[bytes], kind: type[np.floating[Any]]) -> Vectors:
    if not blobs:
        return np.zeros((0, 0), np.float32)
    return np.frombuffer(b"".join(blobs), dtype=kind).reshape(len(blobs), -1).astype(np.float32)


def _engine(path: Path | None) -> sa.Engine:
    if path is None:  # one connection, or each would see a database of its own
        return sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False})
    path.parent.mkdir(parents=True, exist_ok=True)
    return sa.create_engine(sa.URL.create("sqlite", database=str(path)))


def _conditions(filters: Filters) -> Iterator[sa.ColumnElement[bool]]:
    for column, values in ((_articles.c.source, filters.sources), (_articles.c.author, filters.authors)):
        if values:  # SQLite's lower() knows ASCII only
            yield sa.func.casefold(column).in_([value.casefold() for value in values])
    if filters.articles:
        yield _articles.c.id.in_(filters.articles)
    # A date that stops at the month or the year is compared as far as both go: it may be meant.
    length = sa.func.min(sa.func.length(_articles.c.published), 10)
    if filters.since:
        yield sa.func.substr(_articles.c.published, 1, len(filters.since)) >= sa.func.substr(filters.since, 1, length)
    if filters.until:
        yield sa.func.substr(_articles.c.published, 1, len(filters.until)) <= filters.until
    if filters.since or filters.until:
        yield _articles.c.published != ""


def _parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    for begin in range(0, len(values), _MANY):
        yield values[begin : begin + _MANY]
