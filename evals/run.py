"""One evaluation run: index the corpus apart from the user's own, ask every question, measure every answer.

Nothing is done twice: a corpus is indexed once, and an answer is kept as soon as it is there, under a digest of
everything that determines it. A run that was killed is therefore continued by running it again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

import filelock

import index
import prompts
from evals.cache import JsonCache, digest
from evals.gold import GoldQuestion, GoldSet, read_gold, to_row
from evals.judge import Judge
from evals.kept_writing import KeptWriting
from evals.record import (
    Item,
    Record,
    code_hash,
    environment,
    model_digest,
    package_version,
    plain_settings,
    run_path,
    sources,
)
from evals.scoring import Embedding, Scores, failure, score
from index.article import Article
from index.embedding import Embedder
from index.errors import GoldError, ModelError, ReadError
from index.ingest import Outcome
from index.reading import ReadProblem, find_files
from index.search import Hit, Index
from index.settings import Settings
from rag.assistant import Assistant
from rag.types import Answer, Turn

RANKED = 50  # chunks that a record keeps, enough for ten articles of a ranking
_FORMAT = 1  # of a cached answer; to be raised with every change of what `_told` keeps
# The modules of index/ that no stored corpus comes out of: they only read it.
_ONLY_READS_INDEX = frozenset(
    "console cross_encoder errors fetching filters ranking relevance reranking retriever search settings times "
    "upkeep".split()
)
_NOT_FOR_ANSWERS = {"judge", "draft"}  # templates that no answer comes from

Progress = Callable[[str, int, int], None]  # step, done, total


def silent(step: str, done: int, total: int) -> None:
    """No progress is shown."""


class Asker(Protocol):
    """Whoever answers questions about one corpus: Dateline's assistant, or a corpus held in memory."""

    @property
    def articles(self) -> Mapping[str, Article]:
        """The corpus by article id."""
        ...

    @property
    def embedder(self) -> Embedding: ...

    @property
    def determinants(self) -> Mapping[str, Any]:
        """Everything that determines an answer beside the question, as JSON; see `determinants`."""
        ...

    def ask(self, question: str, history: Sequence[Turn], asked: str) -> tuple[Sequence[Hit], Answer]:
        """The ranked chunks of a question, best first, and its answer.

        Raises:
            DatelineError: the question can't be answered; ModelError where no other could be either.
        """
        ...


class AssistantAsker:
    """`rag.pipeline.Assistant` as people use it, but that it writes nothing twice unless it shall be `fresh`.

    The LLM is only loaded once there is something to ask.
    """

    def __init__(self, settings: Settings, fresh: bool = False) -> None:
        self._settings = settings
        self._llm = KeptWriting(settings, fresh)
        self._assistant = Assistant(settings, llm=self._llm)
        self._started = False

    def __enter__(self) -> AssistantAsker:
        return self

    def __exit__(self, *_: object) -> None:
        self._assistant.close()

    @cached_property
    def articles(self) -> Mapping[str, Article]:
        return {row.id: self._assistant.article(row.id) for row in self._assistant.articles()}

    @property
    def embedder(self) -> Embedding:
        return self._assistant.index.embedder

    @cached_property
    def determinants(self) -> Mapping[str, Any]:
        return determinants(self._settings, self._assistant.index.embedder.fingerprint, self.articles)

    def ask(self, question: str, history: Sequence[Turn], asked: str) -> tuple[Sequence[Hit], Answer]:
        if not self._started:
            self._assistant.start()
            self._started = True
        answer = self._llm.as_written(lambda: self._assistant.ask(question, history=history, asked=asked))
        return self._assistant.index.search(answer.standalone, RANKED, asked=asked), answer


