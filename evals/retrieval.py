"""Is the right article found? Dateline, Dateline without one of its parts, and LlamaIndex, on the same public sets.

One run on one machine gives every row of the table. No LLM is started. The sets stay in the folder that
DATELINE_BENCHMARKS names, because their texts may not be passed on.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evals import benchmark_sets, metrics
from evals.benchmark_sets import Half
from evals.compare import ALPHA, adjusted
from evals.gold import GoldQuestion
from evals.importing import Format, import_gold
from evals.metrics import Passage
from evals.record import environment, package_version, plain_settings
from evals.run import Progress, choose, indexed, silent
from evals.statistics import Share, bootstrap_interval, paired_bootstrap, percentile, permutation
from index.errors import GoldError
from index.ranking import WEIGHTS, Weights
from index.relevance import bundled
from index.search import Index
from index.settings import Settings
from rag import evidence
from rag.evidence import TokenCounter
from rag.models.tokens import count_o200k
from rag.types import EvidenceSentence

SCHEMA = "dateline-retrieval/1"
DEPTH = 10  # different articles that a ranking is looked at
_PASSAGES = 10  # asked for at first, and timed; more only where they are of fewer than ten articles
_DEEPER = 4  # times as many in the next attempt

METRICS: dict[str, Callable[[Sequence[str], Sequence[str]], float]] = {
    "hit@1": lambda ranked, gold: metrics.hit_at(ranked, gold, 1),
    "hit@5": lambda ranked, gold: metrics.hit_at(ranked, gold, 5),
    "mrr@10": lambda ranked, gold: metrics.reciprocal_rank(ranked, gold, 10),
    "recall@5": lambda ranked, gold: metrics.recall_at(ranked, gold, 5),
    "all@10": lambda ranked, gold: metrics.all_at(ranked, gold, 10),
}
_EVIDENCE = {
    "answer_in_evidence": "a gold answer inside the evidence",
    "evidence_recall": "gold sentences inside the evidence",
}

_NOTHING = Weights(cosine=0, sentence=0, words=0, article_words=0, time=0, fresh=0, links=0)
OURS = "dateline"
_VARIANTS = {
    OURS: ("Dateline", WEIGHTS),
    "dense": ("  only the chunks' vectors", dataclasses.replace(_NOTHING, cosine=1.0)),
    "lexical": ("  only the chunks' words", dataclasses.replace(_NOTHING, words=1.0)),
    "no-article-words": ("  without the articles' words", dataclasses.replace(WEIGHTS, article_words=0.0)),
    "no-time": ("  without time", dataclasses.replace(WEIGHTS, time=0.0, fresh=0.0)),
    "no-second-round": ("  without the second round", dataclasses.replace(WEIGHTS, links=0.0)),
}

_YEARS = {"news-2025": Half.REPORT, "news-2024": Half.TUNE}  # not halved
_HALVED = ("clapnq", "xquad", "2wiki")
SETS = (*_YEARS, *_HALVED)


@dataclass(frozen=True, slots=True)
class System:
    """Anything that finds passages: (question, how many) → the article id of each, best first."""

    name: str
    label: str
    passages: Callable[[GoldQuestion, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Ranking:
    """At most ten different articles, best first, and the milliseconds that the first ten passages took."""

    articles: tuple[str, ...]
    ms: float


@dataclass(frozen=True, slots=True)
class Difference:
    """The mean of a row − Dateline over the same questions with its 95% bootstrap interval.

    `p` is the permutation test's, `adjusted` the same for being one of several rows (`evals.compare.adjusted`).
    """

    value: float
    low: float
    high: float
    p: float
    adjusted: float


@dataclass(frozen=True, slots=True)
class Row:
    """One system: its rankings and, by metric, its scores, in the order of the questions."""

    name: str
    label: str
    rankings: tuple[Ranking, ...]
    scores: Mapping[str, tuple[float, ...]]

    def figure(self, metric: str) -> Share:
        return _figure(self.scores[metric])

    def latency(self) -> tuple[float, float]:
        """Median and 95th percentile, in milliseconds."""
        times = [ranking.ms for ranking in self.rankings]
        return percentile(times, 50), percentile(times, 95)


@dataclass(frozen=True, slots=True)
class Result:
    """One set: a row for each system, Dateline first, and what Dateline's evidence holds of each question."""

    name: str
    half: Half
    articles: int
    questions: tuple[GoldQuestion, ...]
    rows: tuple[Row, ...]
    evidence: tuple[Mapping[str, float], ...]

    def differences(self, metric: str) -> dict[str, Difference]:
        """Every other row against Dateline's."""
        ours, *others = self.rows
        pairs = {row.name: (ours.scores[metric], row.scores[metric]) for row in others}
        ps = {name: permutation(*pair) for name, pair in pairs.items()}
        corrected = adjusted(ps, pairs, 2)
        return {
            name: Difference(_mean(b) - _mean(a), *paired_bootstrap(a, b), ps[name], corrected[name])
            for name, (a, b) in pairs.items()
        }

    def evidence_values(self, name: str) -> list[float]:
        return [scores[name] for scores in self.evidence if name in scores]


