"""read → split → embed → publish, and the projection catches up.

One batch of articles is published in one transaction: a kill loses the batches at hand, a second of work or two, and
the next run goes on where this one stopped, because what is already there is recognised by its digest. While one batch
is embedded on all cores, the next is read and split, and the one before is published.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from index.article import Article, Chunk, Pieces
from index.embedding import CHUNK_PIECES, Embedded, Embedder, Embedding
from index.errors import ReadError
from index.ledger import Ledger
from index.reading import ReadProblem, find_files, read_file
from index.splitting import split
from index.vectors import Projection

_BATCH_SECONDS = 0.4  # of embedding that a batch is meant to take
_FIRST_BATCH = 16_000  # characters, before it is known how long they take
_MOST_IN_A_BATCH = 400_000
_AHEAD = 2  # batches that are being embedded while another is published


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
        progress: gets (step, done, total): bytes of articles that are dealt with, then chunks that the vector store
            has caught up with.

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
        meter = _Meter(lambda done, total: progress("articles", done, total))
        articles = _read(paths, meter, tell)
        fresh = _only_new(articles, known, ledger, replace_ids, meter, tell)
        for batch in _embedded(fresh, embedder, meter):
            ledger.publish(batch)
            for each in batch:
                tell(_published(each.pieces, known))
        meter.end()
        projection.catch_up(lambda done, total: progress("vectors", done, total))
    summary.articles, summary.sentences, summary.chunks = ledger.count()
    summary.seconds = time.monotonic() - started
    if set(summary.counts) <= {"failed"} and not summary.articles:
        raise ReadError("Nothing could be read, so the corpus is still empty.")
    return summary


class _Meter:
    """How much is done, in bytes of the files: of what is passed over at once, of what is embedded chunk by chunk."""

    def __init__(self, show: Callable[[int, int], None]) -> None:
        self._show = show
        self._done = 0.0
        self._read = 0
        self._weights: dict[str, float] = {}  # by origin, of the articles that are at work
        self.total = 0

    def read(self, count: int) -> None:
        """So many bytes were read since the last article."""
        self._read += count

    def arrived(self, article: Article) -> None:
        self._weights[article.origin] = self._read
        self._read = 0

    def passed(self, article: Article) -> None:
        self._advance(self._weights.pop(article.origin, 0))

    def embedded(self, pieces: Pieces, chunk: Chunk) -> None:
        self._advance(self._weights.get(pieces.article.origin, 0) / len(pieces.chunks))
        if chunk is pieces.chunks[-1]:
            self._weights.pop(pieces.article.origin, None)

    def end(self) -> None:
        if self._done < self.total:  # rows that could not be read
            self._advance(self.total)

    def _advance(self, count: float) -> None:
        self._done = min(self._done + count, self.total)
        self._show(int(self._done), self.total)


def _embedded(fresh: Iterator[Article], embedder: Embedder, meter: _Meter) -> Iterator[list[Embedded]]:
    """The articles in batches, each embedded while the next ones are read and split."""
    at_work: deque[Embedding] = deque()
    batches = _Batches(fresh)
    try:
        for articles in batches:
            pieces = [split(article, embedder, CHUNK_PIECES) for article in articles]
            at_work.append(embedder.embed(pieces, meter.embedded))
            if len(at_work) > _AHEAD:
                yield list(at_work.popleft())
                batches.one_is_done()
        while at_work:
            yield list(at_work.popleft())
    finally:  # an error or Ctrl-C: what is queued would keep the process busy
        for embedding in at_work:
            embedding.close()


class _Batches:
    """Articles in batches of about as many characters as are embedded in `_BATCH_SECONDS`, going by the last ones."""

    def __init__(self, articles: Iterator[Article]) -> None:
        self._articles = articles
        self._sizes: deque[int] = deque()
        self._last_done = time.monotonic()
        self._limit = _FIRST_BATCH

    def __iter__(self) -> Iterator[list[Article]]:
        batch: list[Article] = []
        size = 0
        for article in self._articles:
            batch.append(article)
            size += len(article.text)
            if size >= self._limit:
                self._sizes.append(size)
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def one_is_done(self) -> None:
        now = time.monotonic()
        rate = self._sizes.popleft() / max(now - self._last_done, 0.01)
        self._limit = int(min(max(rate * _BATCH_SECONDS, _FIRST_BATCH), _MOST_IN_A_BATCH))
        self._last_done = now


def _read(paths: list[Path], meter: _Meter, tell: Callable[[Outcome], None]) -> Iterator[Article]:
    files = find_files(paths)
    meter.total = sum(_size(file) for file in files if isinstance(file, Path))
    for file in files:
        if isinstance(file, ReadProblem):
            tell(Outcome(file.origin, "", "failed", file.message))
            continue
        for article in read_file(file, meter.read):
            if isinstance(article, ReadProblem):
                tell(Outcome(article.origin, "", "failed", article.message))
            else:
                meter.arrived(article)
                yield article


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
    meter: _Meter,
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
            meter.passed(found)
            tell(Outcome(article.origin, article.id, "unchanged"))
        elif article.id in seen:
            meter.passed(found)
            tell(Outcome(article.origin, article.id, "failed", f"repeats the id {article.id!r}; ids must differ."))
        elif origin and _is_row(article) and not _same_file(origin, article.origin) and not replace_ids:
            meter.passed(found)
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