def determinants(settings: Settings, fingerprint: str, articles: Mapping[str, Article]) -> dict[str, Any]:
    """What determines an answer beside the question: settings, prompts, models, code and corpus, by digests.

    Args:
        fingerprint: the embedder's.

    Raises:
        ModelError: there is no such model file.
    """
    return {
        "settings": plain_settings(settings),
        "prompts": {name: digest for name, digest in prompts.versions().items() if name not in _NOT_FOR_ANSWERS},
        "models": {"llm": settings.model, "llm_digest": model_digest(settings), "embedder": fingerprint},
        "llama.cpp": package_version("xllamacpp"),
        "code": code_hash(),
        "corpus": digest(sorted((article.id, article.digest) for article in articles.values())),
        "ranked": RANKED,
    }


def run(
    gold: Path,
    corpus: Path | None,
    settings: Settings,
    *,
    sample: int | None = None,
    only: Collection[str] = (),
    name: str = "",
    fresh: bool = False,
    judge: Judge | None = None,
    progress: Progress = silent,
    open_asker: Callable[[Settings], AbstractContextManager[Asker]] | None = None,
) -> Record:
    """Ask the questions of `gold` about the articles of `corpus` and measure the answers.

    Args:
        corpus: a file or folder of articles, indexed apart; None for what `settings.home` holds.
        sample: ask only so many, the same ones in whatever order the file is.
        only: ask only those of these ids.
        name: of the run; made of the gold file's and the time if it is left away.
        fresh: ask again what was asked before.
        judge: gives its opinion of every answer, once all are there.
        progress: gets (step, done, total); the steps are indexing, asking and judging.

    Raises:
        GoldError: no usable question in `gold`, or a name that can't be one or is taken.
        ReadError: an article of `corpus` can't be read.
        ModelError: the model can't be used; what was asked is kept.
    """
    started = _now()
    name = name or _free_name(settings.home, f"{gold.stem}-{started:%Y%m%d-%H%M%S}")
    if run_path(settings.home, name).exists():
        raise GoldError(f"There is a run {name!r} already: {run_path(settings.home, name)}. Name this one otherwise.")
    home = settings.home if corpus is None else indexed(corpus, settings, progress)
    cache = JsonCache(settings.cache / "evals" / "answers", fresh)
    open_asker = open_asker or partial(AssistantAsker, fresh=fresh)
    with open_asker(dataclasses.replace(settings, home=home)) as asker:
        gold_set = read_gold(gold, asker.articles)
        questions = choose(gold_set.questions, sample, only)
        if not questions:
            raise GoldError(f"{gold} holds none of the {len(only)} questions that are to be asked of it.")
        items = ask_items(questions, asker, cache, progress)
        known, articles = asker.determinants, len(asker.articles)
    if judge:
        items = judge_items(items, questions, judge, cache, progress)
    return recorded(
        name, items, known, settings, started,
        gold=about(gold.name, gold_set, len(items)),
        corpus={"name": corpus.name if corpus else "home", "articles": articles, "digest": known["corpus"]},
        judge=judge,
    )  # fmt: skip


def recorded(
    name: str,
    items: tuple[Item, ...],
    known: Mapping[str, Any],
    settings: Settings,
    started: datetime,
    *,
    gold: Mapping[str, Any],
    corpus: Mapping[str, Any],
    judge: Judge | None = None,
) -> Record:
    """The record of a run that ends now, on this machine.

    Args:
        known: what determined the answers; see `determinants`.
        gold: what `about` tells of the questions.
    """
    where = environment()
    return Record(
        name=name,
        gold=gold,
        corpus=corpus,
        settings=plain_settings(settings),
        prompts=known["prompts"],
        models=known["models"],
        judge={"model": judge.name, "prompt": judge.prompt_version} if judge else None,
        versions=where.versions,
        code=where.code,
        commit=where.commit,
        dirty=where.dirty,
        machine=where.machine,
        seeds={"bootstrap": 0},
        started=_moment(started),
        finished=_moment(_now()),
        items=items,
    )


