"""read → split → embed → publish, and the projection catches up.

One batch of articles is published in one transaction: a kill loses the batches at hand, a second of work or two, and
the next run goes on where this one stopped, because what is already there is recognised by its digest. While one batch
is embedded on all cores, the next is read and split, and the one before is published.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from index.article import Article, Chunk, Pieces, file_of
from index.embedding import CHUNK_PIECES, Embedded, Embedder, Embedding
from index.errors import ReadError
from index.ledger import Ledger, ReadFile
from index.reading import Given, PassedOver, Reader, Reading, ReadProblem, find_files
from index.splitting import split
from index.vectors import Projection

_BATCH_SECONDS = 0.4  # of embedding that a batch is meant to take
_FIRST_BATCH = 16_000  # characters, before it is known how long they take
_MOST_IN_A_BATCH = 400_000
_AHEAD = 2  # batches that are being embedded while another is published
_MANY_GONE = 10  # articles that may all be gone from a folder without being asked for
_READERS = "1"  # to be raised with every change of what the readers make of a file, so that all are read again
OUTCOMES = ("added", "replaced", "renamed", "unchanged", "removed", "failed", "passed over")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to one file, row or article: one of `OUTCOMES`, with what there is to say about it.

    `unused` are the names of the fields that hold something and are used for nothing.
    """

    origin: str
    article: str
    outcome: str
    message: str = ""
    unused: tuple[str, ...] = ()


@dataclass
class Summary:
    """What a whole run did. `gone` are the articles whose files are there no more; only a sync removes them."""

    counts: Counter[str] = field(default_factory=Counter)
    unused: Counter[str] = field(default_factory=Counter)
    gone: list[str] = field(default_factory=list)
    articles: int = 0
    sentences: int = 0
    chunks: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    """How files become a corpus: where to, with what, and who is told.

    `report` gets each outcome as soon as it is certain, that is, published. `progress` gets (step, done, total): bytes
    of files that are dealt with, then chunks that the vector store has caught up with. `at` gets the file that is read.
    """

    ledger: Ledger
    embedder: Embedder
    projection: Projection
    given: Given = field(default_factory=Given)
    replace_ids: bool = False  # a row may take over an id that another file has
    dry: bool = False  # nothing is changed, only told
    origins: Mapping[str, str] = field(default_factory=dict)  # file → where it was fetched from
    report: Callable[[Outcome], None] = lambda outcome: None
    progress: Callable[[str, int, int], None] = lambda step, done, total: None
    at: Callable[[str], None] = lambda file: None


def add(run: Run, paths: list[Path]) -> Summary:
    """Add files, folders, tables and zip files to the corpus.

    Raises:
        Busy: another process is writing.
        ReadError: nothing at all could be read under `paths`.
    """
    with _Work(run) as work:
        work.take_in(paths)
        work.summary.gone = work.gone(paths)
    if set(work.summary.counts) <= {"failed", "passed over"} and not work.summary.articles and not run.dry:
        raise ReadError("Nothing could be read, so the corpus is still empty.")
    return work.summary


def sync(run: Run, folder: Path, *, may_empty: bool = False) -> Summary:
    """Make what the corpus has of a folder equal to the folder: new, changed, renamed and deleted files and rows.

    What comes from a file that can't be read at the moment stays.

    Args:
        may_empty: also where nothing is left of many articles: the folder may as well be a disk that is not there.

    Raises:
        Busy: another process is writing.
        ReadError: it is no folder, or holds no article though the corpus has many of it.
    """
    if not folder.is_dir():
        raise ReadError(f"{folder} is no folder; a sync makes the index equal to one.")
    with _Work(run) as work:
        work.take_in([folder], may_be_empty=True)
        gone = work.gone([folder])
        if len(gone) > _MANY_GONE and not work.seen and not may_empty:
            raise ReadError(
                f"{folder} holds no article, but {len(gone)} in the index come from it. Is its disk mounted? "
                "--allow-empty removes them all."
            )
        work.remove(gone)
    return work.summary