def default_sets(half: Half) -> tuple[str, ...]:
    """The sets that hold questions of a half."""
    return tuple(name for name in SETS if _YEARS.get(name, half) is half)


def run(
    sets: Sequence[str],
    settings: Settings,
    *,
    half: Half = Half.REPORT,
    sample: int | None = None,
    peers: bool = True,
    progress: Progress = silent,
) -> tuple[Result, ...]:
    """Ask the questions of sets of every system.

    Args:
        sets: names out of `SETS`; all that have questions of this half for none.
        sample: only so many questions of each set, always the same ones.
        peers: whether LlamaIndex is asked too; for that it embeds every article once more, twice as long as Dateline.
        progress: gets (step, done, total).

    Raises:
        GoldError: DATELINE_BENCHMARKS names no folder with these sets, or a set has no question of this half.
        ReadError: the articles of a set can't be read.
    """
    folders = [_folder(name) for name in sets or default_sets(half)]  # all of them, before any takes its time
    chosen = [_questions(folder, half, sample) for folder in folders]
    return tuple(
        _run_set(folder, half, questions, settings, peers, progress)
        for folder, questions in zip(folders, chosen, strict=True)
    )


def half_of(set_name: str, question_id: str) -> Half:
    """An even SHA-256 of the id is for tuning; the news sets are whole."""
    return _YEARS.get(set_name, benchmark_sets.half_of(question_id))


def rank(system: System, question: GoldQuestion) -> Ranking:
    """The first ten different articles, however many passages that takes."""
    limit = _PASSAGES
    started = time.perf_counter()
    passages = system.passages(question, limit)
    ms = (time.perf_counter() - started) * 1000
    while len(set(passages)) < DEPTH and len(passages) >= limit:
        limit *= _DEEPER
        passages = system.passages(question, limit)
    return Ranking(tuple(dict.fromkeys(passages))[:DEPTH], ms)


def to_json(results: Sequence[Result], settings: Settings) -> dict[str, Any]:
    """Everything, down to each question's ranking by each system."""
    where = environment()
    return {
        "schema": SCHEMA,
        "settings": plain_settings(settings),
        "versions": {**where.versions, "bm25s": package_version("bm25s")},
        "code": where.code,
        "commit": where.commit,
        "dirty": where.dirty,
        "machine": where.machine,
        "sets": [_set_json(result) for result in results],
    }


def to_text(results: Sequence[Result]) -> str:
    """The tables."""
    return "\n\n".join(_set_text(result) for result in results)


# One set


def _folder(name: str) -> Path:
    folder = benchmark_sets.benchmarks_folder(os.environ, SETS) / name
    if missing := [file for file in ("articles.jsonl", "questions.jsonl") if not (folder / file).is_file()]:
        raise GoldError(
            f"{folder} has no {' and no '.join(missing)}; set DATELINE_BENCHMARKS to another folder, or name only "
            "the sets that it holds."
        )
    return folder


def _questions(folder: Path, half: Half, sample: int | None) -> tuple[GoldQuestion, ...]:
    found = import_gold(folder, Format.BENCHMARK)
    if found.problems:
        raise GoldError(
            f"Line {found.problems[0].line} of {folder / 'questions.jsonl'} {found.problems[0].problem}. Figures are "
            "comparable only over the whole set; copy it anew."
        )
    fitting = [q for q in found.questions if q.answerable and q.gold_articles and half_of(folder.name, q.id) is half]
    if not fitting:
        raise GoldError(
            f"{folder.name} has no questions of the half {half.value!r}; try {', '.join(default_sets(half))}."
        )
    return tuple(choose(fitting, sample))


