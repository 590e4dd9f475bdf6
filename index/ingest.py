"""read → split → embed → publish, and the projection catches up.

One batch of articles is published in one transaction: a kill loses at most the batch at hand, and the next run goes
on where this one stopped, because what is already there is recognised by its digest.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.article import Article, Pieces
from index.embedding import CHUNK_PIECES, Embedder
from index.errors import ReadError
from index.ledger import Ledger
from index.reading import ReadProblem, find_files, read_file
from index.splitting import split
from index.vectors import Projection

_BATCH_CHARACTERS = 200_000  # about 250 chunks: a few seconds of embedding, a few MB in memory


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one file, row or article: `added`, `replaced`, `unchanged` or `failed` (then why)."""

    origin: str
    article: str
    outcome: str
    message: str = ""


@dataclass
class Summary:
    """What a whole run did."""

    counts: Counter[str] = field(default_factory=Counter)
    articles: int = 0
    sentences: int = 0
    chunks: int = 0
    seconds: float = 0.0


def add(
    paths: list[Path],
    *,
    ledger: Ledger,
    embedder: Embedder,
    projection: Projection,
    replace_ids: bool = False,
    report: Callable[[Outcome], None] = lambda outcome: None,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> Summary:
    """Add files, folders and JSONL to the corpus.

    Args:
        replace_ids: let a JSONL row take over an id that another file has.
        report: gets each outcome as soon as it is certain, that is, published.
        progress: gets (step, done, total); bytes read while reading, chunks while the vector store catches up.

    Raises:
        Busy: another process is writing.
        ReadError: nothing at all could be read under `paths`.
    """
    started = time.monotonic()
    summary = Summary()

    def tell(outcome: Outcome) -> None:
        summary.counts[outcome.outcome] += 1
        report(outcome)

    with ledger.writing():
        known = ledger.known()
        articles = _read(paths, progress, tell)
        fresh = _only_new(articles, known, ledger, replace_ids, tell)
        for batch in _batches(fresh):
            pieces = [split(article, embedder, CHUNK_PIECES) for article in batch]
            ledger.publish(embedder.embed(pieces))
            for each in pieces:
                tell(_published(each, known))
        projection.catch_up(lambda done, total: progress("vectors", done, total))
    summary.articles, summary.sentences, summary.chunks = ledger.count()
    summary.seconds = time.monotonic() - started
    if set(summary.counts) <= {"failed"} and not summary.articles:
        raise ReadError("Nothing could be read, so the corpus is still empty.")
    return summary


def _read(
    paths: list[Path], progress: Callable[[str, int, int], None], tell: Callable[[Outcome], None]
) -> Iterator[Article]:
    files = find_files(paths)
    sizes = {file: _size(file) for file in files if isinstance(file, Path)}
    total = sum(sizes.values())
    done = 0
    for file in files:
        if isinstance(file, ReadProblem):
            tell(Outcome(file.origin, "", "failed", file.message))
            continue
        in_file = 0
        for article in read_file(file):
            if isinstance(article, ReadProblem):
                tell(Outcome(article.origin, "", "failed", article.message))
                continue
            in_file += len(article.text.encode())
            progress("articles", min(done + in_file, total), total)
            yield article
        done += sizes[file]
        progress("articles", done, total)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone since it was listed: reading it will say so
        return 0


def _only_new(
    articles: Iterator[Article],
    known: dict[str, tuple[str, str]],
    ledger: Ledger,
    replace_ids: bool,
    tell: Callable[[Outcome], None],
) -> Iterator[Article]:
    """The articles that have to be stored, under the id they will have."""
    by_origin = {origin: article_id for article_id, (_, origin) in known.items()}
    digests = {article_id: digest for article_id, (digest, _) in known.items()}
    seen: set[str] = set()
    for found in articles:
        article = found if _is_row(found) else _under_stable_id(found, digests, by_origin, seen)
        _, origin = known.get(article.id, ("", ""))
        if digests.get(article.id) == article.digest:
            if article.id not in seen and origin != article.origin:
                ledger.relocate(article.id, article.origin)
            tell(Outcome(article.origin, article.id, "unchanged"))
        elif article.id in seen:
            tell(Outcome(article.origin, article.id, "failed", f"repeats the id {article.id!r}; ids must differ."))
        elif origin and _is_row(article) and not _same_file(origin, article.origin) and not replace_ids:
            tell(Outcome(article.origin, article.id, "failed",
                         f"has the id {article.id!r}, which belongs to {origin}; use --replace to let the new text "
                         "take its place, or another DATELINE_HOME for another corpus."))  # fmt: skip
        else:
            digests[article.id] = article.digest
            yield article
        seen.add(article.id)


def _under_stable_id(article: Article, digests: dict[str, str], by_origin: dict[str, str], seen: set[str]) -> Article:
    """A file keeps the id it got first; a new file whose name is taken by another text gets a suffix of its own."""
    own = by_origin.get(article.origin)
    if own is not None and own not in seen:
        return replace(article, id=own)
    if digests.get(article.id) in (None, article.digest):
        return article
    suffix = hashlib.sha256(article.origin.encode()).hexdigest()[:6]
    return replace(article, id=f"{article.id}-{suffix}")


def _is_row(article: Article) -> bool:
    return article.origin.rpartition(":")[2].isdigit()


def _same_file(origin: str, other: str) -> bool:
    return origin.rpartition(":")[0] == other.rpartition(":")[0]


def _published(pieces: Pieces, known: dict[str, tuple[str, str]]) -> Outcome:
    article = pieces.article
    return Outcome(article.origin, article.id, "replaced" if article.id in known else "added")


def _batches(articles: Iterator[Article]) -> Iterator[list[Article]]:
    batch: list[Article] = []
    size = 0
    for article in articles:
        batch.append(article)
        size += len(article.text)
        if size >= _BATCH_CHARACTERS:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch
