"""The story of a question: find, read, write, check; it is answered, declined, or needs no reading."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import prompts
from index.article import Article
from index.errors import ConfigError
from index.filters import Filters
from index.ledger import ArticleRow
from index.relevance import bundled as bundled_relevance
from index.search import Index
from index.sentences import split_sentences
from index.settings import Settings
from index.times import TimeHint
from rag import by_source, decline, disagreement, evidence, listing
from rag.by_source import BySource
from rag.drafting import Asked, Draft, Drafter, Queued, ReadOn, TextAdded, finished, quoted
from rag.finding import Finder, Found
from rag.judge import CLAIM, Judge
from rag.models.llm import LLM, Stopped, Usage, whole
from rag.types import LINES, Answer, Disagreement, EvidenceSentence, Kind, Models, Refusal, Timings, Turn, full_text

__all__ = ["Answered", "Assistant", "Event", "EvidenceFound", "Queued", "ReadOn", "TextAdded"]

READ_ON = 440  # tokens of evidence that are read too where the answer is not in the first
_ALONE = 3  # articles that are asked alone, where a comparison rests on no two of them
_QUOTED = {Kind.OVERVIEW: 1, Kind.SUMMARY: 3}  # sentences of an article that stand for it where no summary is carried
WIDE_READING = 600  # tokens of evidence that a comparison, an overview or a summary takes at once


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The sentences found, the read ones first, before a word is written."""

    evidence: tuple[EvidenceSentence, ...]
    elapsed_ms: float
    when: TimeHint | None = None  # the days that the question was taken to mean


@dataclass(frozen=True, slots=True)
class Answered:
    """The whole answer, checked."""

    answer: Answer