def _run_set(
    folder: Path,
    half: Half,
    questions: tuple[GoldQuestion, ...],
    settings: Settings,
    peers: bool,
    progress: Progress,
) -> Result:
    def shown(step: str, done: int, total: int) -> None:
        progress(f"{folder.name}, {step}", done, total)

    settings = dataclasses.replace(settings, home=indexed(folder / "articles.jsonl", settings, shown))
    with Index.open(settings) as index:
        systems = [*_ours(index), *(_peers(index, settings, shown) if peers else ())]
        rows = _rows(systems, questions, index, shown)
        found = tuple(_evidence(index, question, count_o200k, settings.evidence_tokens) for question in questions)
        return Result(folder.name, half, len(index.articles()), questions, rows, found)


def _ours(index: Index) -> Iterator[System]:
    for name, (label, weights) in _VARIANTS.items():
        yield System(name, label, _search(index, weights))


def _peers(index: Index, settings: Settings, progress: Progress) -> Iterator[System]:
    try:
        from evals.llama_index_retrievers import peers
    except ImportError as error:
        raise GoldError(
            f"LlamaIndex's side needs {error.name}, which is not installed. `make bench-retrieval` sets up what it "
            "needs; so does `pip install -e '.[dev]'`."
        ) from error
    articles = (index.article(row.id) for row in index.articles())
    for peer in peers(articles, index.embedder, settings.cache / "evals" / "peers", progress):
        yield System(peer.name, peer.label, lambda question, limit, of=peer.passages: of(question.question, limit))  # type: ignore[misc]


def _search(index: Index, weights: Weights) -> Callable[[GoldQuestion, int], list[str]]:
    def passages(question: GoldQuestion, limit: int) -> list[str]:
        hits = index.search(question.question, limit, asked=question.asked, weights=weights)
        return [hit.article.id for hit in hits]

    return passages


def _rows(
    systems: Sequence[System], questions: Sequence[GoldQuestion], index: Index, progress: Progress
) -> tuple[Row, ...]:
    """The systems are asked in turn, so that a machine that is busy for a while is so for all of them."""
    for system in systems:  # what the first question would load
        system.passages(questions[0], _PASSAGES)
    rankings: dict[str, dict[int, Ranking]] = {system.name: {} for system in systems}
    for first in range(len(questions)):
        # Each at another question: the embedder keeps its last vector, and every system is to make its own.
        index.embedder.query("")
        for offset, system in enumerate(systems):
            n = (first + offset) % len(questions)
            rankings[system.name][n] = rank(system, questions[n])
        progress("asking", first + 1, len(questions))
    return tuple(
        _row(system, [rankings[system.name][n] for n in range(len(questions))], questions) for system in systems
    )


def _row(system: System, rankings: Sequence[Ranking], questions: Sequence[GoldQuestion]) -> Row:
    pairs = [(ranking.articles, question.gold_articles) for ranking, question in zip(rankings, questions, strict=True)]
    scores = {name: tuple(metric(*pair) for pair in pairs) for name, metric in METRICS.items()}
    return Row(system.name, system.label, tuple(rankings), scores)


def _evidence(index: Index, question: GoldQuestion, count: TokenCounter, budget: int) -> dict[str, float]:
    """What Dateline would give an LLM to read: its tokens, and what it holds of the gold."""
    hits = index.search(question.question, evidence.HITS, asked=question.asked)
    found = evidence.reading(evidence.pool(question.question, hits, index, bundled().scores), count, budget)
    texts = [sentence.text for sentence in found]
    scores = {"evidence_tokens": float(sum(count(texts)))}
    if question.answers or question.must:
        scores["answer_in_evidence"] = metrics.answer_in_evidence(texts, question.answers, question.must)
    if question.gold:
        scores["evidence_recall"] = metrics.gold_recall([_passage(sentence) for sentence in found], question.gold)
    return scores


def _passage(sentence: EvidenceSentence) -> Passage:
    return Passage(sentence.article.id, sentence.start, sentence.end)


def _figure(values: Sequence[float]) -> Share:
    """The mean with its 95% bootstrap interval."""
    return Share(_mean(values), len(values), *bootstrap_interval(values))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


# As JSON


