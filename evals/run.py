"""One evaluation run: index the corpus apart from the user's own, ask every question, measure every answer."""

from __future__ import annotations

import dataclasses
import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import prompts
from evals import metrics
from evals.gold import GoldQuestion, Kind, read_gold
from evals.metrics import Passage, Share
from index.settings import Settings
from rag.answer import Answer
from rag.pipeline import Assistant

_RANKED = 50  # chunks looked at for the ranking of articles


@dataclass(frozen=True)
class Item:
    """One question, its answer, and what was measured; a metric that does not apply is absent."""

    question: GoldQuestion
    answer: Answer
    scores: dict[str, float]


@dataclass(frozen=True)
class Report:
    """A run: its settings, every item, and the figures in the order in which they are printed."""

    settings: dict[str, str]
    items: tuple[Item, ...]
    figures: dict[str, Share]
    medians: dict[str, float]


def run(
    gold: Path,
    corpus: Path,
    settings: Settings,
    sample: int | None = None,
    progress: Callable[[Item, int, int], None] = lambda item, done, total: None,
) -> Report:
    """Ask the questions of `gold` about the articles of `corpus`, in a data directory that is thrown away.

    Args:
        sample: ask only so many, spread evenly over the file.
        progress: gets each item as it is done, how many are done, and how many there are.

    Raises:
        GoldError: bad rows in `gold`.
        ReadError: nothing to read in `corpus`.
        ModelError: the model can't be used.
    """
    with (
        tempfile.TemporaryDirectory(prefix="dateline-eval-") as home,
        Assistant(dataclasses.replace(settings, home=Path(home))) as assistant,
    ):
        assistant.start()
        assistant.index.add([corpus])
        articles = {row.id: assistant.article(row.id) for row in assistant.articles()}
        questions = _spread(read_gold(gold, articles), sample)
        items: list[Item] = []
        for question in questions:
            items.append(_item(assistant, question))
            progress(items[-1], len(items), len(questions))
        return Report(_record(assistant, gold, corpus), tuple(items), _figures(items), _medians(items))


def _item(assistant: Assistant, question: GoldQuestion) -> Item:
    answer = assistant.ask(question.question, history=question.history, asked=question.asked)
    hits = assistant.index.search(answer.standalone, _RANKED)
    ranked = list(dict.fromkeys(hit.article.id for hit in hits))
    return Item(question, answer, _scores(question, answer, ranked, assistant))


def _scores(question: GoldQuestion, answer: Answer, ranked: Sequence[str], assistant: Assistant) -> dict[str, float]:
    scores = {"right": float(metrics.is_right(question, answer.text, answer.declined))}
    if question.answerable:
        gold_articles = {sentence.article for sentence in question.gold}
        scores["hit@1"] = metrics.hit_at(ranked, gold_articles, 1)
        scores["hit@3"] = metrics.hit_at(ranked, gold_articles, 3)
        scores["mrr@10"] = metrics.reciprocal_rank(ranked, gold_articles)
        evidence = [Passage(e.article.id, e.start, e.end) for e in answer.evidence]
        scores["gold in evidence"] = metrics.gold_recall(evidence, question.gold)
        scores["false refusals"] = float(answer.declined)
    if question.kind is Kind.UNANSWERABLE:
        scores["unanswerable declined"] = float(answer.declined)
    if answer.declined:
        return scores
    cited = [Passage(c.article, c.start, c.end) for c in answer.citations]
    exact = [assistant.article(c.article).text[c.start : c.end] == c.quote for c in answer.citations]
    if cited:
        scores["citations exact"] = sum(exact) / len(exact)
        if question.answerable:
            scores["citation precision"] = metrics.gold_precision(cited, question.gold)
    if question.answerable:
        scores["citation recall"] = metrics.gold_recall(cited, question.gold)
    scores["sentences cited"] = sum(bool(s.citations) for s in answer.sentences) / len(answer.sentences)
    scores["sentences supported"] = sum(s.support.value == "supported" for s in answer.sentences) / len(
        answer.sentences
    )
    return scores


def _figures(items: Sequence[Item]) -> dict[str, Share]:
    def of(metric: str, chosen: Sequence[Item] = items) -> Share:
        return metrics.share([item.scores[metric] for item in chosen if metric in item.scores])

    answerable = [item for item in items if item.question.answerable]
    figures = {f"retrieval: {name}": of(name) for name in ("hit@1", "hit@3", "mrr@10")}
    figures["evidence: gold sentences in it"] = of("gold in evidence")
    figures["answers: right, answerable"] = of("right", answerable)
    for kind in Kind:
        figures[f"answers: right, {kind.value}"] = of("right", [i for i in items if i.question.kind is kind])
    names = ("citations exact", "citation precision", "citation recall", "sentences cited", "sentences supported")
    figures |= {f"citations: {name}": of(name) for name in names}
    figures |= {f"declining: {name}": of(name) for name in ("unanswerable declined", "false refusals")}
    return {name: figure for name, figure in figures.items() if figure.n}


def _medians(items: Sequence[Item]) -> dict[str, float]:
    timings = [item.answer.timings for item in items]
    return {
        "ms to the evidence": metrics.median([t.evidence_ms for t in timings]),
        "ms to the first word": metrics.median([t.first_word_ms for t in timings if t.first_word_ms is not None]),
        "ms in all": metrics.median([t.total_ms for t in timings]),
        "prompt tokens": metrics.median([float(item.answer.usage.prompt_tokens) for item in items]),
        "answer tokens": metrics.median([float(item.answer.usage.completion_tokens) for item in items]),
    }


def _record(assistant: Assistant, gold: Path, corpus: Path) -> dict[str, str]:
    return {
        "gold": gold.name,
        "corpus": f"{corpus.name}: {assistant.index.ledger.count()[0]} articles",
        "llm": assistant.llm.name,
        "embedder": assistant.index.embedder.fingerprint,
        "prompts": prompts.version(),
        "evidence tokens": str(assistant.settings.evidence_tokens),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}",
    }


def _spread(questions: list[GoldQuestion], sample: int | None) -> list[GoldQuestion]:
    """Evenly spaced questions, so that a sample holds every kind of a file that is sorted by kind."""
    if sample is None or sample >= len(questions):
        return questions
    return [questions[(2 * n + 1) * len(questions) // (2 * sample)] for n in range(sample)]


def to_json(report: Report) -> dict[str, Any]:
    """The report as one object: settings, figures with n and interval, medians, and every item."""
    return {
        "settings": report.settings,
        "figures": {
            name: {"value": round(f.value, 4), "n": f.n, "low": round(f.low, 4), "high": round(f.high, 4)}
            for name, f in report.figures.items()
        },
        "medians": {name: round(value, 1) for name, value in report.medians.items()},
        "items": [
            {"id": i.question.id, "kind": i.question.kind.value, "scores": i.scores, **i.answer.to_json()}
            for i in report.items
        ],
    }