def about(name: str, gold: GoldSet, asked: int) -> dict[str, Any]:
    """What a record says of the questions that its items were chosen from, and how many of them were asked."""
    rows = sorted((to_row(question) for question in gold.questions), key=lambda row: str(row["id"]))
    return {
        "name": name,
        "digest": digest(rows),
        "questions": len(gold.questions),
        "asked": asked,
        "broken": [dataclasses.asdict(row) for row in gold.broken],
    }


def choose(questions: Iterable[GoldQuestion], sample: int | None, only: Collection[str] = ()) -> list[GoldQuestion]:
    """The questions to ask; a sample is drawn by the digests of the ids, so it does not depend on any order."""
    wanted = [question for question in questions if not only or question.id in only]
    return sorted(wanted, key=lambda question: hashlib.sha256(question.id.encode()).digest())[:sample]


def ask_items(
    questions: Iterable[GoldQuestion], asker: Asker, cache: JsonCache, progress: Progress = silent
) -> tuple[Item, ...]:
    """Ask the questions in the order of their ids, whatever order they come in; each becomes an item.

    An error of one question is its failure and does not end the others.

    Raises:
        ModelError: for the second question in a row; nobody would answer the next one either.
    """
    ordered = sorted(questions, key=lambda question: question.id)
    items: list[Item] = []
    model_failed = False
    for question in ordered:
        try:
            items.append(ask_item(question, asker, cache))
            model_failed = False
        except ModelError as error:
            if model_failed:
                raise ModelError(f"{error} What was asked before is kept: run the same again to go on.") from error
            model_failed = True
            items.append(_failed(question, error, asker))
        except Exception as error:  # whatever it is, it is a finding about this question
            model_failed = False
            items.append(_failed(question, error, asker))
        progress("asking", len(items), len(ordered))
    return tuple(items)


def ask_item(question: GoldQuestion, asker: Asker, cache: JsonCache) -> Item:
    """Ask one question, unless its answer is in the cache, and measure the answer."""
    history = [{"role": turn.role, "content": turn.content} for turn in question.history]
    asked = {"question": question.question, "history": history, "asked": question.asked}
    key = digest({"format": _FORMAT, **asked, **asker.determinants})
    found = cache.get(key)
    told = found or _told(*asker.ask(question.question, question.history, question.asked))
    if not found:
        cache.put(key, told)
    articles = asker.articles

    def text_of(article_id: str) -> str:
        return articles[article_id].text if article_id in articles else ""

    scores = score(question, told["hits"], told["answer"], text_of, asker.embedder)
    return _item(question, told["hits"], told["answer"], scores, cached=bool(found))


def _told(hits: Sequence[Hit], answer: Answer) -> dict[str, Any]:
    """What the cache keeps of an answer."""
    return {"hits": [_hit_json(hit) for hit in hits], "answer": answer.to_json()}


def judge_items(
    items: Sequence[Item],
    questions: Iterable[GoldQuestion],
    judge: Judge,
    cache: JsonCache,
    progress: Progress = silent,
) -> tuple[Item, ...]:
    """The items with the judge's opinion as the score `judged`; refusals and errors are not for it to judge.

    Raises:
        ModelError: the judge's model can't be used.
    """
    by_id = {question.id: question for question in questions}
    judged: list[Item] = []
    for item in items:
        judged.append(_judged(item, by_id[item.id], judge, cache))
        progress("judging", len(judged), len(items))
    return tuple(judged)


def _judged(item: Item, question: GoldQuestion, judge: Judge, cache: JsonCache) -> Item:
    if item.answer is None or item.answer["declined"] or not question.answerable:
        return item
    said = item.answer["answer"]
    asked = {"judge": judge.name, "prompt": judge.prompt_version, "question": to_row(question), "said": said}
    key = digest(asked)
    opinion = cache.get(key)
    if opinion is None:
        verdict = judge.judge(question, said)
        opinion = {"right": verdict.right, "reason": verdict.reason}
        cache.put(key, opinion)
    if opinion["right"] is None:
        return dataclasses.replace(item, unscored={**item.unscored, "judged": opinion["reason"]})
    return dataclasses.replace(item, scores={**item.scores, "judged": float(opinion["right"])})