Event = EvidenceFound | Queued | TextAdded | ReadOn | Answered


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
        self.judge = Judge(self.llm)
        self._finder = Finder(settings, self.index, self.relevance.scores, self.llm.is_trained)
        self._drafter = Drafter(self.llm, self.judge)
        self._loading: threading.Thread | None = None

    def start(self) -> None:
        """Begin loading the models, without waiting for any."""
        self.llm.start()
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
        """Like `ask`, as events: `EvidenceFound` once, `Queued` while others are answered, `TextAdded` many
        times, `ReadOn` where that text does not count and others are read, `Answered` last.

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
        found = self.find(question, history=history, asked=asked, filters=filters, stop=stop)
        clock.mark("retrieve")
        if found.kind in LINES:
            clock.mark("evidence")
            yield Answered(self._listed(found, clock))
            return
        budget = max(self.settings.evidence_tokens, WIDE_READING if found.wide else 0)
        read = evidence.reading(found.ranked, self.llm.count, budget, skipping=found.wide)
        clock.mark("evidence")
        yield EvidenceFound(evidence.gathered(read, found.ranked), clock.ms("evidence"), found.when)
        draft = yield from self._told(found, read, clock, stop)
        if found.kind in _QUOTED and draft.decision.declined:
            draft = quoted(read, _QUOTED[found.kind])
        yield Answered(self._answer(found, draft, clock, stop))

    def _told(
        self,
        found: Found,
        read: tuple[EvidenceSentence, ...],
        clock: _Clock,
        stop: threading.Event | None,
    ) -> Generator[Queued | TextAdded | ReadOn, None, Draft]:
        count = self.llm.count
        if found.kind is not Kind.QUESTION:  # what sums up does not depend on a day, and is judged for what it says
            drafting = self._drafter.draft(Asked(found.standalone, "", stop, CLAIM), read)
        elif found.compares:
            groups = by_source.groups(found.ranked)[:_ALONE]
            by_date = sorted(groups, key=lambda group: group.article.published)
            alone = (evidence.reading(group.ranked, count, self.settings.evidence_tokens) for group in by_date)
            drafting = self._drafter.compared(Asked(found.standalone, found.day, stop), read, alone)
        else:
            further = functools.partial(evidence.reading, found.ranked, count, READ_ON, after=read)
            drafting = self._drafter.draft(Asked(found.standalone, found.day, stop), read, further)
        with contextlib.closing(drafting):
            while True:
                try:
                    event = next(drafting)
                except StopIteration as end:
                    draft: Draft = end.value
                    return draft
                if isinstance(event, TextAdded):
                    clock.mark("first_word")
                yield event

    def find(
        self,
        question: str,
        *,
        history: Sequence[Turn] = (),
        asked: str = "",
        filters: Filters | None = None,
        stop: threading.Event | None = None,
    ) -> Found:
        """Everything up to the evidence; arguments and errors as for `ask`."""
        return self._finder.find(question, history, asked, filters, functools.partial(self._text, stop=stop))

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
        report = progress or (lambda done, total: None)
        write = functools.partial(self._text, stop=stop)
        found = self._finder.find(question, (), asked, filters, write, by_article=True)
        groups = by_source.groups(found.ranked)
        report(0, len(groups))
        drafts = []
        for done, group in enumerate(groups, start=1):
            read = evidence.reading(group.ranked, self.llm.count, self.settings.evidence_tokens)
            draft = finished(self._drafter.draft(Asked(found.standalone, found.day, stop), read))
            drafts.append(by_source.Draft(group, read, draft.sentences()))
            report(done, len(groups))
        said = evidence.renumbered(e for draft in drafts if draft.sentences for e in draft.read)
        return BySource(
            found.question,
            by_source.positions(drafts),
            disagreement.disagreements(found.standalone, said, self._relation(stop)),
            Models(self.llm.name, self.index.embedder.fingerprint),
            prompts.version(),
        )

    def article(self, article_id: str) -> Article:
        """Raises `UnknownArticle`."""
        return self.index.article(article_id)

    def articles(self) -> list[ArticleRow]:
        """All articles, the newest first."""
        return self.index.articles()

    def _answer(self, found: Found, draft: Draft, clock: _Clock, stop: threading.Event | None) -> Answer:
        """The draft as an answer, its sentences with what they rest on, or as a refusal."""
        decision, sentences = draft.decision, draft.sentences()
        differ: tuple[Disagreement, ...] = ()
        refusal: Refusal | None = None
        if decision.declined:
            refusal = decline.explain(draft.text, [each.sentence for each in found.ranked])
        else:
            differ = disagreement.disagreements(found.standalone, draft.read, self._relation(stop))
        shown = {sentence.text for sentence in sentences}
        return Answer(
            question=found.question,
            standalone=found.standalone,
            text=decline.DECLINED_TEXT if decision.declined else full_text(sentences),
            sentences=sentences,
            declined=decision.declined,
            confidence=decision.confidence,
            evidence=evidence.gathered(draft.read, found.ranked),
            timings=clock.timings(),
            usage=draft.usage,
            models=Models(self.llm.name, self.index.embedder.fingerprint),
            prompt=prompts.version(),
            invented_markers=draft.invented,
            asked=found.asked,
            when=found.when,
            disagreements=differ,
            refusal=refusal,
            removed=tuple(text for text in draft.texts if text not in shown),
            read=tuple(e.number for e in draft.read),
            kind=found.kind,
        )

    def _listed(self, found: Found, clock: _Clock) -> Answer:
        """What is answered without reading: a list of articles, and what is no question to them."""
        return Answer(
            question=found.question,
            standalone=found.standalone,
            text=listing.SAYS.get(found.kind) or listing.text(found.listed),
            sentences=listing.sentences(found.listed),
            declined=False,
            confidence=1.0,
            evidence=listing.found(found.listed),
            timings=clock.timings(),
            usage=Usage(),
            models=Models(self.llm.name, self.index.embedder.fingerprint),
            prompt=prompts.version(),
            invented_markers=0,
            asked=found.asked,
            when=found.when,
            kind=found.kind,
        )

    def _relation(self, stop: threading.Event | None) -> disagreement.Relate:
        return functools.partial(self.judge.relation, stop=stop)

    def _text(self, messages: Sequence[prompts.Message], max_tokens: int, stop: threading.Event | None = None) -> str:
        return whole(self.llm.write(messages, max_tokens, stop))


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
