"""The story of a question on one screen: find, read, write, check; answered or declined."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace

import prompts
from index.article import Article
from index.errors import ConfigError, QuestionError, StoreError
from index.filters import Filters
from index.ledger import ArticleRow
from index.relevance import bundled as bundled_relevance
from index.search import Index, checked
from index.settings import Settings
from index.splitting import split_sentences
from index.times import TimeHint, time_hint
from rag import by_source, cite, decline, disagreement, evidence, listing, reader
from rag.by_source import BySource
from rag.judge import Checked, Judge
from rag.models.llm import LLM, Stopped, Usage, Waiting, whole
from rag.question import meant
from rag.types import LINES, Answer, AnswerSentence, EvidenceSentence, Kind, Models, Support, Timings, Turn, full_text

# Tokens of evidence that a first and a second reading take; docs/reading.md has the table.
FIRST_READING, SECOND_READING = 220, 460
HITS_OF = {Kind.QUESTION: evidence.HITS, Kind.SUMMARY: evidence.HITS, Kind.OVERVIEW: 1, Kind.LIST: 60}  # chunks
_OVERVIEW = 8  # articles whose beginnings stand for all
_OPENING = 3  # sentences of an article's beginning that a summary starts from


@dataclass(frozen=True, slots=True)
class EvidenceFound:
    """The sentences found, the read ones first, before a word is written; a second time where more is read, and then
    what was written before is put aside."""

    evidence: tuple[EvidenceSentence, ...]
    elapsed_ms: float
    when: TimeHint | None = None  # the days that the question was taken to mean


@dataclass(frozen=True, slots=True)
class Queued:
    """The model is busy with others' questions; so many are to be answered before this one, 0 when its turn comes."""

    ahead: int


@dataclass(frozen=True, slots=True)
class TextAdded:
    """A piece of the draft that the model writes, markers included; it is checked when it is whole."""

    text: str


@dataclass(frozen=True, slots=True)
class Answered:
    """The whole answer, checked."""

    answer: Answer


Event = EvidenceFound | Queued | TextAdded | Answered


@dataclass(frozen=True, slots=True)
class Found:
    """Everything up to the evidence: the question on its own, the days it means, and the sentences, best first."""

    question: str
    standalone: str
    asked: str
    when: TimeHint | None = None
    ranked: tuple[evidence.Ranked, ...] = ()
    kind: Kind = Kind.QUESTION
    listed: tuple[Article, ...] = ()  # of a list