def _set_json(result: Result) -> dict[str, Any]:
    differences = {metric: result.differences(metric) for metric in METRICS}
    return {
        "name": result.name,
        "half": result.half.value,
        "articles": result.articles,
        "questions": len(result.questions),
        "systems": [_row_json(row, differences) for row in result.rows],
        "evidence": {
            name: _plain(_figure(values))
            for name in ("evidence_tokens", *_EVIDENCE)
            if (values := result.evidence_values(name))
        },
        "items": [_item_json(result, n) for n in range(len(result.questions))],
    }


def _row_json(row: Row, differences: Mapping[str, Mapping[str, Difference]]) -> dict[str, Any]:
    p50, p95 = row.latency()
    return {
        "name": row.name,
        "label": row.label.strip(),
        "figures": {metric: _plain(row.figure(metric)) for metric in METRICS},
        "against_dateline": {
            metric: _plain(found[row.name]) for metric, found in differences.items() if row.name in found
        },
        "latency_ms": {"p50": p50, "p95": p95},
    }


def _plain(figure: Share | Difference) -> dict[str, float | None]:
    """A single value has no interval, and JSON no nan."""
    return {name: None if math.isnan(value) else value for name, value in dataclasses.asdict(figure).items()}


def _item_json(result: Result, n: int) -> dict[str, Any]:
    question = result.questions[n]
    return {
        "id": question.id,
        "question": question.question,
        "asked": question.asked,
        "gold_articles": list(question.gold_articles),
        "systems": {
            row.name: {
                "articles": list(row.rankings[n].articles),
                "ms": row.rankings[n].ms,
                "scores": {metric: values[n] for metric, values in row.scores.items()},
            }
            for row in result.rows
        },
        "evidence": dict(result.evidence[n]),
    }


# As text


_WIDE = 18  # of a column: a figure with its interval


def _set_text(result: Result) -> str:
    width = max(len(row.label) for row in result.rows) + 2
    half = "all" if result.name in _YEARS else f"the half to {result.half.value} on"
    head = "".join(f"{metric:{_WIDE}}" for metric in METRICS)
    lines = [
        f"{result.name}: {len(result.questions)} questions ({half}), {result.articles:,} articles",
        "",
        f"{'':{width}}{head}{'ms p50':>7}{'p95':>7}",
        *(_row_text(row, width) for row in result.rows),
        "",
        f"{'difference to Dateline':{width}}{head}",
        *_differences_text(result, width),
        "",
        *_evidence_text(result),
        f"(95% bootstrap intervals; * p < {ALPHA} by permutation, corrected for the number of rows)",
    ]
    return "\n".join(line.rstrip() for line in lines)


def _row_text(row: Row, width: int) -> str:
    p50, p95 = row.latency()
    figures = "".join(f"{_shown(row.figure(metric)):{_WIDE}}" for metric in METRICS)
    return f"{row.label:{width}}{figures}{p50:7.0f}{p95:7.0f}"


def _differences_text(result: Result, width: int) -> Iterator[str]:
    differences = {metric: result.differences(metric) for metric in METRICS}
    for row in result.rows[1:]:
        found = (differences[metric][row.name] for metric in METRICS)
        yield f"{row.label:{width}}" + "".join(f"{_shown_difference(each):{_WIDE}}" for each in found)


def _evidence_text(result: Result) -> Iterator[str]:
    tokens = result.evidence_values("evidence_tokens")
    yield f"Dateline's evidence: {percentile(tokens, 50):.0f} tokens (o200k), median; p95 {percentile(tokens, 95):.0f}"
    for name, label in _EVIDENCE.items():
        if values := result.evidence_values(name):
            yield f"  {label}: {_shown(_figure(values))}, n = {len(values)}"


def _shown(figure: Share) -> str:
    """`.86 (.78–.94)`; a single question has no interval."""
    interval = "" if math.isnan(figure.low) else f" ({_points(figure.low)}–{_points(figure.high)})"
    return f"{_points(figure.value)}{interval}"


def _shown_difference(each: Difference) -> str:
    star = "*" if each.adjusted < ALPHA else ""
    return f"{_signed(each.value)} ({_signed(each.low)} {_signed(each.high)}){star}"


def _points(value: float) -> str:
    return f"{value:.2f}".removeprefix("0")


def _signed(value: float) -> str:
    shown = f"{value:+.2f}".replace("0.", ".").replace("-", "−")
    return ".00" if shown[1:] == ".00" else shown