class _Work:
    """One run: what is known, what was met, and what came of it. Holds the writer's place."""

    def __init__(self, run: Run) -> None:
        self.summary = Summary()
        self.seen: set[str] = set()  # ids that were met
        self._run = run
        self._started = time.monotonic()
        self._failed: set[str] = set()  # files, and folders that could not be listed
        self._digests: dict[str, str] = {}  # of files
        self._ids: dict[str, list[str]] = defaultdict(list)  # of each file's articles
        self._moved: dict[str, str] = {}  # article → where it is read from now

    def __enter__(self) -> _Work:
        self._place = self._run.ledger.writing()
        self._place.__enter__()
        self.known = self._run.ledger.known()
        self._by_digest: dict[str, list[str]] = defaultdict(list)
        self._by_origin: dict[str, str] = {}
        for article_id, (digest, origin) in self.known.items():
            self._by_digest[digest].append(article_id)
            self._by_origin[origin] = article_id
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if error[0] is None:
                self._finish()
        finally:
            self._place.__exit__(None, None, None)

    def take_in(self, paths: list[Path], *, may_be_empty: bool = False) -> None:
        """Read, split, embed and publish what is new; tell of the rest."""
        run = self._run
        meter = _Meter(lambda done, total: run.progress("articles", done, total))
        fresh = self._only_new(self._read(find_files([*map(_normal, paths)], may_be_empty=may_be_empty), meter), meter)
        if run.dry:
            for reading in fresh:
                meter.passed(reading.article)
                self._published(reading)
        else:
            notes: dict[str, Reading] = {}
            for batch in _embedded(_noted(fresh, notes), run.embedder, meter):
                run.ledger.publish(batch)
                for each in batch:
                    self._published(notes.pop(each.pieces.article.id))
        meter.end()

    def gone(self, paths: list[Path]) -> list[str]:
        """The articles that came from under the paths and were not met, unless their file could not be read."""
        roots = [_normal(path) for path in paths if path.is_dir()]
        unmet = {
            article_id: Path(file_of(origin))
            for article_id, (_, origin) in self.known.items()
            if roots and article_id not in self.seen
        }
        return sorted(
            article_id
            for article_id, file in unmet.items()
            if any(map(file.is_relative_to, roots)) and not any(map(file.is_relative_to, self._failed))
        )

    def remove(self, ids: list[str]) -> None:
        """Delete articles everywhere."""
        if ids and not self._run.dry:
            self._run.ledger.remove(ids)
        for article_id in ids:
            self._tell(Outcome(self.known[article_id][1], article_id, "removed"))

    def _finish(self) -> None:
        run = self._run
        if not run.dry:
            run.ledger.relocate(self._moved)
            read = {f: ReadFile(d, tuple(self._ids[f])) for f, d in self._digests.items() if f not in self._failed}
            run.ledger.note_files(read)
            run.projection.catch_up(lambda done, total: run.progress("vectors", done, total))
        summary = self.summary
        summary.articles, summary.sentences, summary.chunks = run.ledger.count()
        summary.seconds = time.monotonic() - self._started

    def _tell(self, outcome: Outcome) -> None:
        self.summary.counts[outcome.outcome] += 1
        self.summary.unused.update(outcome.unused)
        self._run.report(outcome)

    def _published(self, reading: Reading) -> None:
        article = reading.article
        outcome = "replaced" if article.id in self.known else "added"
        self._tell(Outcome(article.origin, article.id, outcome, "; ".join(reading.notes), reading.unused))

    def _fail(self, origin: str, message: str, article: str = "") -> None:
        self._failed.add(file_of(origin))
        self._tell(Outcome(origin, article, "failed", message))

    def _read(self, files: list[Path | ReadProblem | PassedOver], meter: _Meter) -> Iterator[Reading]:
        meter.total = sum(_size(file) for file in files if isinstance(file, Path))
        read_before = self._run.ledger.files()
        with Reader(self._run.given) as reader:
            for file in files:
                if isinstance(file, PassedOver):
                    self._tell(Outcome(file.origin, "", "passed over", file.message))
                elif isinstance(file, ReadProblem):
                    self._fail(file.origin, file.message)
                elif not self._is_unchanged(file, read_before, meter):
                    self._run.at(file.name)
                    yield from self._read_file(reader, file, meter)

    def _read_file(self, reader: Reader, file: Path, meter: _Meter) -> Iterator[Reading]:
        for result in reader.read(file, meter.read, self._run.origins.get(str(file.absolute()), "")):
            if isinstance(result, PassedOver):
                self._tell(Outcome(result.origin, "", "passed over", result.message))
            elif isinstance(result, ReadProblem):
                self._fail(result.origin, result.message)
            else:
                meter.arrived(result.article)
                yield result

    def _is_unchanged(self, file: Path, read_before: Mapping[str, ReadFile], meter: _Meter) -> bool:
        """Whether the file is, to the byte, what all its articles in the corpus were read from; then that is told."""
        origin = str(file.absolute())
        try:
            if origin in self._run.origins:
                return False
            self._digests[origin] = _digest(file, self._run.given)
        except OSError:  # reading it will say so
            return False
        before = read_before.get(origin)
        if before is None or before.digest != self._digests[origin]:
            return False
        origins = [self.known.get(article_id, ("", ""))[1] for article_id in before.ids]
        if not all(of and (file_of(of) == origin or _exists(of)) for of in origins):
            return False  # one of its articles was removed, or was read last from a file that is gone since
        meter.skipped(_size(file))
        self._ids[origin] += before.ids
        for article_id in before.ids:
            if article_id in self.seen:
                continue
            self.seen.add(article_id)
            self._tell(Outcome(self.known[article_id][1], article_id, "unchanged"))
        return True

    def _only_new(self, readings: Iterator[Reading], meter: _Meter) -> Iterator[Reading]:
        """The articles that have to be stored, under the id they will have."""
        digests = {article_id: digest for article_id, (digest, _) in self.known.items()}
        for reading in readings:
            found = reading.article
            article = found if _is_row(found) else self._under_stable_id(found, digests)
            self._ids[file_of(article.origin)].append(article.id)
            _, origin = self.known.get(article.id, ("", ""))
            if digests.get(article.id) == article.digest:
                meter.passed(found)
                self._tell(self._unchanged(article, origin, reading))
            elif article.id in self.seen:
                meter.passed(found)
                self._fail(article.origin, f"repeats the id {article.id!r}; ids must differ.", article.id)
            elif origin and _is_row(article) and self._is_of_another(origin, article):
                meter.passed(found)
                self._fail(
                    article.origin,
                    f"has the id {article.id!r}, which belongs to {origin}; use --replace to let the new text "
                    "take its place, or another DATELINE_HOME for another corpus.",
                    article.id,
                )
            else:
                digests[article.id] = article.digest
                yield replace(reading, article=article)
            self.seen.add(article.id)

    def _is_of_another(self, origin: str, article: Article) -> bool:
        """Whether a row's id belongs to another file, which is still there and may not lose it."""
        return file_of(origin) != file_of(article.origin) and _exists(origin) and not self._run.replace_ids

    def _unchanged(self, article: Article, origin: str, reading: Reading) -> Outcome:
        outcome, message = "unchanged", "; ".join(reading.notes)
        if article.id not in self.seen and origin != article.origin:
            self._moved[article.id] = article.origin
            if not _is_row(article) and not _exists(origin):
                outcome, message = "renamed", f"was {origin}"
        return Outcome(article.origin, article.id, outcome, message, reading.unused)

    def _under_stable_id(self, article: Article, digests: Mapping[str, str]) -> Article:
        """A file keeps the id it got first, also under another name.

        A new file whose name is taken by another text gets a suffix of its own.
        """
        own = self._by_origin.get(article.origin)
        if own is not None and own not in self.seen:
            return replace(article, id=own)
        for former in self._by_digest[article.digest]:
            if former not in self.seen and not _exists(self.known[former][1]):
                return replace(article, id=former)
        if digests.get(article.id) in (None, article.digest):
            return article
        suffix = hashlib.sha256(article.origin.encode()).hexdigest()[:6]
        return replace(article, id=f"{article.id}-{suffix}")


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

    def skipped(self, count: int) -> None:
        """A file of so many bytes was not read."""
        self._advance(count)

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


def _noted(readings: Iterator[Reading], notes: dict[str, Reading]) -> Iterator[Article]:
    """The articles, with what is to be told of each kept for when it is published."""
    for reading in readings:
        notes[reading.article.id] = reading
        yield reading.article


def _digest(file: Path, given: Given) -> str:
    """Of a file's bytes and of everything else that decides what is read from it."""
    with file.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    return hashlib.sha256(repr((_READERS, content, asdict(given))).encode()).hexdigest()


def _normal(path: Path) -> Path:
    """One spelling for each path, so that a folder is the same from wherever it is named."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - a link stays what it is called


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # gone since it was listed: reading it will say so
        return 0


def _is_row(article: Article) -> bool:
    return article.origin.rpartition(":")[2].isdigit()


def _exists(origin: str) -> bool:
    return "://" in origin or os.path.lexists(file_of(origin))
