# ruff: noqa: S608 - the names of tables in SQL are constants
"""The lexical index: which chunks and articles hold which words, ranked by BM25. Lies in the ledger's database (FTS5).

It keeps what `index.words` says of a text and nothing else: no second tokenizer, no second stemmer, no copy of the
text. FTS5 therefore has to be told what it forgets, by the same keys again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Literal, NamedTuple, TypeVar

import sqlalchemy as sa

from index.words import keys, keys_of, spellings, tokens

Table = Literal["lexical", "whole"]  # of chunks, of whole articles
TABLES: tuple[Table, ...] = ("lexical", "whole")
TITLE_WEIGHT = 2.0  # of a word in the title against one in the body; docs/tuning.md
# Rows that one search by words may score. A question's commonest words are left out where all would be more: they tell
# little, and at half a million chunks they cost most of a second. Below some 15,000 chunks nothing is ever left out.
MOST_ROWS = 30_000
_MANY = 500  # values in one IN (…), well below SQLite's limit
_Value = TypeVar("_Value")


class Entry(NamedTuple):
    """One row: its key and the texts whose words it holds."""

    key: int
    title: str
    body: str


def create(connection: sa.Connection) -> None:
    """Make the tables where they are missing."""
    for table in TABLES:
        # What FTS5 calls ASCII: letters, digits and everything beyond belong to a word, so no key of ours is cut.
        connection.execute(
            sa.text(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {table} USING fts5 "
                "(title, body, content = '', tokenize = \"ascii tokenchars '.,'\")"
            )
        )
        connection.execute(sa.text(f"CREATE VIRTUAL TABLE IF NOT EXISTS {table}_terms USING fts5vocab ({table}, row)"))


def drop(connection: sa.Connection) -> None:
    """Throw it all away."""
    for table in TABLES:
        connection.execute(sa.text(f"DROP TABLE IF EXISTS {table}_terms"))
        connection.execute(sa.text(f"DROP TABLE IF EXISTS {table}"))


def insert(connection: sa.Connection, table: Table, entries: Iterable[Entry]) -> None:
    """Add rows."""
    if rows := [_row(entry) for entry in entries]:
        connection.execute(sa.text(f"INSERT INTO {table} (rowid, title, body) VALUES (:key, :title, :body)"), rows)


def delete(connection: sa.Connection, table: Table, entries: Iterable[Entry]) -> None:
    """Take rows out; the entries must be those that were added."""
    if rows := [_row(entry) for entry in entries]:
        connection.execute(
            sa.text(f"INSERT INTO {table} ({table}, rowid, title, body) VALUES ('delete', :key, :title, :body)"), rows
        )


def merge(connection: sa.Connection) -> None:
    """Merge its parts, which is what drops the words of deleted rows from the file."""
    for table in TABLES:
        connection.execute(sa.text(f"INSERT INTO {table} ({table}) VALUES ('optimize')"))


def rows(connection: sa.Connection, table: Table) -> set[int]:
    """The keys of all rows."""
    return set(connection.scalars(sa.text(f"SELECT id FROM {table}_docsize")))


def check(connection: sa.Connection) -> str:
    """What FTS5 itself finds wrong with its structure, "" for nothing."""
    for table in TABLES:
        try:
            connection.execute(sa.text(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')"))
        except sa.exc.DBAPIError as error:
            return f"{table}: {error.orig}"
    return ""


def match(
    connection: sa.Connection, table: Table, words: Iterable[str], limit: int, fitting: sa.Select[Any] | None
) -> dict[int, float]:
    """Keys of rows with any of the words, best first, with their BM25 score (higher is better).

    Args:
        fitting: selects the keys that may be found.
    """
    wanted = list(dict.fromkeys(key for word in words for token in tokens(word) for key in keys_of(token)))
    if not wanted:
        return {}
    # Every key is quoted, so nothing in a question is read as an operator of the query language.
    expression = " OR ".join(f'"{key}"' for key in _telling(connection, table, wanted))
    rowid: sa.ColumnClause[int] = sa.column("rowid")
    score = sa.func.bm25(sa.literal_column(table), TITLE_WEIGHT, 1.0).label("score")
    query = sa.select(rowid, score).select_from(sa.table(table)).where(sa.text(f"{table} MATCH :match"))
    if fitting is not None:
        query = query.where(rowid.in_(fitting))
    found = connection.execute(query.order_by("score").limit(limit), {"match": expression})
    return {row.rowid: -row.score for row in found}


def unheard(connection: sa.Connection, words: Iterable[str]) -> set[str]:
    """Those of the words that no article holds in any spelling."""
    ways = {word: [way for token in tokens(word) for way in spellings(token)] for word in words}
    held = rows_with(connection, "whole", {key for way in ways.values() for spelling in way for key in spelling})
    return {word for word, way in ways.items() if way and not any(all(held[k] for k in spelling) for spelling in way)}


def rows_with(connection: sa.Connection, table: Table, wanted: Iterable[str]) -> dict[str, int]:
    """How many rows hold each key."""
    counts: sa.TableClause = sa.table(f"{table}_terms", sa.column("term"), sa.column("doc"))
    found = dict.fromkeys(wanted, 0)
    for part in parts(sorted(found)):
        for row in connection.execute(sa.select(counts).where(counts.c.term.in_(part))):
            found[row.term] = row.doc
    return found


def parts(values: Sequence[_Value]) -> Iterator[Sequence[_Value]]:
    """Values in runs that fit one statement."""
    for begin in range(0, len(values), _MANY):
        yield values[begin : begin + _MANY]


def _telling(connection: sa.Connection, table: Table, wanted: Iterable[str]) -> list[str]:
    """The keys that fewest rows hold: at least two, and as many as `MOST_ROWS` allows."""
    counted = rows_with(connection, table, wanted)
    ordered = sorted(counted, key=counted.__getitem__)
    sums = accumulate(counted[key] for key in ordered)
    return [key for n, (key, total) in enumerate(zip(ordered, sums, strict=True)) if n < 2 or total <= MOST_ROWS]


def _row(entry: Entry) -> dict[str, Any]:
    return {"key": entry.key, "title": " ".join(keys(entry.title)), "body": " ".join(keys(entry.body))}