@dataclass(frozen=True, slots=True)
class Draft:
    """What was written from what was read, how probably there is nothing to write, and the judge's verdict on it."""

    read: tuple[EvidenceSentence, ...]
    none: float
    text: str = ""
    marked: tuple[cite.MarkedSentence, ...] = ()
    checked: Checked | None = None
    usage: Usage = field(default_factory=Usage)

    @property
    def decision(self) -> decline.Decision:
        """Whether it is an answer."""
        return decline.decide(self.text, self.none, self.checked)


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
        self._loading: threading.Thread | None = None

    def start(self) -> None:
        """Begin loading the models, without waiting for any."""
        self.llm.start(prefix=reader.prompt("", (), "", trained=self.llm.is_trained)[:-1])
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
        """Like `ask`, as events: `EvidenceFound` once or twice, `Queued` while others are answered, `TextAdded` many
        times, `Answered` last.

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
            yield Answered(self._unread(found, clock))
            return
        drafts: list[Draft] = []
        for budget in (FIRST_READING, SECOND_READING) if found.kind is Kind.QUESTION else (SECOND_READING,):
            read = evidence.reading(found.ranked, self.llm.count, budget)
            if drafts and len(read) == len(drafts[-1].read):
                break  # there is no more
            clock.mark("evidence")
            yield EvidenceFound(evidence.gathered(read, found.ranked), clock.ms("evidence"), found.when)
            drafts.append((yield from self._draft(found, read, clock, stop, last=budget == SECOND_READING)))
            if not drafts[-1].decision.declined:
                break
        clock.mark("written")
        yield Answered(self._answer(found, drafts, clock, stop))

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
        question = checked(question)
        write = functools.partial(self._text, stop=stop)
        meaning = meant(question, history, write, self.index.embedder, trained=self.llm.is_trained)
        kind, alone = meaning.kind, meaning.question
        if kind in (Kind.TALK, Kind.ABILITY):
            return Found(question, question, asked, kind=kind)
        hits = self.index.search(alone, HITS_OF[kind], asked=asked, filters=filters)
        if not hits and filters:
            raise QuestionError(f"No article fits the filters ({filters}). `dateline index list` shows what there is.")
        if not hits:
            raise StoreError(
                f"There are no articles in {self.settings.home} yet. Add some: `dateline index add FILE_OR_FOLDER`."
            )
        when = time_hint(alone, asked)
        if kind is Kind.LIST:
            articles = listing.listed(alone, self.index, hits, self.relevance.scores, asked)
            return Found(question, alone, asked, when, kind=kind, listed=tuple(articles))
        if kind is Kind.OVERVIEW:
            return Found(question, alone, asked, when, self._overview(), kind)
        ranked = evidence.pool(alone, hits[: evidence.HITS], self.index, self.relevance.scores)
        if kind is Kind.SUMMARY and ranked:
            ranked = (*evidence.openings([ranked[0].sentence.article], _OPENING), *ranked)
        return Found(question, alone, asked, when, ranked, kind)

    def _overview(self) -> tuple[evidence.Ranked, ...]:
        """The beginnings of some articles, spread evenly over all of them by date."""
        rows = self.index.articles()
        chosen = rows[:: max(1, -(-len(rows) // _OVERVIEW))]
        return evidence.openings([self.index.article(row.id) for row in chosen], 2)

    def _unread(self, found: Found, clock: _Clock) -> Answer:
        """What is answered without reading: a list of articles, and what is no question to them."""
        sentences = listing.sentences(found.listed)
        return Answer(
            question=found.question,
            standalone=found.standalone,
            text=listing.SAYS.get(found.kind) or listing.text(found.listed),
            sentences=sentences,
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

    def _draft(
        self,
        found: Found,
        read: tuple[EvidenceSentence, ...],
        clock: _Clock,
        stop: threading.Event | None,
        *,
        last: bool,
    ) -> Generator[Queued | TextAdded, None, Draft]:
        """Read, and where there is something to write, write it and have it checked."""
        messages = reader.prompt(found.standalone, read, found.asked, trained=self.llm.is_trained)
        if not read:
            return Draft(read, 1.0)
        none = 0.0
        if self.llm.is_trained:  # its first word tells, before any is shown
            _, first = yield from self._writing(messages, 1, stop)
            none = reader.none(first)
            if none >= decline.NONE_FROM and not last:
                return Draft(read, none, usage=first)
        text, usage = "", Usage()
        writing = self._writing(messages, reader.TOKENS, stop)
        with contextlib.closing(writing):
            while True:
                try:
                    piece = next(writing)
                except StopIteration as end:
                    text, usage = end.value
                    break
                if isinstance(piece, TextAdded):
                    clock.mark("first_word")
                yield piece
        marked = tuple(cite.read_markers(text))
        if reader.says_none(text) or not marked:
            return Draft(read, max(none, 0.5), text, marked, usage=usage)
        return Draft(read, none, text, marked, self.judge.check(messages, text, len(marked), stop), usage)

    def _writing(
        self, messages: Sequence[prompts.Message], tokens: int, stop: threading.Event | None
    ) -> Generator[Queued | TextAdded, None, tuple[str, Usage]]:
        """What the model writes, as events; of a single token, which is asked for its probability, none."""
        text, told = "", 0
        with contextlib.closing(self.llm.write(messages, tokens, stop, likely=tokens == 1)) as writing:
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
                text += piece
                if tokens > 1:
                    yield TextAdded(piece)

    def _answer(self, found: Found, drafts: Sequence[Draft], clock: _Clock, stop: threading.Event | None) -> Answer:
        """The last draft as an answer, its sentences with what they rest on, or as a refusal."""
        draft, gathered = drafts[-1], evidence.gathered(drafts[-1].read, found.ranked)
        sentences, removed = _sentences(draft)
        declined = draft.decision.declined or not sentences
        return Answer(
            question=found.question,
            standalone=found.standalone,
            text=decline.DECLINED_TEXT if declined else full_text(sentences),
            sentences=() if declined else sentences,
            declined=declined,
            confidence=draft.decision.confidence,
            evidence=gathered,
            timings=clock.timings(),
            usage=draft.usage,
            models=Models(self.llm.name, self.index.embedder.fingerprint),
            prompt=prompts.version(),
            invented_markers=_invented(draft),
            asked=found.asked,
            when=found.when,
            disagreements=()
            if declined
            else disagreement.disagreements(found.standalone, draft.read, self._relation(stop)),
            refusal=decline.explain(draft.text, [each.sentence for each in found.ranked]) if declined else None,
            removed=tuple(each.text for each in draft.marked) if declined else removed,
            read=tuple(e.number for e in draft.read),
            kind=found.kind,
        )

    def _relation(self, stop: threading.Event | None) -> disagreement.Relate:
        return functools.partial(self.judge.relation, stop=stop)

    def _text(self, messages: Sequence[prompts.Message], max_tokens: int, stop: threading.Event | None = None) -> str:
        return whole(self.llm.write(messages, max_tokens, stop))

    def article(self, article_id: str) -> Article:
        """Raises `UnknownArticle`."""
        return self.index.article(article_id)

    def articles(self) -> list[ArticleRow]:
        """All articles, by id."""
        return self.index.articles()

    def by_source(
        self,
        question: str,
        *,
        asked: str = "",
        filters: Filters | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
        stop: threading.Event | None = None,
    ) -> BySource:
        """What each article says on a question; arguments and errors as for `ask`.

        Args:
            progress: told how many articles are done, of how many.

        Raises:
            Stopped: `stop` was set, from any thread.
        """
        found = self.find(question, asked=asked, filters=filters, stop=stop)
        groups = by_source.groups(found.ranked)
        progress(0, len(groups))
        drafts = []
        for done, group in enumerate(groups, start=1):
            read = evidence.reading(group.ranked, self.llm.count, FIRST_READING)
            draft = _to_the_end(self._draft(found, read, _Clock(), stop, last=True))
            drafts.append(by_source.Draft(group, read, () if draft.decision.declined else _sentences(draft)[0]))
            progress(done, len(groups))
        positions = by_source.positions(drafts)
        said = [e for draft in drafts if draft.sentences for e in draft.read]
        return BySource(
            found.question,
            positions,
            disagreement.disagreements(found.standalone, evidence.renumbered(said), self._relation(stop)),
            Models(self.llm.name, self.index.embedder.fingerprint),
            prompts.version(),
        )


def _sentences(draft: Draft) -> tuple[tuple[AnswerSentence, ...], tuple[str, ...]]:
    """The sentences that may be shown, with what they rest on, and the texts of those that may not."""
    if draft.checked is None:
        return (), ()
    shown: list[AnswerSentence] = []
    removed: list[str] = []
    cited = cite.cite([each.numbers for each in draft.marked], draft.read)
    for marked, citations, verdict in zip(draft.marked, cited, draft.checked.sentences, strict=True):
        says_missing = marked.text.startswith(reader.MISSING)
        support = verdict.support if citations or says_missing else Support.UNSUPPORTED
        if support is Support.UNSUPPORTED:
            removed.append(marked.text)
        else:
            shown.append(AnswerSentence(marked.text, citations, support, verdict.yes))
    number = cite.numbering()  # anew: the numbers run on where a sentence was taken out
    if not any(each.citations for each in shown):
        return (), tuple(each.text for each in draft.marked)
    return tuple(replace(s, citations=tuple(map(number, s.citations))) for s in shown), tuple(removed)


def _invented(draft: Draft) -> int:
    """How many markers point at nothing that was read."""
    known = {e.number for e in draft.read}
    return sum(number not in known for each in draft.marked for number in each.numbers)


def _to_the_end(drafting: Generator[Queued | TextAdded, None, Draft]) -> Draft:
    while True:
        try:
            next(drafting)
        except StopIteration as end:
            draft: Draft = end.value
            return draft


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
