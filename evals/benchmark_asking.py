"""Ways to ask a benchmark's questions: over one corpus, by search alone, over own passages, over own or pooled ones.

All end in items as `evals.run` makes them, and every answer is kept, so what was asked is never asked again. Knows
nothing of how a set is scored.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from evals.benchmark_sets import Task, pooled
from evals.cache import JsonCache, digest
from evals.kept_writing import KeptWriting
from evals.record import Item, write_whole
from evals.run import (
    RANKED,
    Asker,
    AssistantAsker,
    Progress,
    ask_items,
    determinants,
    indexed,
    silent,
)
from evals.scoring import METRICS
from index.article import Article
from index.embedding import Embedder
from index.errors import ModelError
from index.search import Hit, Index
from index.settings import Settings
from rag.assistant import Assistant
from rag.models.llm import Usage
from rag.types import Answer, Models, Timings, Turn

_DEPTH = 10  # different articles that a search goes down to


class Reading(Protocol):
    """Whoever answers questions about a few passages at a time."""

    def over(self, articles: Sequence[Article]) -> Asker:
        """The asker whose whole corpus these passages are."""
        ...


class PassageReading:
    """Dateline's assistant over a few passages at a time, held in memory; LLM and embedder are shared."""

    def __init__(self, settings: Settings, embedder: Embedder | None = None, llm: KeptWriting | None = None) -> None:
        self._settings = settings
        self.embedder = embedder or Embedder(settings.embedder)
        self._llm = llm or KeptWriting(settings)
        self._started = False

    def __enter__(self) -> PassageReading:
        return self

    def __exit__(self, *_: object) -> None:
        self._llm.close()

    @cached_property
    def known(self) -> dict[str, Any]:
        """What determines every answer, the passages apart."""
        return determinants(self._settings, self.embedder.fingerprint, {})

    def over(self, articles: Sequence[Article]) -> Asker:
        return _PassageAsker(self, {article.id: article for article in articles})

    def ask(
        self, articles: Iterable[Article], question: str, history: Sequence[Turn], asked: str
    ) -> tuple[Sequence[Hit], Answer]:
        with Index.in_memory(articles, self.embedder) as index:
            assistant = Assistant(self._settings, index, self._llm)
            if not self._started:
                assistant.start()
                self._started = True
            answer = self._llm.as_written(lambda: assistant.ask(question, history=history, asked=asked))
            return index.search(answer.standalone, RANKED, asked=asked), answer


class _PassageAsker:
    """One question's passages."""

    def __init__(self, reading: PassageReading, articles: Mapping[str, Article]) -> None:
        self._reading = reading
        self.articles = articles
        self.embedder = reading.embedder

    @property
    def determinants(self) -> Mapping[str, Any]:
        passages = digest(sorted((article.id, article.digest) for article in self.articles.values()))
        return {**self._reading.known, "corpus": passages}

    def ask(self, question: str, history: Sequence[Turn], asked: str) -> tuple[Sequence[Hit], Answer]:
        return self._reading.ask(self.articles.values(), question, history, asked)


