"""`dateline index …`: add, sync, list, show, remove, search, and looking after the index."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from index.console import Progress, safe, source_line
from index.errors import Busy, ReadError
from index.filters import Filters
from index.settings import load_settings
from ui.shared import ASKED_HELP, opened_index, print_json, with_filters

_COLOURS = {"failed": "red", "passed over": "yellow", "removed": "yellow"}
_TOLD_APART = ("added", "replaced", "renamed", "removed", "failed")  # by a line each
_MOST_NAMED = 8
_AS_GIVEN = {"title": "title", "source": "source", "author": "author", "published": "date of publication"}


@click.group()
def index() -> None:
    """Add, list, remove and search articles, and keep the index in order.

    \b
    dateline index add seeds/articles report.pdf news.jsonl
    dateline index sync my-articles/            make the index equal to a folder
    dateline index search "Karachi airport" --top 5
    dateline index verify                       is everything where it should be?
    """


def _reading_options(command: Any) -> Any:
    """What says how files are read."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print a JSON line for each file and a last one in sum."),
        click.option(
            "--map", "columns", multiple=True, metavar="FIELD=NAME",
            help="How a table or JSONL calls a field: --map text=Body --map published=Datum.",
        ),
        *(
            click.option(f"--{name}", name, default="", metavar="TEXT", help=f"The {said} of files that don't say.")
            for name, said in _AS_GIVEN.items()
        ),
    ):  # fmt: skip
        command = option(command)
    return command


@index.command("add", epilog="Adding the same thing twice changes nothing; a changed file replaces its old version.")
@click.argument("paths", nargs=-1, required=True)
@click.option("--replace", "replace_ids", is_flag=True, help="Let a row take over the id of an article from elsewhere.")
@click.option("--if-empty", is_flag=True, help="Do nothing when the corpus already holds articles.")
@click.option("--fetch", is_flag=True, help="PATHS are addresses of web pages; fetch them.")
@click.option("--allow-private", is_flag=True, help="With --fetch: also from this network and this machine.")
@_reading_options
def index_add(
    paths: tuple[str, ...],
    replace_ids: bool,
    if_empty: bool,
    fetch: bool,
    allow_private: bool,
    as_json: bool,
    columns: tuple[str, ...],
    **given: str,
) -> None:
    """Add files, folders and zip files: .txt, .md, .html, .pdf, .docx, .eml, .jsonl and .csv.

    \b
    dateline index add articles/ more.zip
    dateline index add news.csv --map text=Body --map published=Datum --map id=Nr
    dateline index add report.pdf --source "The Herald" --published 2025-03-04
    dateline index add --fetch https://example.org/news/bridge
    """
    if addresses := [path for path in paths if "://" in path]:
        if not fetch:
            raise click.UsageError(f"{addresses[0]} is an address; --fetch fetches it over the network.")
        if len(addresses) < len(paths):
            raise click.UsageError("give either addresses with --fetch, or files")
    elif fetch or allow_private:
        raise click.UsageError("--fetch takes addresses, such as https://example.org/news/bridge")
    from index.ingest import Summary

    options: dict[str, Any] = {"given": _given(columns, given), "replace_ids": replace_ids}
    with opened_index(load_settings()) as corpus, Progress() as bars, tempfile.TemporaryDirectory() as folder:
        if if_empty and corpus.ledger.count()[0]:
            corpus.catch_up(lambda done, total: bars.show("vectors", done, total))
            return
        teller = _Teller(bars, as_json)
        if addresses:
            files, options["origins"] = _fetched(addresses, Path(folder), allow_private, teller)
        else:
            files = [Path(path) for path in paths]
        summary = corpus.add(files, **options, **teller.callbacks) if files else Summary()
        summary.counts["failed"] = teller.failed  # with the pages that could not be fetched
    teller.end(summary)