def indexed(corpus: Path, settings: Settings, progress: Progress = silent) -> Path:
    """The home of the corpus's own index, made if it is not there yet; whole, or not there at all.

    Raises:
        ReadError: something of the corpus can't be read.
    """
    folder = settings.cache / "evals" / "corpora"
    home = folder / _corpus_key(corpus, Embedder(settings.embedder).fingerprint)
    making = folder / f"{home.name}.making"
    folder.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(folder / f"{home.name}.lock"):
        if not home.is_dir():
            try:
                shutil.rmtree(making, ignore_errors=True)  # of a run that was killed
                _make_index(corpus, dataclasses.replace(settings, home=making), progress)
                making.rename(home)
            finally:
                shutil.rmtree(making, ignore_errors=True)
    return home


def _make_index(corpus: Path, settings: Settings, progress: Progress) -> None:
    problems: list[str] = []

    def report(outcome: Outcome) -> None:
        if outcome.outcome == "failed":
            problems.append(f"  {outcome.origin} {outcome.message}")

    with Index.open(settings) as making:
        making.add(
            [corpus],
            report=report,
            progress=lambda step, done, total: progress("indexing", done, total) if step == "articles" else None,
        )
    if problems:
        raise ReadError(f"{corpus} is not a corpus that figures can be trusted on; mend it:\n" + "\n".join(problems))


def _corpus_key(corpus: Path, fingerprint: str) -> str:
    made_by = code_hash([file for file in sources(index) if file.stem not in _ONLY_READS_INDEX])
    content = hashlib.sha256(f"{fingerprint}\0{made_by}\0".encode())
    root = corpus if corpus.is_dir() else corpus.parent
    for file in find_files([corpus]):
        if isinstance(file, ReadProblem):
            raise ReadError(f"The corpus {file.origin} {file.message}")
        if not isinstance(file, Path):  # passed over
            continue
        content.update(f"{file.relative_to(root)}\0".encode() + hashlib.sha256(_bytes(file)).digest())
    return content.hexdigest()[:32]


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ReadError(f"{file} can't be read: {error.strerror or error}. Check its permissions.") from error


def _failed(question: GoldQuestion, error: Exception, asker: Asker) -> Item:
    scores = score(question, (), None, lambda _: "", asker.embedder)
    return _item(question, [], None, scores, error=f"{type(error).__name__}: {error}")


def _item(
    question: GoldQuestion,
    hits: Sequence[Mapping[str, Any]],
    answer: dict[str, Any] | None,
    scores: Scores,
    *,
    cached: bool = False,
    error: str | None = None,
) -> Item:
    return Item(
        id=question.id,
        kind=question.kind.value,
        tags=question.tags,
        question=question.question,
        history=tuple({"role": turn.role, "content": turn.content} for turn in question.history),
        asked=question.asked,
        answerable=question.answerable,
        answers=question.answers,
        must=question.must,
        gold=tuple(dataclasses.asdict(sentence) for sentence in question.gold),
        gold_articles=question.gold_articles,
        reference=question.reference,
        standalone=question.standalone,
        hits=tuple(hits),
        answer=answer,
        scores=scores.scores,
        unscored=scores.unscored,
        failure=failure(question, hits, answer, scores.scores),
        error=error,
        cached=cached,
    )


def _hit_json(hit: Hit) -> dict[str, Any]:
    return {
        "article": hit.article.id,
        "title": hit.article.title,
        "start": hit.chunk.start,
        "end": hit.chunk.end,
        "score": round(hit.score, 6),
        "cosine": round(hit.cosine, 4),
    }


def _free_name(home: Path, name: str) -> str:
    """The name, with a number behind it if a run of the same second has it."""
    names = (name if n == 1 else f"{name}-{n}" for n in range(1, 10_000))
    return next(each for each in names if not run_path(home, each).exists())


def _now() -> datetime:
    return datetime.now(UTC)


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"
