"""`dateline eval …`: the commands. Wiring and printing only."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import click

from evals import benchmark_tables as tables
from evals import compare as comparing
from evals import gate as gating
from evals import index_trials as trying
from evals import reading_check
from evals import report as reports
from evals import retrieval as finding
from evals import sweep as sweeping
from evals.benchmark_asking import Asking
from evals.benchmark_plot import to_svg as curves_svg
from evals.benchmark_sets import Half, benchmarks_folder, read_articles
from evals.benchmarks import BENCHMARKS, Measured, Setup, chosen, measure
from evals.drafting import Draft, write_drafts
from evals.drafting import draft as propose
from evals.gold import write_gold
from evals.importing import Format, import_gold, write_articles
from evals.judge import Judge
from evals.metrics import calibration, risk_coverage
from evals.record import Item, Record, load, run_path, save, write_whole
from evals.retrieval_plot import to_svg as retrieval_svg
from evals.run import Progress
from evals.run import run as run_questions
from evals.scoring import LAYERS, METRICS
from evals.statistics import share
from evals.training.cli import train
from index import console
from index.article import Article
from index.errors import GoldError
from index.search import Index
from index.settings import Settings, load_settings
from prompts import Write
from rag.models.llm import LLM, whole

_HERE = Path(__file__).parent
SEEDS_GOLD = _HERE / "gold" / "seeds.jsonl"
SEEDS_CORPUS = _HERE.parent / "seeds" / "articles"

# What --set takes, and the environment variable of each, so that both are checked alike.
_SETTABLE = {
    "embedder": "DATELINE_EMBEDDER",
    "model": "DATELINE_MODEL",
    "endpoint": "DATELINE_LLM_ENDPOINT",
    "context_tokens": "DATELINE_LLM_CONTEXT",
    "evidence_tokens": "DATELINE_EVIDENCE_TOKENS",
}
_STEPS = ("error", "retrieval", "evidence", "declining", "reading", "citing")
_CORPUS_HELP = "A file or folder with the articles that the questions are about; your own corpus if left away."
_SET_HELP = f"Another value of a setting for this run: {', '.join(_SETTABLE)}."

_path = click.Path(path_type=Path)
_as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_corpus = click.option("--corpus", type=_path, help=_CORPUS_HELP)
_sample = click.option("--sample", type=click.IntRange(1), help="Ask only so many questions, always the same ones.")
_fresh = click.option("--fresh", is_flag=True, help="Ask again what was asked before with the same settings.")


@click.group(invoke_without_command=True, epilog="Example: dateline eval run --sample 16 --name before")
@click.pass_context
def command(context: click.Context) -> None:
    """Ask gold questions, measure the answers, compare runs.

    \b
    dateline eval                       the questions about the starter corpus
    dateline eval run my-gold.jsonl     questions about your own corpus
    dateline eval compare BEFORE AFTER  what a change did, with 95% intervals
    dateline eval report RUN            one HTML file to read and to pass on
    """
    if context.invoked_subcommand is None:
        context.invoke(run)


@command.command(
    epilog="Example: dateline eval run my-gold.jsonl --corpus articles/ --set evidence_tokens=600 --name more"
)
@click.argument("gold", required=False, type=_path)
@_corpus
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=_SET_HELP)
@_sample
@click.option("--name", default="", help="What to call the run; otherwise the gold file's name and the time.")
@_fresh
@click.option(
    "--judge", "with_judge", is_flag=True, help="Also have the LLM judge the answers; never part of the gate."
)
@click.option("--out", type=_path, help="Write the report here too: .html, .md or .json.")
@_as_json
def run(
    gold: Path | None,
    corpus: Path | None,
    assignments: tuple[str, ...],
    sample: int | None,
    name: str,
    fresh: bool,
    with_judge: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Ask the questions of GOLD and print how good the answers are.

    Without GOLD, the project's own questions about the starter corpus are asked. Each figure stands with n and a 95%
    interval. A run that was stopped or killed goes on where it was when it is started again.
    """
    gold, corpus = _subject(gold, corpus)
    settings = _configured({key: _only(key, values) for key, values in _assigned(assignments).items()})
    if out:
        _check_target(out)
    judging: AbstractContextManager[Judge | None] = _judge(settings) if with_judge else contextlib.nullcontext()
    with _Bars(fresh) as bars, judging as judge:
        record = run_questions(
            gold, corpus, settings, sample=sample, name=name, fresh=fresh, judge=judge, progress=bars.show
        )
    kept = _keep(record, settings)
    if out:
        _write(out, record)
    click.echo(_json(record.to_json()) if as_json else _table(record))
    click.echo(f"\nKept as {record.name}: {kept}", err=True)
    _finish(record)


