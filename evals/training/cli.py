"""`dateline eval train`: the examples, the reader's adapter, and the head for plain questions."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from index.settings import PLAIN_MODEL, load_settings

_BUILD = Path("build")
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group("train")
def train() -> None:
    """Train what Dateline reads and judges by, from the corpus in evals/training/corpus.

    \b
    Example: dateline eval train drafts                     # two hours; what the present reader gets wrong
             dateline eval train examples --pairs ~/pairs   # a few minutes; into build/examples.npz
             dateline eval train reader --minutes 60        # on a GPU where there is one; goes on where it was
             dateline eval train asked                      # seconds
    """


@train.command("drafts")
@click.option("--most", type=int, default=300, show_default=True, help="Questions of each set.")
@click.option("--out", type=_FILE, default=_BUILD / "drafts.jsonl", show_default=True)
def drafts_command(most: int, out: Path) -> None:
    """Have the present reader answer where the right answer is known or missing: mistakes to learn from.

    Takes some four seconds an answer. DATELINE_BENCHMARKS adds the tuning half of XQuAD. A run that was stopped goes
    on where it was.
    """
    from evals.benchmark_sets import VARIABLE
    from evals.training import build, drafts
    from rag.models.llm import LLM

    out.parent.mkdir(parents=True, exist_ok=True)
    done = drafts.names(out)
    asked = build.questions(os.environ.get(VARIABLE, ""), most)
    llm = LLM(load_settings())
    try:
        with out.open("a", encoding="utf-8") as file, click.progressbar(asked, file=sys.stderr) as shown:
            for each in shown:
                if each.name not in done:
                    file.write(f"{json.dumps(drafts.write(each, llm), ensure_ascii=False)}\n")
                    file.flush()
    finally:
        llm.close()
    click.echo(f"{len(drafts.names(out)):,} drafts: {out}")


@train.command()
@click.option(
    "--drafts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The reader's own drafts (`dateline eval train drafts`).",
)
@click.option(
    "--pairs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with public pairs (*.jsonl: id, set, claim, evidence, supported).",
)
@click.option("--out", type=_FILE, default=_BUILD / "examples.npz", show_default=True)
def examples(drafts: Path | None, pairs: Path | None, out: Path) -> None:
    """Make the examples: prompts as Dateline makes them, with what is to be written after them.

    DATELINE_BENCHMARKS adds the tuning halves of WiCE and CLAPNQ, --pairs the public pairs; without them the
    corpus alone is learned from.
    """
    import numpy as np

    from evals.benchmark_sets import VARIABLE
    from evals.training import build, tokens
    from rag.models.files import prepare

    settings = load_settings({**os.environ, "DATELINE_MODEL": PLAIN_MODEL})
    made = build.examples(pairs, drafts, os.environ.get(VARIABLE, ""), lambda text: click.echo(text, err=True))
    out.parent.mkdir(parents=True, exist_ok=True)
    encoded = tokens.encoded(made, prepare(settings))
    with out.open("wb") as file:
        np.savez_compressed(file, **encoded)  # type: ignore[arg-type]
    click.echo(f"{len(encoded['ends']):,} examples, {len(encoded['tokens']):,} tokens: {out}")


@train.command()
@click.option("--examples", "given", type=_FILE, default=_BUILD / "examples.npz", show_default=True)
@click.option("--out", type=_FILE, default=_BUILD / "reader.gguf", show_default=True)
@click.option("--minutes", type=float, default=600.0, show_default=True, help="Stop after so long.")
@click.option("--epochs", type=float, default=2.3, show_default=True)
@click.option("--rank", type=int, default=32, show_default=True)
@click.option("--rate", type=float, default=4e-4, show_default=True, help="The highest learning rate.")
def reader(given: Path, out: Path, minutes: float, epochs: float, rank: int, rate: float) -> None:
    """Fit the adapter to the examples and write it as a LoRA file of llama.cpp's.

    A run that was stopped goes on where it was. On an H200 7 minutes; on two CPU cores with AVX-512 BF16 days.
    """
    import torch

    from evals.training import fit
    from rag.models.files import prepare

    if not given.is_file():
        raise click.ClickException(f"There is no {given}. Make it: `dateline eval train examples`.")
    settings = load_settings({**os.environ, "DATELINE_MODEL": PLAIN_MODEL})
    weights = out.with_suffix(".npz")
    fit.fit(
        prepare(settings), given, weights, minutes=minutes, epochs=epochs, rank=rank, scale=fit.SCALE, rate=rate,
        batch_tokens=fit.BATCH_TOKENS, device="cuda" if torch.cuda.is_available() else "cpu",
    )  # fmt: skip
    fit.export(weights, out)
    click.echo(f"{out} ({out.stat().st_size / 1e6:.1f} MB); as rag/models/reader.gguf it is merged at the next start")


@train.command()
def asked() -> None:
    """Fit the head that tells a plain question from one that compares and from what needs a second look."""
    from evals.training import asked as head

    head.main()
