"""`dateline eval`: the command. Wiring and printing only."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from tqdm import tqdm

from evals.run import Item, Report, run, to_json
from index.errors import GoldError
from index.settings import load_settings

_HERE = Path(__file__).parent
SEEDS_GOLD = _HERE / "gold" / "seeds.jsonl"
SEEDS_CORPUS = _HERE.parent / "seeds" / "articles"


@click.command(epilog="Example: dateline eval --sample 10 --out run.json")
@click.argument("gold", required=False, type=click.Path(path_type=Path))
@click.option("--corpus", type=click.Path(path_type=Path), help="The articles that the questions are about.")
@click.option("--sample", type=click.IntRange(1), help="Ask only so many questions, spread evenly.")
@click.option("--out", type=click.Path(path_type=Path), help="Write figures and every item to this JSON file.")
@click.option("--json", "as_json", is_flag=True, help="Print figures and every item as one JSON object.")
def command(gold: Path | None, corpus: Path | None, sample: int | None, out: Path | None, as_json: bool) -> None:
    """Ask gold questions and print how good the answers are; the starter corpus and its questions by default.

    The corpus is indexed apart from your own. Each figure stands with n and a 95% interval.
    """
    if gold and not corpus:
        raise click.UsageError("GOLD needs --corpus: the articles that its questions are about")
    gold, corpus = gold or SEEDS_GOLD, corpus or SEEDS_CORPUS
    if not corpus.exists():
        raise GoldError(
            f"There is no corpus at {corpus}; name one with --corpus, or run this in Dateline's own folder."
        )
    if out and not out.parent.is_dir():
        raise GoldError(f"There is no folder {out.parent} to write {out.name} to.")
    with tqdm(desc="asking", unit=" questions", disable=None) as bar:

        def progress(item: Item, done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        report = run(gold, corpus, load_settings(), sample, progress)
    text = json.dumps(to_json(report), ensure_ascii=False, indent=None if as_json else 1)
    if out:
        out.write_text(text + "\n", encoding="utf-8")
    click.echo(text if as_json else _table(report))


def _table(report: Report) -> str:
    lines = [f"{name}: {value}" for name, value in report.settings.items()]
    lines += ["", f"{'':42}{'value':>7}{'n':>5}   95% interval"]
    lines += [f"{name:42}{f.value:7.3f}{f.n:5}   {f.low:.3f}–{f.high:.3f}" for name, f in report.figures.items()]
    lines += ["", "medians"]
    lines += [f"{name:42}{value:7.0f}" for name, value in report.medians.items()]
    if wrong := [item for item in report.items if not item.scores["right"]]:
        lines += ["", f"not right ({len(wrong)})", *(_line(item) for item in wrong)]
    return "\n".join(lines)


def _line(item: Item) -> str:
    wanted: Any = item.question.answers or item.question.must or "declined"
    told = " ".join(item.answer.text.split())
    asked = f"{item.question.id} {item.question.kind.value}: {item.question.question}"
    return f"{asked}\n    wanted {wanted}\n    got    {told}"