@command.command("compare", epilog="Example: dateline eval compare before after")
@click.argument("a")
@click.argument("b")
@_as_json
def compare(a: str, b: str, as_json: bool) -> None:
    """Say what run B does better or worse than run A; each is a name or a file.

    Questions are compared one by one: differences with bootstrap 95% intervals, McNemar's test for what is right or
    wrong and a permutation test otherwise, corrected for the number of metrics (Holm).
    """
    home = load_settings().home
    found = comparing.compare(load(a, home), load(b, home))
    click.echo(_json(comparing.to_json(found)) if as_json else _safe(comparing.to_text(found)))


@command.command("sweep", epilog="Example: dateline eval sweep --set evidence_tokens=300,480,700 --sample 16")
@click.argument("gold", required=False, type=_path)
@_corpus
@click.option("--set", "assignments", multiple=True, required=True, metavar="KEY=VALUE,VALUE", help=_SET_HELP)
@_sample
@_fresh
@_as_json
def sweep(
    gold: Path | None, corpus: Path | None, assignments: tuple[str, ...], sample: int | None, fresh: bool, as_json: bool
) -> None:
    """Ask the same questions with every combination of settings, and print quality against time."""
    gold, corpus = _subject(gold, corpus)
    settings = load_settings()
    grid = {
        key: [getattr(_configured({key: value}), key) for value in values]
        for key, values in _assigned(assignments).items()
    }
    records: list[Record] = []

    def keep(record: Record) -> None:
        _keep(record, settings)
        records.append(record)

    with _Bars(fresh) as bars:
        found = sweeping.sweep(gold, corpus, settings, grid, keep, sample=sample, fresh=fresh, progress=bars.show)
    click.echo(_json(sweeping.to_json(found)) if as_json else _safe(sweeping.to_text(found)))
    _finish(records[0])


@command.command("report", epilog="Example: dateline eval report after --against before --out after.html")
@click.argument("name", metavar="RUN")
@click.option("--out", type=_path, help="Where to write: .html, .md or .json; RUN.html if left away.")
@click.option("--against", metavar="OTHER", help="Compare with this run in the report (.html).")
def report(name: str, out: Path | None, against: str | None) -> None:
    """Write a run, a name or a file, as one file to read: HTML, Markdown or JSON."""
    home = load_settings().home
    record = load(name, home)
    out = out or Path(f"{record.name}.html")
    _check_target(out)
    if against and out.suffix != ".html":
        raise click.UsageError("--against needs a report in HTML")
    _write(out, record, load(against, home) if against else None)
    click.echo(f"{out} is written.", err=True)


@command.command("supported", epilog="Example: dateline eval supported after --n 60 --out to-read.md")
@click.argument("name", metavar="RUN")
@click.option("--n", default=60, show_default=True, type=click.IntRange(1), help="How many sentences.")
@click.option("--out", type=_path, help="Where to write them: .md; to the terminal if left away.")
def supported(name: str, n: int, out: Path | None) -> None:
    """Draw sentences that RUN, a name or a file, shows as supported, with their quotations, for a reader to judge."""
    record = load(name, load_settings().home)
    listed = reading_check.to_markdown(record, reading_check.draw(record, n))
    if not out:
        click.echo(_safe(listed), nl=False)
        return
    _check_target(out, (".md",))
    write_whole(out, listed)
    click.echo(f"{out} is written.", err=True)


