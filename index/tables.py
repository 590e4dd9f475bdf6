"""The tables of the ledger. What is in them is `index.ledger`'s to know."""

from __future__ import annotations

import sqlalchemy as sa

METADATA = sa.MetaData()
META = sa.Table("meta", METADATA, sa.Column("name", sa.Text, primary_key=True), sa.Column("value", sa.Text))
ARTICLES = sa.Table(
    "articles",
    METADATA,
    sa.Column("key", sa.Integer, primary_key=True),
    sa.Column("id", sa.Text, nullable=False, unique=True),
    sa.Column("digest", sa.Text, nullable=False),
    *(sa.Column(n, sa.Text, nullable=False) for n in ("title", "source", "author", "published", "url", "note")),
    sa.Column("origin", sa.Text, nullable=False, index=True),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default="", index=True),  # the title as `name_of` folds it
    sa.Column("signature", sa.LargeBinary),  # index.copies
    sa.Column("copies", sa.Integer, index=True),  # the same number for all copies of one article
    sqlite_autoincrement=True,
)


def _of_article() -> sa.Column[int]:
    return sa.Column("article", sa.ForeignKey("articles.key", ondelete="CASCADE"), index=True, nullable=False)


SENTENCES = sa.Table(
    "sentences",
    METADATA,
    _of_article(),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("start", sa.Integer, nullable=False),
    sa.Column("end", sa.Integer, nullable=False),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float16, unit length
    sa.PrimaryKeyConstraint("article", "position"),
)
CHUNKS = sa.Table(
    "chunks",
    METADATA,
    sa.Column("key", sa.Integer, primary_key=True),
    _of_article(),
    *(sa.Column(n, sa.Integer, nullable=False) for n in ("start", "end", "first", "last")),
    sa.Column("vector", sa.LargeBinary, nullable=False),  # float32, unit length
    sqlite_autoincrement=True,
)
BANDS = sa.Table(
    "bands",  # of the signatures: what copies mostly share
    METADATA,
    _of_article(),
    sa.Column("band", sa.Integer, nullable=False, index=True),
    sa.PrimaryKeyConstraint("article", "band"),
)
FILES = sa.Table(
    "files",  # that were read without a failure: to the byte the same, they need not be read again
    METADATA,
    sa.Column("path", sa.Text, primary_key=True),
    sa.Column("digest", sa.Text, nullable=False),
    sa.Column("ids", sa.Text, nullable=False),  # of its articles, as JSON
)
CHUNK = tuple(CHUNKS.c[name] for name in ("key", "article", "start", "end", "first", "last"))
FIELDS = ("id", "title", "text", "source", "author", "published", "url", "note", "origin")
