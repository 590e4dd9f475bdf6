"""All examples: those of the corpus, of its conversations, and of the public sets that are at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

from evals.training import drafts, public
from evals.training.corpus import FOLDER, Cluster, blind, clusters
from evals.training.examples import Builder, Corpus, Example, conversations

_SPLITS = {"6": "tuning", "7": "held-out"}  # by the second digit of a cluster's name; the others are trained on
_AGAIN = 2  # times that the drafts and the halves of WiCE and CLAPNQ are seen: they are real, and few


def split(cluster: str) -> str:
    """Which part of the corpus a cluster belongs to: `train`, `tuning` or `held-out`."""
    return _SPLITS.get(cluster[1], "train")


def examples(pairs: Path | None, written: Path | None, benchmarks: str, tell: Callable[[str], None]) -> list[Example]:
    """All examples, in their order.

    Args:
        pairs: a folder of public pairs; None for none.
        written: a file of the reader's own drafts; None for none.
        benchmarks: the folder of the benchmark sets; "" for none.
        tell: gets a line for each step.
    """
    told = list(clusters())
    builder = _builder(told)
    made: list[Example] = []
    for place, cluster in enumerate(told, start=1):
        made += builder.of(cluster)
        tell(f"{cluster.name} ({place} of {len(told)}): {len(made):,} examples")
    made += conversations(sorted(FOLDER.glob("conversation-*.jsonl")))
    if pairs:
        made += public.pairs(pairs)
        tell(f"public pairs: {len(made):,} examples")
    if written:
        made += list(drafts.examples(written, split)) * _AGAIN
        tell(f"the reader's own drafts: {len(made):,} examples")
    if benchmarks:
        made += [*public.wice(Path(benchmarks)), *public.clapnq(Path(benchmarks))] * _AGAIN
        tell(f"tuning halves of WiCE and CLAPNQ: {len(made):,} examples")
    return made


def questions(benchmarks: str, most: int) -> list[drafts.Asked]:
    """What the reader is asked for its drafts: so many questions of the clusters that are learned from, and of XQuAD.

    Args:
        benchmarks: the folder of the benchmark sets; "" for none.
    """
    told = list(clusters())
    learned = [one for one in told if split(one.name) == "train"]
    found = list(islice(drafts.of_corpus(_builder(told), learned), most))
    return found + (list(islice(drafts.of_xquad(Path(benchmarks)), most)) if benchmarks else [])


def _builder(told: Sequence[Cluster]) -> Builder:
    return Builder(Corpus(told), {one.name: split(one.name) for one in told}, {one.name: blind(one) for one in told})