@index.command("sync", epilog="Example: dateline index sync my-articles/ --dry-run")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would change.")
@click.option("--watch", is_flag=True, help="Go on, and sync again after every change, until Ctrl-C.")
@click.option("--allow-empty", "may_empty", is_flag=True, help="Remove everything where the folder holds no article.")
@_reading_options
def index_sync(
    folder: Path, dry: bool, watch: bool, may_empty: bool, as_json: bool, columns: tuple[str, ...], **given: str
) -> None:
    """Make what the index has of a folder equal to the folder: new, changed, renamed and deleted files.

    \b
    dateline index sync my-articles/
    dateline index sync my-articles/ --watch
    """
    if dry and watch:
        raise click.UsageError("--dry-run changes nothing, so there is nothing to --watch")
    options: dict[str, Any] = {"given": _given(columns, given), "dry": dry, "may_empty": may_empty}
    failed = _sync(folder, options, as_json)
    if watch:
        _sync_after_changes(folder, options, as_json)
    sys.exit(1 if failed else 0)


def _sync_after_changes(folder: Path, options: dict[str, Any], as_json: bool) -> None:
    from watchfiles import watch

    home = load_settings().home

    def is_theirs(_: object, path: str) -> bool:
        # The index itself may lie inside the folder, and changes with every sync.
        return not Path(path).is_relative_to(home) and not Path(path).name.startswith(".")

    stop = threading.Event()

    def interrupted(*_: object) -> None:
        # The loop ends also where the exception is lost, as in a destructor.
        stop.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, interrupted)
    began = False
    for changes in watch(
        folder, watch_filter=is_theirs, rust_timeout=1_000, yield_on_timeout=True, stop_event=stop, raise_interrupt=True
    ):
        if changes or not began:  # what changed before the watching began was seen by nobody
            began = True
            try:
                _sync(folder, options, as_json)
            except (Busy, ReadError) as error:
                click.secho(f"dateline: {safe(str(error))}", err=True, fg="red")
                began = not isinstance(error, Busy)  # tried again soon
    raise KeyboardInterrupt


def _sync(folder: Path, options: dict[str, Any], as_json: bool) -> int:
    with opened_index(load_settings()) as corpus, Progress() as bars:
        teller = _Teller(bars, as_json, dry=options["dry"])
        summary = corpus.sync(folder, **options, **teller.callbacks)
    return teller.end(summary, leaves=False)


@index.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@with_filters
def index_list(as_json: bool, filters: Filters) -> None:
    """List the articles, the newest first."""
    with opened_index(load_settings()) as corpus:
        rows = corpus.articles(filters)
    for row in rows:
        if as_json:
            print_json(asdict(row))
        else:
            click.echo(f"{row.published or '—':10}  {safe(row.id):32}  {safe(row.title)}")
    if not rows and not as_json and filters:
        click.echo(f"No article fits the filters ({safe(str(filters))}).", err=True)
    elif not rows and not as_json:
        click.echo("No articles yet. Add some: dateline index add FILE_OR_FOLDER", err=True)


@index.command("show", epilog="Example: dateline index show karachi-firm-russia --json")
@click.argument("article_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/contract.md).")
def index_show(article_id: str, as_json: bool) -> None:
    """Show what the index made of an article: its fields, its text cut into sentences, its copies."""
    with opened_index(load_settings(), briefly=True) as corpus:
        pieces = corpus.ledger.pieces(article_id)
        copies = corpus.copies(article_id)
    article, text = pieces.article, pieces.article.text
    fields = {n: getattr(article, n) for n in ("id", "title", "source", "author", "published", "url", "origin")}
    if as_json:
        sentences = [{"start": s.start, "end": s.end, "text": text[s.start : s.end]} for s in pieces.sentences]
        chunks = [{"start": chunk.start, "end": chunk.end} for chunk in pieces.chunks]
        print_json(
            {**fields, "note": article.note, "text": text, "sentences": sentences, "chunks": chunks,
             "near_duplicates": copies}
        )  # fmt: skip
        return
    for name, value in fields.items():
        click.echo(click.style(f"{name:10}", bold=True) + safe(value or "—"))
    if copies:
        click.echo(click.style(f"{'copies':10}", bold=True) + safe(", ".join(copies)))
    click.echo()
    for number, span in enumerate(pieces.sentences):
        click.echo(click.style(f"{number:4}  ", dim=True) + safe(" ".join(text[span.start : span.end].split())))


