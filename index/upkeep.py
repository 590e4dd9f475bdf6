"""Looking after an index: is it whole, write its projections anew, give space back, move it to another embedder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from index.embedding import CHUNK_PIECES, Embedded, Embedder
from index.errors import Busy, EmbedderMismatch
from index.ledger import Ledger
from index.search import Index
from index.settings import Settings
from index.splitting import split
from index.vectors import ExactProjection

Progress = Callable[[str, int, int], None]
_MIGRATION = "migration.sqlite3"  # the index that is being made, beside the one that still serves
_AT_ONCE = 20  # articles that are embedded and kept together


@dataclass(frozen=True, slots=True)
class Verification:
    """How an index's parts agree. Counts of rows; `pending` are articles whose vectors are still to be written.

    `trouble` says what is wrong with a file, "" for nothing; `unchecked` why the vector store was not looked into.
    """

    articles: int
    sentences: int
    chunks: int
    lexical_missing: int
    lexical_surplus: int
    vectors_missing: int
    vectors_surplus: int
    pending: tuple[str, ...] = ()
    trouble: str = ""
    unchecked: str = ""

    @property
    def is_clean(self) -> bool:
        """Whether everything is where it should be."""
        rows = self.lexical_missing, self.lexical_surplus, self.vectors_missing, self.vectors_surplus
        return not self.trouble and not any(rows)


@dataclass(frozen=True, slots=True)
class Migration:
    """What a migration did: how many articles the new index has, and how many of them this run embedded."""

    articles: int
    embedded: int


def verify(index: Index) -> Verification:
    """Compare ledger, lexical index and vector store, id by id. Changes nothing."""
    ledger = index.ledger
    articles, sentences, chunks = ledger.count()
    differences = ledger.differences()
    wanted = ledger.chunk_keys()
    trouble, unchecked = differences.trouble, ""
    try:
        present = index.projection.present()
    except Exception as error:  # Chroma raises its own, Rust's and SQLite's
        present, trouble = set(), trouble or f"vector store: {error}"
    if present is None:
        used = (
            "is in use by another process" if not ledger.read_only else "of a home that can only be read is not opened"
        )
        present, unchecked = wanted, f"the vector store {used}"
    missing = wanted - present
    owners = {stored.article for stored in ledger.chunks(sorted(missing)).values()}
    pending = sorted(article.id for article in ledger.articles_by_key(owners).values())
    return Verification(
        articles=articles,
        sentences=sentences,
        chunks=chunks,
        lexical_missing=differences.missing,
        lexical_surplus=differences.surplus,
        vectors_missing=len(missing),
        vectors_surplus=len(present - wanted),
        pending=tuple(pending),
        trouble=trouble,
        unchecked=unchecked,
    )


def rebuild(index: Index, progress: Progress = lambda step, done, total: None) -> None:
    """Write the lexical index, the groups of copies and the vector store anew; embeds nothing.

    Raises:
        Busy: another process writes, or has the vector store open.
    """
    with index.ledger.writing():
        _must_own_vectors(index)
        index.ledger.rebuild(lambda done, total: progress("words", done, total))
        index.projection.rebuild(lambda done, total: progress("vectors", done, total))


def compact(index: Index, progress: Progress = lambda step, done, total: None) -> int:
    """Give back the space of deleted articles, in the ledger and in the vector store, whose files never shrink.

    Returns:
        bytes that were freed.

    Raises:
        Busy: another process writes, or has the vector store open.
        DiskFull: there is no room for a second copy of the ledger.
    """
    with index.ledger.writing():
        _must_own_vectors(index)
        before = index.projection.size()
        if index.ledger.path is not None:
            _forget(index.ledger.path.parent)  # a migration that was stopped keeps texts, too
        freed = index.ledger.compact()
        index.projection.rebuild(lambda done, total: progress("vectors", done, total))
        return freed + max(0, before - index.projection.size())


def migrate(settings: Settings, progress: Progress = lambda step, done, total: None) -> Migration:
    """Embed every article again with the embedder of the settings, from the texts that the ledger keeps.

    The old index serves until the new one is whole; then one transaction puts it in place. A migration that was
    stopped goes on where it was.

    Returns:
        nothing done where the index was made by this embedder already.
    """
    embedder = Embedder(settings.embedder)
    ledger = Ledger(settings.ledger_path, "")
    try:
        if ledger.fingerprint() in ("", embedder.fingerprint):
            _forget(settings.home)
            return Migration(0, 0)
        with ledger.writing():
            made = _begun(settings, embedder)
            try:
                embedded = _embed_missing(ledger, made, embedder, progress)
                ledger.adopt(embedder.fingerprint, _batches(made, lambda done, total: progress("publish", done, total)))
            finally:
                made.close()
            _forget(settings.home)
        return Migration(ledger.count()[0], embedded)
    finally:
        ledger.close()


def _must_own_vectors(index: Index) -> None:
    if isinstance(index.projection, ExactProjection):
        raise Busy("Another process (a chat page, perhaps) has the vector store open. Close it, and try again.")


def _begun(settings: Settings, embedder: Embedder) -> Ledger:
    path = settings.home / _MIGRATION
    try:
        return Ledger(path, embedder.fingerprint)
    except EmbedderMismatch:  # a migration to yet another embedder was given up
        _forget(settings.home)
        return Ledger(path, embedder.fingerprint)


def _forget(home: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        (home / f"{_MIGRATION}{suffix}").unlink(missing_ok=True)


def _embed_missing(ledger: Ledger, made: Ledger, embedder: Embedder, progress: Progress) -> int:
    known = ledger.known()
    wanted = {article_id: digest for article_id, (digest, _) in known.items()}
    there = {article_id: digest for article_id, (digest, _) in made.known().items()}
    if gone := [article_id for article_id in there if article_id not in wanted]:
        made.remove(gone)
    missing = [article_id for article_id, digest in wanted.items() if there.get(article_id) != digest]
    done = len(wanted) - len(missing)
    progress("embed", done, len(wanted))
    for begin in range(0, len(missing), _AT_ONCE):
        articles = [ledger.article(article_id) for article_id in missing[begin : begin + _AT_ONCE]]
        made.publish(list(embedder.embed([split(article, embedder, CHUNK_PIECES) for article in articles])))
        done += len(articles)
        progress("embed", done, len(wanted))
    made.relocate({article_id: origin for article_id, (_, origin) in known.items()})
    return len(missing)


def _batches(made: Ledger, progress: Callable[[int, int], None]) -> Iterator[list[Embedded]]:
    ids = list(made.known())
    for begin in range(0, len(ids), _AT_ONCE):
        yield [made.embedded(article_id) for article_id in ids[begin : begin + _AT_ONCE]]
        progress(min(begin + _AT_ONCE, len(ids)), len(ids))