@command.command("gate", epilog="Example: dateline eval gate evals/gold/baseline.json")
@click.argument("baseline")
@click.argument("name", required=False, metavar="[RUN]")
@_as_json
def gate(baseline: str, name: str | None, as_json: bool) -> None:
    """Fail, with exit code 1, if RUN does worse than BASELINE; each is a name or a file.

    Without RUN, the baseline's questions about the starter corpus are asked now. Only a supported regression fails
    (one-sided p < .05, corrected for the number of metrics), or an exact one: a citation that is not the article's
    text, an error, a question that is missing.
    """
    settings = load_settings()
    before = load(baseline, settings.home)
    if name:
        after = load(name, settings.home)
    else:
        with _Bars() as bars:
            after = run_questions(
                SEEDS_GOLD, SEEDS_CORPUS, settings, only=[item.id for item in before.items], progress=bars.show
            )
        click.echo(f"Kept as {after.name}: {_keep(after, settings)}", err=True)
    decision = gating.gate(before, after)
    click.echo(_json(gating.to_json(decision)) if as_json else _safe(gating.to_text(decision)))
    if not decision.passed:
        sys.exit(1)


@command.command("draft", epilog="Example: dateline eval draft --out drafts.jsonl --n 20")
@click.option("--out", type=_path, required=True, help="A new file to write the drafts to.")
@click.option("--n", default=10, show_default=True, type=click.IntRange(1), help="How many questions.")
@click.option("--corpus", type=_path, help="A file or folder of articles; your own corpus if left away.")
def draft(out: Path, n: int, corpus: Path | None) -> None:
    """Propose questions about articles with the LLM, for you to review and mend.

    Each row says `"reviewed": false`, and counts in no run until somebody has read it and made that true.
    """
    settings = load_settings()
    _check_folder(out)
    articles = _articles(corpus, settings)
    with _writer(settings) as (write, _), _Bars() as bars:

        def shown() -> Iterator[Draft]:
            written = 0
            for tried in propose(articles.values(), write, n):
                written += tried.question is not None
                bars.show("drafting", written, n)
                yield tried

        found = write_drafts(out, shown())
    click.echo(f"{found.written} drafts in {out}, {found.dropped} proposals dropped. Review each, then set `reviewed`.")


@command.command(
    "import", epilog="Example: dateline eval import dev-v1.1.json --out gold.jsonl --articles articles.jsonl"
)
@click.argument("file", type=_path)
@click.option("--out", type=_path, required=True, help="Where to write the gold questions.")
@click.option(
    "--format",
    "form",
    default="auto",
    show_default=True,
    type=click.Choice([form.value for form in Format]),
    help="What FILE is.",
)
@click.option("--articles", type=_path, help="Where to write the articles that FILE brings along, for --corpus.")
@click.option("--corpus", type=_path, help="The articles that a CSV quotes.")
def import_(file: Path, out: Path, form: str, articles: Path | None, corpus: Path | None) -> None:
    """Turn questions of another format into gold questions; rows that can't be used are named."""
    for target in (out, articles):
        if target:
            _check_folder(target)
    found = import_gold(file, form, _articles(corpus, load_settings()) if corpus else None)
    write_gold(out, found.questions)
    click.echo(f"{len(found.questions)} questions in {out}.")
    if articles:
        write_articles(articles, found.articles)
        click.echo(f"{len(found.articles)} articles in {articles}.")
    elif found.articles:
        click.echo(f"FILE brings {len(found.articles)} articles along; --articles keeps them.", err=True)
    if found.problems:
        _tell_broken([(row.line, row.problem) for row in found.problems], file.name)
        sys.exit(1)


