"""All examples: those of the corpus, of its conversations, and of the public sets that are at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from evals.training import public
from evals.training.corpus import FOLDER, blind, clusters
from evals.training.examples import Builder, Corpus, Example, conversations

_SPLITS = {"6": "tuning", "7": "held-out"}  # by the second digit of a cluster's name; the others are trained on
_AGAIN = 2  # times that the halves of WiCE and CLAPNQ are seen: they are real, and few


def split(cluster: str) -> str:
    """Which part of the corpus a cluster belongs to: `train`, `tuning` or `held-out`."""
    return _SPLITS.get(cluster[1], "train")


def examples(pairs: Path | None, benchmarks: str, tell: Callable[[str], None]) -> list[Example]:
    """All examples, in their order.

    Args:
        pairs: a folder of public pairs; None for none.
        benchmarks: the folder of the benchmark sets; "" for none.
        tell: gets a line for each step.
    """
    told = list(clusters())
    builder = Builder(Corpus(told), {one.name: split(one.name) for one in told}, {one.name: blind(one) for one in told})
    made: list[Example] = []
    for place, cluster in enumerate(told, start=1):
        made += builder.of(cluster)
        tell(f"{cluster.name} ({place} of {len(told)}): {len(made):,} examples")
    made += conversations(sorted(FOLDER.glob("conversation-*.jsonl")))
    if pairs:
        made += public.pairs(pairs)
        tell(f"public pairs: {len(made):,} examples")
    if benchmarks:
        made += [*public.wice(Path(benchmarks)), *public.clapnq(Path(benchmarks))] * _AGAIN
        tell(f"tuning halves of WiCE and CLAPNQ: {len(made):,} examples")
    return made