class Searcher:
    """Searches and says nothing: its answers are empty, only the hits count. No LLM is loaded."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._index = Index.open(settings)

    def __enter__(self) -> Searcher:
        return self

    def __exit__(self, *_: object) -> None:
        self._index.close()

    @property
    def embedder(self) -> Embedder:
        return self._index.embedder

    @cached_property
    def articles(self) -> Mapping[str, Article]:
        return {row.id: self._index.article(row.id) for row in self._index.articles()}

    @cached_property
    def determinants(self) -> Mapping[str, Any]:
        known = determinants(self._settings, self.embedder.fingerprint, self.articles)
        # Marked, or an empty answer would be taken for one to the same question about the same corpus.
        return {**known, "models": {**known["models"], "llm": "", "llm_digest": ""}, "step": "search"}

    def ask(self, question: str, history: Sequence[Turn], asked: str) -> tuple[Sequence[Hit], Answer]:
        start = time.perf_counter()
        hits = self._search(question, asked)
        ms = (time.perf_counter() - start) * 1000
        return hits, Answer(
            question=question,
            standalone=question,
            text="",
            sentences=(),
            declined=False,
            confidence=0.0,
            evidence=(),
            timings=Timings(ms, ms, None, ms),
            usage=Usage(),
            models=Models("", self.embedder.fingerprint),
            prompt="",
            invented_markers=0,
        )

    def _search(self, question: str, asked: str) -> Sequence[Hit]:
        """Hits down to the tenth article, or all there are."""
        limit = RANKED
        while True:
            hits = self._index.search(question, limit, asked=asked)
            first = {hit.article.id: rank for rank, hit in reversed(list(enumerate(hits, start=1)))}
            if len(first) >= _DEPTH:
                return hits[: sorted(first.values())[_DEPTH - 1]]
            if len(hits) < limit:
                return hits
            limit *= 2


@dataclass(frozen=True)
class Asking:
    """What it takes to ask: settings, who answers about a corpus and about passages, and who is told of progress."""

    settings: Settings
    progress: Progress = silent
    open_asker: Callable[[Settings], AbstractContextManager[Asker]] = AssistantAsker
    open_reading: Callable[[Settings], AbstractContextManager[Reading]] = PassageReading

    @property
    def cache(self) -> JsonCache:
        return JsonCache(self.settings.cache / "evals" / "answers")


@dataclass(frozen=True)
class Asked:
    """The items, what their answers came from (see `evals.run.determinants`), and how many articles were asked."""

    items: tuple[Item, ...]
    known: Mapping[str, Any]
    articles: int


def over_corpus(tasks: Sequence[Task], folder: Path, asking: Asking) -> Asked:
    """Ask over the folder's articles.jsonl, which is indexed once.

    Raises:
        ReadError: an article can't be read.
        ModelError: the model can't be used; what was asked is kept.
    """
    home = indexed(folder / "articles.jsonl", asking.settings, asking.progress)
    with asking.open_asker(replace(asking.settings, home=home)) as asker:
        items = ask_items([task.question for task in tasks], asker, asking.cache, asking.progress)
        return Asked(items, asker.determinants, len(asker.articles))


def by_search(tasks: Sequence[Task], folder: Path, asking: Asking) -> Asked:
    """Like `over_corpus`, without an answer: the items have the scores of retrieval alone."""
    asked = over_corpus(tasks, folder, replace(asking, open_asker=Searcher))
    return replace(asked, items=tuple(map(_only_retrieval, asked.items)))


def over_passages(tasks: Sequence[Task], folder: Path, asking: Asking) -> Asked:
    """Ask each question over its own passages; `folder` has nothing to add.

    Raises:
        ModelError: for the second question in a row; what was asked is kept.
    """
    items: list[Item] = []
    with asking.open_reading(asking.settings) as reading:
        for task in tasks:
            items += ask_items([task.question], reading.over(task.articles), asking.cache)
            if all(map(_model_failed, items[-2:])) and len(items) > 1:
                raise ModelError(f"{items[-1].error} What was asked before is kept: run the same again to go on.")
            asking.progress("asking", len(items), len(tasks))
        known = reading.over(tasks[0].articles).determinants
    corpora = [(task.question.id, [article.digest for article in task.articles]) for task in tasks]
    return Asked(tuple(items), {**known, "corpus": digest(corpora)}, sum(len(task.articles) for task in tasks))


def over_passages_or_pool(tasks: Sequence[Task], folder: Path, asking: Asking) -> Asked:
    """Ask each question over its own passages; one that brings none, over those of the whole set as one corpus.

    The pool is kept as a JSONL in the cache and indexed once.

    Raises:
        ReadError: a passage of the pool can't be read.
        ModelError: the model can't be used; what was asked is kept.
    """
    own, bare = [task for task in tasks if task.articles], [task for task in tasks if not task.articles]
    parts = []
    if own:
        parts.append(over_passages(own, folder, replace(asking, progress=_part(asking.progress, 0, len(tasks)))))
    if bare:
        pool = _pool(folder, asking.settings)
        parts.append(over_corpus(bare, pool, replace(asking, progress=_part(asking.progress, len(own), len(tasks)))))
    return Asked(
        items=tuple(sorted((item for part in parts for item in part.items), key=lambda item: item.id)),
        known={**parts[0].known, "corpus": digest([part.known["corpus"] for part in parts])},
        articles=sum(part.articles for part in parts),
    )


def _pool(folder: Path, settings: Settings) -> Path:
    """The folder with the passages of a set as its articles.jsonl."""
    rows = [{"id": each.id, "title": each.title, "text": each.text} for each in pooled(folder)]
    made = settings.cache / "evals" / "pools" / digest(rows)[:32]
    if not (made / "articles.jsonl").is_file():
        write_whole(made / "articles.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return made


def _part(progress: Progress, before: int, total: int) -> Progress:
    """Progress of a part of the questions as that of all of them."""

    def show(step: str, done: int, of: int) -> None:
        if step == "asking":
            progress(step, before + done, total)
        else:
            progress(step, done, of)

    return show


def _model_failed(item: Item) -> bool:
    return bool(item.error and item.error.startswith(ModelError.__name__))


def _only_retrieval(item: Item) -> Item:
    """An item without the scores of an answer that nobody was asked for."""
    kept = {name for name in item.scores if METRICS[name].layer == "retrieval"} | {"retrieve_ms"}
    scores = {name: value for name, value in item.scores.items() if name in kept}
    gold = set(item.gold_articles)
    missed = bool(gold) and not gold & {hit["article"] for hit in item.hits}
    failure = "error" if item.error else "retrieval" if missed else None
    return replace(item, scores=scores, unscored={}, failure=failure)