@command.command("benchmark", epilog="Example: dateline eval benchmark rgb --sample 10")
@click.argument("names", nargs=-1, required=True, metavar="NAME...|all")
@click.option(
    "--half", type=click.Choice([each.value for each in Half]), help="Which rows; those to report if left away."
)
@click.option("--sample", type=click.IntRange(1), help="Only so many rows of each set, always the same ones.")
@click.option("--set", "assignments", multiple=True, metavar="KEY=VALUE", help=_SET_HELP)
@click.option("--out", type=_path, help="Write the tables here too: .md or .json.")
@click.option("--plot", type=_path, help="Draw the risk–coverage curves here: .svg.")
@_as_json
def benchmark(
    names: tuple[str, ...],
    half: str | None,
    sample: int | None,
    assignments: tuple[str, ...],
    out: Path | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Measure on the public sets NAME, by their own rules and beside what others reached.

    DATELINE_BENCHMARKS names the folder with the sets: news-2025, news-2024, clapnq, rgb, mtrag-un, wice, injection,
    xquad and 2wiki. `all` measures every set that has the half. A run that was stopped goes on where it was.
    """
    settings = _configured({key: _only(key, values) for key, values in _assigned(assignments).items()})
    wanted = chosen(names, Half(half) if half else None)
    folder = benchmarks_folder(os.environ, BENCHMARKS)
    if out:
        _check_target(out, (".md", ".json"))
    if plot:
        _check_target(plot, (".svg",))
    found: list[Measured] = []
    missing = [each.name for each, _ in wanted if "all" in names and not (folder / each.name).is_dir()]
    for each, rows in wanted:
        if each.name in missing:
            continue
        with _Bars() as bars:
            found.append(measure(each, rows, _setup(folder, settings, bars.show), sample))
        _show(found, settings, out, plot, as_json)
    if as_json:
        click.echo(_json({"benchmarks": [tables.to_json(each) for each in found]}))
    elif len(found) > 1:
        click.echo(tables.summary(found))
    if missing:
        click.echo(f"{folder} does not hold {', '.join(missing)}.", err=True)
    if missing or any(each.broken for each in found):
        sys.exit(1)


def _setup(folder: Path, settings: Settings, progress: Progress) -> Setup:
    return Setup(folder, Asking(settings, progress), (SEEDS_GOLD, SEEDS_CORPUS))


def _show(found: Sequence[Measured], settings: Settings, out: Path | None, plot: Path | None, as_json: bool) -> None:
    """Keep and print what was measured last, so that it is there even if the next set is stopped."""
    last = found[-1]
    kept = f"\nKept as {last.record.name}: {_keep(last.record, settings)}" if last.record else ""
    if out and out.suffix == ".json":
        write_whole(out, _json({"benchmarks": [tables.to_json(each) for each in found]}) + "\n")
    elif out:
        write_whole(out, tables.to_page(found, os.path.relpath(plot, out.absolute().parent) if plot else ""))
    if plot:
        write_whole(plot, curves_svg(found))
    if not as_json:
        click.echo(_safe(tables.to_text(last)))
    if kept:
        click.echo(kept, err=True)
    if last.broken:
        _tell_broken([(row.line, row.problem) for row in last.broken], last.benchmark.name)


@command.command("retrieval", epilog="Example: dateline eval retrieval clapnq xquad --out found.json --plot found.svg")
@click.argument("sets", nargs=-1, metavar="[SET]...", type=click.Choice(finding.SETS))
@click.option(
    "--half",
    default=Half.REPORT.value,
    show_default=True,
    type=click.Choice([Half.REPORT.value, Half.TUNE.value]),
    help="The questions to report on, or those to tune by.",
)
@_sample
@click.option("--out", type=_path, help="Write everything here, down to each ranking: .json.")
@click.option("--plot", type=_path, help="Draw the figures here: .svg.")
@click.option("--peers/--no-peers", default=True, help="Also ask LlamaIndex, which embeds the articles in its own way.")
@_as_json
def retrieval(
    sets: tuple[str, ...],
    half: str,
    sample: int | None,
    out: Path | None,
    plot: Path | None,
    peers: bool,
    as_json: bool,
) -> None:
    """Compare retrieval with LlamaIndex's, and with Dateline's own less one of its parts.

    SET is one of the public sets in the folder that DATELINE_BENCHMARKS names; all of them if left away. Nothing is
    answered and no LLM is started.
    """
    for path, suffix in ((out, ".json"), (plot, ".svg")):
        if path and path.suffix != suffix:
            raise click.UsageError(f"{path} does not end in {suffix}")
        if path:
            _check_folder(path)
    settings = load_settings()
    with _Bars() as bars:
        results = finding.run(sets, settings, half=Half(half), sample=sample, peers=peers, progress=bars.show)
    if plot:
        write_whole(plot, retrieval_svg(results))
    if out or as_json:
        told = _json(finding.to_json(results, settings))
    if out:
        write_whole(out, told + "\n")
    click.echo(told if as_json else finding.to_text(results))


# What the commands are given


def _subject(gold: Path | None, corpus: Path | None) -> tuple[Path, Path | None]:
    """The gold file and its corpus; the seeds' for none."""
    if gold is None:
        gold, corpus = SEEDS_GOLD, corpus or SEEDS_CORPUS
    if corpus and not corpus.exists():
        raise GoldError(
            f"There is no corpus at {corpus}; name another with --corpus, or run this in Dateline's folder."
        )
    return gold, corpus


def _assigned(assignments: tuple[str, ...]) -> dict[str, list[str]]:
    """KEY=VALUE,VALUE → the values of each key."""
    found: dict[str, list[str]] = {}
    for assignment in assignments:
        key, equals, values = assignment.partition("=")
        if key not in _SETTABLE or not equals or not values:
            raise click.UsageError(
                f"--set {assignment} is not KEY=VALUE of a known key; known are {', '.join(_SETTABLE)}"
            )
        found[key] = values.split(",")
    return found


def _only(key: str, values: list[str]) -> str:
    if len(values) != 1:
        raise click.UsageError(f"--set {key} takes one value in a run; `dateline eval sweep` tries several")
    return values[0]


def _configured(values: Mapping[str, str]) -> Settings:
    """The user's settings with some set otherwise; a wrong value is a ConfigError as anywhere."""
    return load_settings({**os.environ, **{_SETTABLE[key]: value for key, value in values.items()}})


def _articles(corpus: Path | None, settings: Settings) -> dict[str, Article]:
    if corpus is None:
        with Index.open(settings) as own:
            return {row.id: own.article(row.id) for row in own.articles()}
    return read_articles(corpus)


def _check_folder(out: Path) -> None:
    if not out.absolute().parent.is_dir():
        raise GoldError(f"There is no folder {out.parent} to write {out.name} to.")


def _check_target(out: Path, known: Sequence[str] = (".html", ".md", ".json")) -> None:
    _check_folder(out)
    if out.suffix not in known:
        raise click.UsageError(f"{out} should end in {' or '.join(known)}")


@contextlib.contextmanager
def _writer(settings: Settings) -> Iterator[tuple[Write, str]]:
    """The LLM as a function from messages to text, and its name; loaded when it is first called."""
    llm = LLM(settings)

    try:
        yield lambda messages, max_tokens: whole(llm.write(messages, max_tokens)), llm.name
    finally:
        llm.close()


@contextlib.contextmanager
def _judge(settings: Settings) -> Iterator[Judge]:
    with _writer(settings) as (write, name):
        yield Judge(write, name)


# What the commands leave behind and print


class _Bars(console.Progress):
    """Progress; Ctrl-C says how to go on."""

    def __init__(self, fresh: bool = False) -> None:
        super().__init__()
        self._again = "the same command without --fresh" if fresh else "the same command"

    def __exit__(self, *error: object) -> None:
        super().__exit__()
        if error and error[0] is KeyboardInterrupt:
            told = self._kept("asking", "questions are answered") or self._kept("checking", "claims are checked")
            click.echo(f"\nStopped. {told or 'Nothing was asked yet'}; {self._again} goes on from there.", err=True)
            sys.exit(130)

    def _kept(self, step: str, what: str) -> str:
        done, total = self.done(step)
        return f"{done} of {total} {what} and kept" if total else ""


def _keep(record: Record, settings: Settings) -> Path:
    path = run_path(settings.home, record.name)
    save(record, path)
    return path


def _write(out: Path, record: Record, against: Record | None = None) -> None:
    if out.suffix == ".json":
        save(record, out)
    elif out.suffix == ".md":
        write_whole(out, reports.to_markdown(record))
    else:
        write_whole(out, reports.to_html(record, comparing.compare(against, record) if against else None))


def _finish(record: Record) -> None:
    """Exit code 1 with the gold rows that can't be used, if there are any; everything else was asked."""
    if record.gold["broken"]:
        _tell_broken([(row["line"], row["problem"]) for row in record.gold["broken"]], record.gold["name"])
        sys.exit(1)


def _tell_broken(rows: list[tuple[int, str]], name: str) -> None:
    click.echo(f"\n{len(rows)} rows of {name} can't be used:", err=True)
    for line, problem in rows:
        click.echo(_safe(f"  line {line}: {problem}"), err=True)


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)