@index.command("remove", epilog="Example: dateline index remove karachi-firm-russia")
@click.argument("ids", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def index_remove(ids: tuple[str, ...], as_json: bool) -> None:
    """Delete articles and everything made of them."""
    with opened_index(load_settings()) as corpus:
        corpus.remove(ids)
        left = corpus.ledger.count()[0]
    if as_json:
        print_json({"removed": list(dict.fromkeys(ids)), "articles": left})
    else:
        click.echo(f"{len(set(ids))} removed; the corpus holds {left} articles.")


@index.command("search", epilog='Example: dateline index search "Karachi airport" --top 5 --json')
@click.argument("question", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a question.")
@click.option("--batch", type=click.Path(path_type=Path), help="Search for every row of a JSONL (`id`, `question`).")
@click.option("--top", default=10, show_default=True, type=click.IntRange(1, 100), help="How many passages.")
@click.option("--asked", default="", metavar="DATE", help=ASKED_HELP)
@with_filters
def index_search(
    question: str | None, as_json: bool, batch: Path | None, top: int, asked: str, filters: Filters
) -> None:
    """Find the passages that answer a question, best first. No LLM."""
    if (question is None) == (batch is None):
        raise click.UsageError("give either a QUESTION or --batch FILE")
    from index.search import checked
    from ui import batch as batches

    day = batches.checked_date(asked)
    single = batches.Row("", question or "", asked=day or date.today().isoformat())
    rows = batches.read_rows(batch, day) if batch else [single]
    with opened_index(load_settings(), briefly=batch is None) as corpus, Progress() as bars:
        for n, row in enumerate(rows):
            if batch:
                bars.show("searching", n, len(rows))
            hits = corpus.search(checked(row.question), top, asked=row.asked, filters=filters)
            if as_json or batch:
                print_json({"id": row.id, "hits": [_hit_json(hit) for hit in hits]})
            else:
                click.echo("".join(_hit_lines(hits)), nl=False)
            if not hits and not batch:
                click.echo("Nothing found: no article fits the filters, or the corpus is empty.", err=True)


@index.command("verify")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def index_verify(as_json: bool) -> None:
    """Compare the articles with the lexical index and the vector store, id by id; changes nothing."""
    from index.upkeep import verify

    with opened_index(load_settings()) as corpus:
        found = verify(corpus)
    if as_json:
        print_json({"clean": found.is_clean, **asdict(found)})
    else:
        click.echo(f"{found.articles} articles, {found.sentences} sentences, {found.chunks} passages.")
        for amount, what in (
            (found.lexical_missing, "rows are missing in the lexical index"),
            (found.lexical_surplus, "rows of the lexical index belong to no article"),
            (found.vectors_missing, "passages are not in the vector store yet"),
            (found.vectors_surplus, "vectors belong to no passage any more"),
        ):
            if amount:
                click.secho(f"{amount} {what}.", fg="yellow")
        if found.pending:
            more = f" and {len(found.pending) - _MOST_NAMED} more" if len(found.pending) > _MOST_NAMED else ""
            click.echo(f"Of {safe(', '.join(found.pending[:_MOST_NAMED]))}{more}.")
        if found.trouble:
            click.secho(safe(found.trouble), fg="red")
        if found.unchecked:
            click.echo(f"Not checked: {found.unchecked}.")
        if found.is_clean:
            click.secho("Everything is where it should be.", fg="green")
        elif found.lexical_missing or found.lexical_surplus or found.trouble:
            click.echo("`dateline index rebuild` writes them anew from the articles.")
        else:
            click.echo("The next search or `dateline index rebuild` brings the vector store up to date.")
    sys.exit(0 if found.is_clean else 1)


@index.command("rebuild")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def index_rebuild(as_json: bool) -> None:
    """Write the lexical index, the groups of copies and the vector store anew; embeds nothing."""
    from index.upkeep import rebuild

    with opened_index(load_settings()) as corpus, Progress() as bars:
        rebuild(corpus, bars.show)
        articles, sentences, chunks = corpus.ledger.count()
    if as_json:
        print_json({"articles": articles, "sentences": sentences, "chunks": chunks})
    else:
        click.echo(f"Rebuilt for {articles} articles, {chunks} passages.")


@index.command("compact")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def index_compact(as_json: bool) -> None:
    """Give back the space of deleted articles; afterwards no file holds anything of them."""
    from index.upkeep import compact

    with opened_index(load_settings()) as corpus, Progress() as bars:
        freed = compact(corpus, bars.show)
    if as_json:
        print_json({"freed": freed})
    else:
        click.echo(f"{freed / 2**20:.1f} MiB freed.")


@index.command("migrate", epilog="Example: DATELINE_EMBEDDER=/models/bge-small dateline index migrate")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def index_migrate(as_json: bool) -> None:
    """Embed every article again with the embedder of the settings; the old index serves until the new one is whole.

    Stopped, it goes on where it was. The articles' files are not needed.
    """
    from index.upkeep import migrate

    settings = load_settings()
    with Progress() as bars:
        done = migrate(settings, bars.show)
    with opened_index(settings) as corpus, Progress() as bars:
        corpus.catch_up(lambda done, total: bars.show("vectors", done, total))
    if as_json:
        print_json(asdict(done))
    elif done.articles:
        click.echo(f"{done.articles} articles are of the new embedder now, {done.embedded} embedded by this run.")
    else:
        click.echo("The index is of this embedder already.")


class _Teller:
    """What `add` and `sync` say while they work, and in the end."""

    def __init__(self, bars: Progress, as_json: bool, dry: bool = False) -> None:
        self._bars = bars
        self._as_json = as_json
        self._dry = dry
        self._passed: Counter[str] = Counter()
        self.failed = 0
        self._at = ""
        self._done = 0
        self._began = time.monotonic()
        self.callbacks = {"report": self.report, "progress": bars.show, "at": self.at}

    def at(self, file: str) -> None:
        """This file is read now."""
        self._at = file
        self._note()

    def report(self, outcome: Any) -> None:
        """This is certain now."""
        self._done += 1
        self.failed += outcome.outcome == "failed"
        self._note()
        if outcome.outcome == "passed over":
            self._passed[Path(outcome.origin).suffix or Path(outcome.origin).name] += 1
        if self._as_json:
            line = asdict(outcome)
            print_json({"file": line.pop("origin"), **line})
        elif outcome.outcome == "failed":
            self._bars.say("failed  ", f"{outcome.origin} {outcome.message}", fg="red")
        elif outcome.outcome in _TOLD_APART:
            message = f"  ({outcome.message})" if outcome.message else ""
            self._bars.say(f"{outcome.outcome:8}  ", f"{outcome.article}{message}", fg=_COLOURS.get(outcome.outcome))
        elif outcome.outcome == "passed over":
            self._bars.say("passed over  ", f"{outcome.origin} {outcome.message}", fg="yellow")

    def end(self, summary: Any, leaves: bool = True) -> int:
        """The last line.

        Returns:
            how many failed; with `leaves` the process ends with 1 where any did.
        """
        if summary is not None:
            self._sum_up(summary)
        if leaves and self.failed:
            sys.exit(1)
        return self.failed

    def _note(self) -> None:
        rate = self._done / max(time.monotonic() - self._began, 0.1)
        self._bars.note("articles", f"{self._done} articles, {rate:.0f}/s, {self._at}")

    def _sum_up(self, summary: Any) -> None:
        from index.ingest import OUTCOMES

        counts = {name: summary.counts[name] for name in OUTCOMES}
        if self._as_json:
            print_json(
                {"summary": {**{name.replace(" ", "_"): n for name, n in counts.items()}, "gone": summary.gone,
                             "unused": dict(summary.unused), "articles": summary.articles,
                             "sentences": summary.sentences, "chunks": summary.chunks,
                             "seconds": round(summary.seconds, 2)}}
            )  # fmt: skip
            return
        told = ", ".join(f"{n} {name}" for name, n in counts.items() if n) or "nothing found"
        if self._passed:
            told += f" ({', '.join(kind for kind, _ in self._passed.most_common(_MOST_NAMED))})"
        would = "Dry run, nothing was changed: " if self._dry else ""
        click.echo(
            f"{would}{told} in {summary.seconds:.1f} s; the corpus holds {summary.articles} articles, "
            f"{summary.sentences} sentences."
        )
        if summary.unused:
            named = ", ".join(f"{safe(name)} ({n})" for name, n in summary.unused.most_common(_MOST_NAMED))
            click.echo(f"Fields that are used for nothing: {named}.")
        if summary.gone:
            named = ", ".join(map(safe, summary.gone[:_MOST_NAMED]))
            more = f" and {len(summary.gone) - _MOST_NAMED} more" if len(summary.gone) > _MOST_NAMED else ""
            click.echo(f"No longer among the files: {named}{more}. `dateline index sync FOLDER` removes them.")


def _given(columns: tuple[str, ...], values: dict[str, str]) -> Any:
    from index.reading import Given
    from index.reading.fields import FIELDS, published

    mapped: dict[str, str] = {}
    for column in columns:
        field, equals, name = column.partition("=")
        if not equals or field not in (*FIELDS, "text") or not name:
            raise click.UsageError(f"--map {column}: write FIELD=NAME, FIELD one of text, {', '.join(FIELDS)}")
        mapped[field] = name
    try:
        day = published(values["published"], "--published")
    except ValueError as error:
        raise click.UsageError(f"The command {error}") from error
    return Given({name: value for name, value in {**values, "published": day}.items() if value}, mapped)


def _fetched(
    addresses: list[str], folder: Path, allow_private: bool, teller: _Teller
) -> tuple[list[Path], dict[str, str]]:
    """Files with what was fetched, and where each comes from."""
    from index.fetching import fetch
    from index.ingest import Outcome

    origins: dict[str, str] = {}
    for number, address in enumerate(dict.fromkeys(addresses)):
        teller.at(address)
        try:
            page = fetch(address, allow_private=allow_private)
        except ReadError as error:
            teller.report(Outcome(address, "", "failed", str(error)))
            continue
        place = folder / str(number)
        place.mkdir()
        (place / page.name).write_bytes(page.content)
        origins[str((place / page.name).absolute())] = page.url
    return [Path(path) for path in origins], origins


def _hit_lines(hits: Any) -> Iterator[str]:
    for n, hit in enumerate(hits, start=1):
        head = source_line(hit.article.title, hit.article.source, hit.article.published)
        yield click.style(f"{n}. {safe(head)}", bold=True) + "\n"
        yield f"   {safe(hit.text)}\n"
        if hit.copies:
            yield f"   Also in: {safe(', '.join(hit.copies))}\n"
        yield "\n"


def _hit_json(hit: Any) -> dict[str, Any]:
    return {
        "article": hit.article.id, "score": round(hit.score, 6), "start": hit.chunk.start, "end": hit.chunk.end,
        "text": hit.text, "copies": list(hit.copies),
    }  # fmt: skip
