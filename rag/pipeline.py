"""ask() and stream(): from a question to an answer, the steps in reading order."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import prompts
from index.article import Article
from index.errors import ConfigError, QuestionError, StoreError
from index.filters import Filters
from index.ledger import ArticleRow
from index.relevance import bundled as bundled_relevance
from index.search import Hit, Index, checked
from index.settings import Settings
from index.splitting import split_sentences
from index.times import TimeHint, time_hint
from rag import by_source, checking, conversation, decline, disagreement, evidence, nli
from rag.answer import (
    Answer,
    EvidenceSentence,
    Models,
    Timings,
    Turn,
    full_text,
)
from rag.by_source import BySource
from rag.clarify import clarify
from rag.decline import Decision
from rag.models.llm import LLM, Stopped, Usage, Waiting, whole

ANSWER_TOKENS = 220


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The sentences found, before a word of the answer is written; the model gets to read the best of them."""

    evidence: tuple[EvidenceSentence, ...]
    elapsed_ms: float
    when: TimeHint | None = None  # the days that the question was taken to mean


@dataclass(frozen=True, slots=True)
class Queued:
    """The model is busy with others' questions; so many are to be answered before this one, 0 when its turn comes."""

    ahead: int


@dataclass(frozen=True, slots=True)
class TextAdded:
    """A piece of what the model writes, markers included."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The whole answer, checked."""

    answer: Answer


Event = EvidenceFound | Queued | TextAdded | Answered