def _table(record: Record) -> str:
    asked, of = record.gold["asked"], record.gold["questions"]
    lines = [
        f"{record.name}: {asked} of {of} questions of {record.gold['name']} about the {record.corpus['articles']} "
        f"articles of {record.corpus['name']}, {record.models['llm']}",
        "",
        f"{'':20}{'value':>8}{'n':>5}   95% interval  unscored",
    ]
    for layer in LAYERS:
        if rows := _layer(record, layer):
            lines += [layer, *rows]
    lines += _confidence(record) + _by_kind(record) + _failures(record.items)
    return _safe("\n".join(lines))


def _layer(record: Record, layer: str) -> list[str]:
    figures, medians, unscored = record.figures(), record.medians(), record.unscored()
    rows = []
    for name, metric in METRICS.items():
        if metric.layer != layer:
            continue
        left = f"{unscored[name]:8}" if name in unscored else f"{'':8}"
        if figure := figures.get(name):
            shown = f"{figure.value:8.3f}{figure.n:5}   {figure.low:.3f}–{figure.high:.3f}"
        elif name in medians:
            shown = f"{medians[name]:8.0f}{len(record.values(name)):5}   {'median':11}"
        elif name in unscored:
            shown = f"{'–':>8}{0:5}   {'':11}"
        else:
            continue
        rows.append(f"  {name:18}{shown}  {left}  {metric.label}")
    return rows


def _confidence(record: Record) -> list[str]:
    given = [i for i in record.items if i.answer and not i.answer["declined"] and "right" in i.scores]
    if not given:
        return []
    confidences, right = [float(i.answer["confidence"]) for i in given if i.answer], [i.scores["right"] for i in given]
    area, error = risk_coverage(confidences, right).area, calibration(confidences, right).error
    return [
        "confidence",
        f"  {'aurc':18}{area:8.3f}{len(given):5}{'':26}area under risk and coverage, lower is better",
        f"  {'ece':18}{error:8.3f}{len(given):5}{'':26}expected calibration error, lower is better",
    ]


def _by_kind(record: Record) -> list[str]:
    lines = ["", "right, by kind"]
    for kind in dict.fromkeys(sorted(item.kind for item in record.items)):
        if scores := [i.scores["right"] for i in record.items if i.kind == kind and "right" in i.scores]:
            found = share(scores)
            lines.append(f"  {kind:18}{found.value:8.3f}{found.n:5}   {found.low:.3f}–{found.high:.3f}")
    return lines


def _failures(items: tuple[Item, ...]) -> list[str]:
    failed = [item for item in items if item.failure]
    if not failed:
        return []
    counts = Counter(item.failure for item in failed)
    steps = ", ".join(f"{step} {counts[step]}" for step in _STEPS if counts[step])
    return ["", f"{len(failed)} of {len(items)} failed, first at: {steps}", *(_failure(item) for item in failed)]


def _failure(item: Item) -> str:
    wanted = " | ".join(item.answers) or " + ".join("/".join(group) for group in item.must) or "declining"
    asked = f"  {item.id} {item.kind}, {item.failure}: {item.question}"
    return f"{asked}\n    wanted {wanted}\n    got    {comparing.told(item)}"


def _safe(text: str) -> str:
    """Text of articles, questions and models without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


@command.command("index", epilog="Example: dateline eval index --kills 20 --files 200")
@click.option("--kills", default=300, show_default=True, type=click.IntRange(1), help="How often a process is killed.")
@click.option("--files", default=2_000, show_default=True, type=click.IntRange(1), help="How many broken files.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def index_trials(kills: int, files: int, as_json: bool) -> None:
    """Put an index through hard trials: kills, broken files, a full disk, a read-only disk, a second reading.

    Works in a folder of its own and takes about twenty minutes. The disks need an administrator's rights, the second
    reading the sets of DATELINE_BENCHMARKS.
    """
    with tempfile.TemporaryDirectory() as folder, console.Progress() as bars:
        found = trying.trials(kills, files, bars.show, Path(folder))
    if as_json:
        plain = {name: asdict(each) if is_dataclass(each) else each for name, each in found.items()}  # type: ignore[arg-type]
        click.echo(_json(plain))
    else:
        for name, each in found.items():
            click.echo(f"{name}: {each}")
    killed, fuzzed = found["kills"], found["fuzz"]
    failed = killed.broken or not killed.undisturbed or fuzzed.lost
    others = [found["full_disk"], found["read_only"], found["again"]]
    sys.exit(1 if failed or not all(each.startswith(("ok", "not tried")) for each in others) else 0)


command.add_command(train)