class Assistant:
    """Answers questions about one corpus.

    Args:
        index: the corpus; by default that of the data directory.
        llm: one that is shared with other assistants; by default one of its own.

    Raises:
        PromptError: a template does not have its placeholders.
        StoreError: the data directory can't be used.
    """

    def __init__(self, settings: Settings, index: Index | None = None, llm: LLM | None = None) -> None:
        prompts.check_all()
        self.settings = settings
        self.llm = llm or LLM(settings)
        self.index = index or Index.open(settings)
        self.relevance = bundled_relevance()
        self.nli = nli.named(settings.nli)
        self._loading: threading.Thread | None = None

    def start(self) -> None:
        """Begin loading the models, without waiting for any."""
        self.llm.start(prefix=_messages("", (), "")[:-1])
        self._loading = threading.Thread(target=self._load, name="loading", daemon=True)
        self._loading.start()

    def _load(self) -> None:
        self.index.embedder.query("")
        with contextlib.suppress(ConfigError):  # said when it is first needed, to whoever asks
            self.relevance.scores("", [""])
        split_sentences("This loads the splitter.")

    def close(self) -> None:
        if self._loading:
            self._loading.join()  # a process that ends while a model is being loaded is aborted by its library
        self.index.close()
        self.llm.close()

    def __enter__(self) -> Assistant:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(
        self, question: str, *, history: Sequence[Turn] = (), asked: str = "", filters: Filters | None = None
    ) -> Answer:
        """The answer to a question.

        Args:
            history: the conversation so far, oldest first.
            asked: the ISO date that "this week" and the like are meant from; "" for not known.
            filters: which articles it may be answered from.

        Raises:
            QuestionError: an empty or overlong question, or no article fits the filters.
            StoreError: there are no articles yet.
            ModelError: the model can't be used.
        """
        for event in self.stream(question, history=history, asked=asked, filters=filters):
            if isinstance(event, Answered):
                return event.answer
        raise AssertionError("a stream ends with Answered")

    def stream(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        asked: str = "",
        filters: Filters | None = None,
        stop: threading.Event | None = None,
    ) -> Generator[Event, None, None]:
        """Like `ask`, as events: `EvidenceFound` once, `Queued` while others are answered, `TextAdded` many times,
        `Answered` last.

        Closing the generator stops the model.

        Args:
            stop: stops it too, from any thread and even before the first word; then there is no `Answered`.
        """
        with contextlib.suppress(Stopped):
            yield from self._events(question, history, asked, filters, stop)

    def _events(
        self,
        question: str,
        history: Sequence[Turn],
        asked: str,
        filters: Filters | None,
        stop: threading.Event | None,
    ) -> Generator[Event, None, None]:
        clock = _Clock()
        question = checked(question)
        standalone = conversation.standalone(question, history, functools.partial(self._text, stop=stop))
        when = time_hint(standalone, asked)
        hits = self._retrieve(standalone, asked, filters)
        clock.mark("retrieve")
        found = self._select(standalone, hits)
        clock.mark("evidence")
        yield EvidenceFound(found, clock.ms("evidence"), when)

        back = clarify(question, history, found)
        confidence, read = (0.0, ()) if back else self._weigh(standalone, found)
        text, usage = "", Usage()
        if read:
            text, usage = yield from self._write(_messages(standalone, read, asked), clock, stop)

        written = checking.check(text, standalone, found, read, self.relevance.scores, self.nli)
        decision = Decision(False, 0.0) if back else decline.decide(text, bool(written.sentences), confidence)
        sentences = () if decision.declined else written.sentences
        yield Answered(
            Answer(
                question=question,
                standalone=standalone,
                text=back.text if back else decline.DECLINED_TEXT if decision.declined else full_text(sentences),
                sentences=sentences,
                declined=decision.declined,
                confidence=decision.confidence,
                evidence=found,
                timings=clock.timings(),
                usage=usage,
                models=Models(self.llm.name, self.index.embedder.fingerprint),
                prompt=prompts.version(),
                invented_markers=written.invented_markers,
                asked=asked,
                when=when,
                disagreements=disagreement.disagreements(standalone, found) if sentences else (),
                refusal=decline.explain(standalone, found, self.index.unheard(standalone))
                if decision.declined
                else None,
                removed=written.texts if decision.declined else written.removed,
                clarifying=bool(back),
                read=tuple(sentence.number for sentence in read),
            )
        )

    def article(self, article_id: str) -> Article:
        """Raises `UnknownArticle`."""
        return self.index.article(article_id)

    def articles(self) -> list[ArticleRow]:
        return self.index.articles()

    def _retrieve(self, question: str, asked: str, filters: Filters | None) -> list[Hit]:
        hits = self.index.search(question, evidence.HITS, asked=asked, filters=filters)
        if not hits and filters:
            raise QuestionError(f"No article fits the filters ({filters}). `dateline index list` shows what there is.")
        if not hits:
            raise StoreError(
                f"There are no articles in {self.settings.home} yet. Add some: `dateline index add FILE_OR_FOLDER`."
            )
        return hits

    def _select(
        self, question: str, hits: Sequence[Hit], *, of_each: int | None = None
    ) -> tuple[EvidenceSentence, ...]:
        vector, budget = self.index.embedder.query(question), self.settings.evidence_tokens
        return evidence.select(question, vector, hits, self.index, self.llm.count, budget, of_each=of_each)

    def _weigh(self, question: str, found: Sequence[EvidenceSentence]) -> tuple[float, tuple[EvidenceSentence, ...]]:
        """How probably the evidence answers, and what the model reads of it: nothing if that is too little."""
        score = self.relevance.scores
        relevance = score(question, [sentence.text for sentence in found])
        confidence = decline.answerable(question, found, relevance, score)
        if confidence < decline.THRESHOLD:
            return confidence, ()
        return confidence, evidence.to_read(question, found, relevance, self.llm.count, self.settings.evidence_tokens)

    def _write(
        self, messages: Sequence[prompts.Message], clock: _Clock, stop: threading.Event | None
    ) -> Generator[Queued | TextAdded, None, tuple[str, Usage]]:
        text, told = "", 0
        with contextlib.closing(self.llm.write(messages, ANSWER_TOKENS, stop)) as writing:
            while True:
                try:
                    piece = next(writing)
                except StopIteration as end:
                    return text, end.value
                if isinstance(piece, Waiting):
                    if piece.ahead != told:
                        told = piece.ahead
                        yield Queued(told)
                    continue
                clock.mark("first_word")
                text += piece
                yield TextAdded(piece)

    def _text(self, messages: Sequence[prompts.Message], max_tokens: int, stop: threading.Event | None = None) -> str:
        return whole(self.llm.write(messages, max_tokens, stop))

    def by_source(
        self,
        question: str,
        *,
        asked: str = "",
        filters: Filters | None = None,
        progress: Callable[[int, int], None] | None = None,
        stop: threading.Event | None = None,
    ) -> BySource:
        """What each article says on a question; arguments and errors as for `ask`.

        Args:
            progress: told how many articles are done, of how many.

        Raises:
            Stopped: `stop` was set, from any thread.
        """
        question = checked(question)
        hits = self._retrieve(question, asked, filters)
        found = self._select(question, hits, of_each=self.settings.evidence_tokens // by_source.SHARES)
        return BySource(
            question,
            by_source.positions(question, found, functools.partial(self._text, stop=stop), progress, self.nli),
            disagreement.disagreements(question, found),
            Models(self.llm.name, self.index.embedder.fingerprint),
            prompts.version(),
        )


def _messages(question: str, found: Sequence[EvidenceSentence], asked: str) -> list[prompts.Message]:
    """The prompt: a prefix that never changes, so that the model reads it once, then evidence and question."""
    return prompts.render(
        "answer", evidence=evidence.shown(found), question=question, asked=f" (asked on {asked})" if asked else ""
    )


class _Clock:
    """Milliseconds from the question to each step; a step's first mark counts."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self._marks: dict[str, float] = {}

    def mark(self, step: str) -> None:
        self._marks.setdefault(step, self._now())

    def ms(self, step: str) -> float:
        return self._marks[step]

    def timings(self) -> Timings:
        return Timings(self._marks["retrieve"], self._marks["evidence"], self._marks.get("first_word"), self._now())

    def _now(self) -> float:
        return (time.perf_counter() - self._start) * 1000
